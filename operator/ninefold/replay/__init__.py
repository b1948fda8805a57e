"""Candidates × held-out cases to paired outcomes. `docs/replay.md` has the contract of the endpoint.

`Endpoint` runs one case once, `Buyer` makes that safe and cheap, `Runner` interleaves arms over cases; what is pure
(order of cases, controls, the race) stands beside them.
"""

from ninefold.replay.buyer import Buyer
from ninefold.replay.cases import fresh, in_order
from ninefold.replay.controls import null_edit, wrong_key
from ninefold.replay.endpoint import Endpoint
from ninefold.replay.limiter import Limiter
from ninefold.replay.mode import Answer, PassingError, RejectedError, Replayer, Request, Usage, Walker
from ninefold.replay.probes import answers_are_told, probed
from ninefold.replay.proof import plan_of, prove
from ninefold.replay.racing import Race, race, survivors
from ninefold.replay.runner import Arm, Runner
from ninefold.replay.sandbox import Sandbox
from ninefold.replay.step import Sieve, Sifted, Stepper
from ninefold.replay.till import Cache, Till
from ninefold.replay.tournament import Selection, Tournament
from ninefold.replay.trajectory import Trajectory
from ninefold.replay.watch import ReplayFailure

__all__ = [
    "Answer",
    "Arm",
    "Buyer",
    "Cache",
    "Endpoint",
    "Limiter",
    "PassingError",
    "Race",
    "RejectedError",
    "ReplayFailure",
    "Replayer",
    "Request",
    "Runner",
    "Sandbox",
    "Selection",
    "Sieve",
    "Sifted",
    "Stepper",
    "Till",
    "Tournament",
    "Trajectory",
    "Usage",
    "Walker",
    "answers_are_told",
    "fresh",
    "in_order",
    "null_edit",
    "plan_of",
    "probed",
    "prove",
    "race",
    "survivors",
    "wrong_key",
]
