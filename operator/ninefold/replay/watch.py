"""Notices that a replay has become pointless, before it has spent its budget on errors.

Two signs: the first cases all fail alike with an error that only a user can mend (a wrong URL, key or score), or case
after case stays without any answer. Cases are counted, not calls: one case that the endpoint does not know fails under
every arm.
"""

from collections import defaultdict
from collections.abc import Mapping

from ninefold.api.agent import Success

ALIKE_CASES = 5
"""Distinct cases that must fail with one and the same error, before any succeeded, to blame the set-up."""
SILENT_CASES = 10
"""Distinct cases in a row that must remain without an answer, after all retries, to call the endpoint down."""

JUDGE_ADVICE = (
    "check that its endpoint in spec.success.judges of the Agent runs, that its key is let in, and that maxTokens is "
    "not spent"
)

_BLAME = {
    401: ("EndpointUnauthorized", "check {key} of the Agent"),
    403: ("EndpointUnauthorized", "check {key} of the Agent, and what its key may do"),
    404: ("EndpointNotFound", "check the path in {url} of the Agent, and that it knows these cases"),
    405: ("EndpointNotFound", "check that {url} of the Agent takes POST"),
}
ENDPOINT = {"url": "spec.replay.endpoint.url", "key": "spec.replay.endpoint.apiKeySecretRef"}
MODEL = {"url": "spec.model.endpoint", "key": "spec.model.apiKeySecretRef"}
"""Where a user finds what the message blames: of the staging endpoint, or of the model behind the agent."""


class ReplayFailure(Exception):
    """The replay as a whole cannot go on. `permanent`: only a user can mend it."""

    def __init__(self, reason: str, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.permanent = permanent


class Watch:
    """One replay's watch. `name` is the host of the endpoint, and `fields` where it is named, for the sentence."""

    def __init__(self, name: str, fields: Mapping[str, str] = ENDPOINT) -> None:
        self._name, self._fields = name, fields
        self._answered = False
        self._alike: dict[str, set[str]] = defaultdict(set)
        self._silent: set[str] = set()
        self._unjudged: set[str] = set()

    def answered(self) -> None:
        """An outcome came: the set-up is right, and the endpoint is up."""
        self._answered = True
        self._silent.clear()
        self._unjudged.clear()

    def rejected(self, case_id: str, status: int) -> None:
        """The endpoint answered with an error. Raises ReplayFailure when all the first cases did, and alike."""
        self._silent.clear()
        if status in _BLAME:
            blame, advice = _BLAME[status]
            self._blame(case_id, blame, f"answered HTTP {status}", advice.format(**self._fields))

    def unreadable(self, case_id: str, reason: str) -> None:
        """It answered, but not by the contract."""
        self._silent.clear()
        self._blame(case_id, "BadAnswers", f"answered, but {reason}", "docs/replay.md has the contract")

    def ungraded(self, case_id: str, why: str, success: Success) -> None:
        """It answered, and nothing of the answer says whether that was a success."""
        self._silent.clear()
        if success.rules or success.judges is not None:
            advice = "let it return its final output, or check what spec.success of the Agent names"
            self._blame(case_id, "NothingGraded", f"returned nothing that can be graded ({why})", advice)
            return
        advice = "let it return that score, or name another in spec.success.score of the Agent"
        self._blame(case_id, "NoSuchScore", f"returned no score named {success.score}", advice)

    def unjudged(self, case_id: str) -> None:
        """The endpoint answered, and the judge did not. Raises ReplayFailure when case after case is so."""
        self._silent.clear()
        self._unjudged.add(case_id)
        if len(self._unjudged) >= SILENT_CASES:
            message = f"the judge gave no verdict on {SILENT_CASES} cases in a row: {JUDGE_ADVICE}"
            raise ReplayFailure("JudgeUnavailable", message, permanent=False)

    def silent(self, case_id: str, reason: str) -> None:
        """No answer in spite of all retries. Raises ReplayFailure when case after case is so."""
        self._silent.add(case_id)
        if len(self._silent) >= SILENT_CASES:
            message = (
                f"the replay endpoint at {self._name} gave no answer to {SILENT_CASES} cases in a row "
                f"(last: {reason}): check that it runs and can be reached from the Job's pod"
            )
            raise ReplayFailure("EndpointUnavailable", message, permanent=False)

    def _blame(self, case_id: str, reason: str, what: str, advice: str) -> None:
        if self._answered:
            return
        self._alike[what].add(case_id)
        if len(self._alike[what]) >= ALIKE_CASES:
            message = f"the replay endpoint at {self._name} {what} for each of the first {ALIKE_CASES} cases: {advice}"
            raise ReplayFailure(reason, message, permanent=True)
