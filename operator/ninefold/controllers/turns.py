"""Jobs that are repeated: which turn is due follows from a status alone, and a Job's name follows from the turn.

So a Job that was created before the process died is found again, and one whose result is in the status is over: the
status names the next turn. After a good one comes the usual pause, after failures pauses that begin with a minute and
double.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ninefold.api.artifacts import Artifact
from ninefold.controllers.actions import Action, Delete, Manifest
from ninefold.controllers.artifacts import Refused
from ninefold.controllers.jobstate import Broken, Done, JobState, patient
from ninefold.controllers.objects import newest_last, parse_time, ref_of

FIRST_PAUSE = timedelta(minutes=1)
"""After the first failure; doubles with each further one, up to the longest."""


@dataclass(frozen=True)
class Turn:
    """One Job: its id (part of the Job's name and of the artifact's key), and when it is due."""

    id: str
    due: datetime


@dataclass(frozen=True)
class Failure:
    """Why a turn came to nothing. `permanent`: a user must mend it."""

    reason: str
    message: str
    permanent: bool
    at: datetime


def next_turn(base: str, ended: str, failed: int, usual: timedelta, longest: timedelta) -> Turn:
    """The one after a Job that ended at this time. `failed`: failures in a row, its own included."""
    pause = min(FIRST_PAUSE * 2 ** min(failed - 1, 16), longest) if failed else usual
    due = parse_time(ended) + pause
    return Turn(f"{base}-{int(due.timestamp())}", due)


def failure_of(state: JobState, report: Artifact | Refused | None, now: datetime) -> Failure | None:
    """The failure that a Job's state tells, with what became of its result; None while it may still come to one."""
    state = patient(state, now)
    if isinstance(state, Broken):
        return Failure(state.error.reason, state.error.message, state.error.permanent, state.at)
    if isinstance(state, Done) and isinstance(report, Refused):
        return Failure(report.reason, report.message, report.reason == "ArtifactVersion", state.at)
    return None


def leftovers(jobs: Sequence[Manifest], inputs: Sequence[Manifest], keep: str | None) -> tuple[Action, ...]:
    """Deletes Jobs of turns before this one, and inputs that none of the kept Jobs mounts."""
    stale = [job for job in newest_last(jobs) if job["metadata"]["name"] != keep]
    kept = [job for job in jobs if job not in stale]
    mounted = {
        volume["configMap"]["name"]
        for job in kept
        for volume in job["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    }
    unused = [cm for cm in inputs if cm["metadata"]["name"] not in mounted]
    return tuple(Delete(ref_of(manifest)) for manifest in [*stale, *unused])
