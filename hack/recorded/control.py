"""Facts under the wrong key must promote nothing: the run's own control arm, judged as if it were the candidate."""

from dataclasses import dataclass
from typing import Any

import redis

from harness.kubectl import Kubectl, Manifest
from ninefold.api.outcomes import NULL_CONTROL, WRONG_KEY_CONTROL, ReplayReport
from ninefold.api.policy import OptimizationPolicySpec
from ninefold.gate import GateInput, evaluate


@dataclass(frozen=True)
class ControlVerdict:
    """`passed` is what the gate says of the control; anything but False or None would be a promotion."""

    passed: bool | None
    message: str


def wrong_key_verdict(kubectl: Kubectl, run: Manifest, redis_url: str) -> ControlVerdict:
    """Take the sealed replay of an ended run and put its wrong-key arm through the gate under the policy's settings.

    The arm holds the candidate's edits with every `when` moved to another stratum, replayed on the same sealed cases.
    Raises KeyError when the run has no such stage.
    """
    stages = {stage["name"]: stage for stage in run["status"]["stages"]}
    key = stages["replay-sealed"]["result"]["artifact"]
    with redis.Redis.from_url(redis_url) as store:
        data: Any = store.get(key)
    report = ReplayReport.model_validate_json(data)
    if WRONG_KEY_CONTROL not in report.arms:
        return ControlVerdict(None, "the promoted version has no conditional edit, so there is no key to get wrong")
    policy = OptimizationPolicySpec.model_validate(kubectl.get("nfp", run["spec"]["policyRef"]["name"])["spec"])
    arms = [arm for arm in report.arms if arm != WRONG_KEY_CONTROL]
    as_candidate = report.model_copy(
        update={
            "arms": [*arms, "wrong-key"],
            "rows": [
                row.model_copy(
                    update={
                        "outcomes": {
                            ("wrong-key" if arm == WRONG_KEY_CONTROL else arm): outcome
                            for arm, outcome in row.outcomes.items()
                        }
                    }
                )
                for row in report.rows
            ],
        }
    )
    assert NULL_CONTROL in report.arms
    result = evaluate(GateInput(report=as_candidate, candidate="wrong-key", gate=policy.gate, cycle=1))
    return ControlVerdict(result.passed, result.verdicts[-1].message)
