"""The ledger: what must outlive Redis, in one small ConfigMap per Agent.

Redis holds only what can be computed again. What can not, lives here: the highest version number ever given, which
version is stable and which were before it, quarantined hashes, how often the sealed cases were opened (each opening
spends a share of alpha) and what was spent. Every booking is idempotent by the run's UID, because
the operator may die after the write and plan it again.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ninefold.api import labels
from ninefold.api.artifacts import canonical
from ninefold.api.base import Hash10, Model, ShortText, VersionName
from ninefold.api.inputs import GainRecord
from ninefold.api.spending import Booked, Spending, Spent
from ninefold.versions.errors import SealedAlreadyOpened, TamperedVersion
from ninefold.versions.version import number_of

KEY = "ledger.json"
KEPT_STABLES = 20
KEPT_RUNS = 50
KEPT_QUARANTINE = 1000
KEPT_GAINS = 100


class SealedOpening(Model):
    """One use of the sealed cases."""

    run_uid: ShortText
    candidate: Hash10 = Field(description="Hash of the candidate that was frozen before they were opened.")
    cycle: int = Field(ge=1, description="Its number in the life of the Agent; sets the share of alpha.")
    alpha: float | None = Field(None, ge=0, le=1, description="Error rate that this opening spent.")
    window_end: ShortText | None = Field(None, description="End of the run's window: no later trace was among them.")


class RunCalls(Model):
    """What one run has paid, by stage: its replay calls, and all that it spent, by purpose and by day."""

    run_uid: ShortText
    calls: dict[ShortText, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    spent: dict[ShortText, Spending] = Field(default_factory=dict)


class Ledger(Model):
    """Values only: every method returns the ledger that is to be written."""

    schema_version: int = 1
    last_number: int = Field(0, ge=0, description="Highest N that was ever given.")
    stable: VersionName | None = Field(None, description="The version that agents are meant to read.")
    history: list[VersionName] = Field(default_factory=list, description="Stable versions before it, newest first.")
    quarantine: list[Hash10] = Field(default_factory=list, description="Hashes that must not be served again.")
    cycles: int = Field(0, ge=0, description="Openings of the sealed cases, ever.")
    sealed: list[SealedOpening] = Field(default_factory=list, description="The newest openings, oldest first.")
    replay_calls: int = Field(0, ge=0, description="Replay calls paid, ever.")
    runs: list[RunCalls] = Field(default_factory=list, description="What the newest runs paid, oldest first.")

    gains: list[GainRecord] = Field(default_factory=list, description="What replays made of predictions, oldest first.")

    def numbered(self, number: int) -> "Ledger":
        """With a number that was given out."""
        return self.model_copy(update={"last_number": max(self.last_number, number)})

    def promoted(self, name: str) -> "Ledger":
        """With `name` as the stable version; the one before it opens the history."""
        if name == self.stable:
            return self
        before = [self.stable] if self.stable else []
        history = [v for v in before + self.history if v != name][:KEPT_STABLES]
        return self.model_copy(update={"stable": name, "history": history}).numbered(number_of(name))

    def quarantined(self, hash10: str) -> "Ledger":
        """With a hash that must not be served again."""
        if hash10 in self.quarantine:
            return self
        return self.model_copy(update={"quarantine": [*self.quarantine, hash10][-KEPT_QUARANTINE:]})

    def open_sealed(
        self, run_uid: str, candidate_hash: str, alpha: float | None = None, window_end: str | None = None
    ) -> "tuple[Ledger, int]":
        """Book one use of the sealed cases; returns the ledger and the number of the cycle.

        `window_end` is that of the run's traces: no trace that started later was among them.

        The same run and candidate get the number they got before. Raises SealedAlreadyOpened when the run comes with
        another candidate: one candidate is frozen before the sealed cases are opened.
        """
        for opening in self.sealed:
            if opening.run_uid == run_uid:
                if opening.candidate != candidate_hash:
                    raise SealedAlreadyOpened(
                        f"This run opened the sealed cases for candidate {opening.candidate} and cannot open them "
                        f"for {candidate_hash}: start another run."
                    )
                return self, opening.cycle
        cycle = self.cycles + 1
        opening = SealedOpening(
            run_uid=run_uid, candidate=candidate_hash, cycle=cycle, alpha=alpha, window_end=window_end
        )
        return self.model_copy(update={"cycles": cycle, "sealed": [*self.sealed, opening][-KEPT_RUNS:]}), cycle

    def last_opened(self, candidate_hash: str | None = None, but: str | None = None) -> str | None:
        """Until when traces were among opened sealed cases: for this candidate, or ever; runs other than `but`."""
        found = [
            opening.window_end
            for opening in self.sealed
            if opening.window_end is not None and opening.run_uid != but and candidate_hash in (None, opening.candidate)
        ]
        return max(found, default=None)

    def paid(self, run_uid: str, stage: str, calls: int) -> "Ledger":
        """Book the replay calls that a stage of a run has paid so far, counted from the start of the stage.

        A smaller number than the one booked changes nothing: an artifact that was computed again from the cache
        paid less, but what was paid stays paid.
        """
        booked = self._calls(run_uid)
        more = calls - booked.get(stage, 0)
        if more <= 0:
            return self
        entry = self._run(run_uid).model_copy(update={"calls": {**booked, stage: calls}})
        return self._with(entry).model_copy(update={"replay_calls": self.replay_calls + more})

    def paid_by(self, run_uid: str) -> int:
        """Replay calls that are booked for a run."""
        return sum(self._calls(run_uid).values())

    def spent(self, run_uid: str, stage: str, spending: Spending) -> "Ledger":
        """Book what a stage of a run has spent so far, counted from its start: of every amount the largest stays."""
        entry = self._run(run_uid)
        before = entry.spent.get(stage, Spending())
        after = Spending(
            lines=_larger(before.lines, spending.by_purpose()),
            days=_larger(before.days, spending.days),
        )
        return (
            self if after == before else self._with(entry.model_copy(update={"spent": {**entry.spent, stage: after}}))
        )

    def booked(self, run_uid: str, days: Iterable[str]) -> Booked:
        """What a run has spent by stage and purpose, and all runs together on these days."""
        by_day: dict[str, Spent] = {}
        for spending in (spending for run in self.runs for spending in run.spent.values()):
            for day in days:
                by_day[day] = by_day.get(day, Spent()) + spending.days.get(day, Spent())
        return Booked(
            stages={stage: spending.lines for stage, spending in self._run(run_uid).spent.items()},
            days={day: spent for day, spent in by_day.items() if spent != Spent()},
        )

    def spent_by(self, run_uid: str) -> Spending:
        """What a run has spent in all its stages, by purpose and by day."""
        whole = Spending()
        for one in self._run(run_uid).spent.values():
            whole = Spending(lines=_sum(whole.lines, one.lines), days=_sum(whole.days, one.days))
        return whole

    def measured(self, records: Sequence[GainRecord]) -> "Ledger":
        """With what a run's replay made of predictions; the same run again replaces what it said before."""
        if not records:
            return self
        others = [g for g in self.gains if g.run_uid != records[0].run_uid]
        return self.model_copy(update={"gains": [*others, *records][-KEPT_GAINS:]})

    def _calls(self, run_uid: str) -> dict[str, int]:
        return dict(self._run(run_uid).calls)

    def _run(self, run_uid: str) -> RunCalls:
        return next((r for r in self.runs if r.run_uid == run_uid), RunCalls(run_uid=run_uid))

    def _with(self, entry: RunCalls) -> "Ledger":
        others = [r for r in self.runs if r.run_uid != entry.run_uid]
        return self.model_copy(update={"runs": [*others, entry][-KEPT_RUNS:]})


def _larger(one: dict[str, Spent], other: dict[str, Spent]) -> dict[str, Spent]:
    return {name: one.get(name, Spent()).at_least(other.get(name, Spent())) for name in {**one, **other}}


def _sum(one: dict[str, Spent], other: dict[str, Spent]) -> dict[str, Spent]:
    return {name: one.get(name, Spent()) + other.get(name, Spent()) for name in {**one, **other}}


def next_number(existing: Iterable[int], ledger: Ledger) -> int:
    """One more than the highest number ever given, so that a deleted version's name never comes back."""
    return max([ledger.last_number, *existing], default=0) + 1


def ledger_name(agent_name: str) -> str:
    return f"{agent_name}-ledger"


def ledger_configmap(
    agent_name: str,
    namespace: str,
    ledger: Ledger,
    *,
    owner: dict[str, Any] | None = None,
    resource_version: str | None = None,
) -> dict[str, Any]:
    """The ledger's ConfigMap. `resource_version` makes the write conditional on what was read."""
    metadata: dict[str, Any] = {
        "name": ledger_name(agent_name),
        "namespace": namespace,
        "labels": {labels.AGENT: agent_name, labels.ROLE: "ledger", labels.MANAGED_BY: labels.MANAGER},
    }
    if owner:
        metadata["ownerReferences"] = [owner]
    if resource_version:
        metadata["resourceVersion"] = resource_version
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {KEY: canonical(ledger.wire()).decode()},
    }


def read_ledger(configmap: dict[str, Any] | None) -> Ledger:
    """The ledger in a ConfigMap; an empty one when there is none. Raises TamperedVersion when it does not parse:
    an empty ledger in its place would spend alpha and money twice."""
    if configmap is None:
        return Ledger()
    name = configmap["metadata"]["name"]
    try:
        return Ledger.model_validate_json((configmap.get("data") or {}).get(KEY) or "")
    except ValidationError as error:
        raise TamperedVersion(
            f"ConfigMap {name} does not hold a ledger under {KEY} ({error.error_count()} errors): restore it from a "
            f"backup, or delete it to start a new one that counts money and alpha from zero."
        ) from None
