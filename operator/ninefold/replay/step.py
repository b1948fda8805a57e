"""Step: the agent's model makes one decision after a recorded beginning, and candidates that do not move it leave.

A whole run of a case costs a call of the endpoint, or of the model for every step; a decision costs one. An edit is
written to move one: at the decision point of its pattern, away from the losing choice. So before the race baseline and
candidate are asked for the next call there, after the same recorded calls, in cases of history that took the losing
choice (one a cluster). A case says 1 where the candidate alone makes the better choice, -1 where the baseline alone
does, and nothing where either does a third thing (`places`): unsupported actions are unknown.

**It can only throw out.** A candidate leaves when for every pattern that it answers it is refuted that the decision is
moved by `LEAST_SHIFT`, by a betting confidence sequence (`ninefold.betting`) that may be looked at after each case. One
that does move a decision by that much, in cases in which both choices are known, is thrown out with a probability of
at most `ALPHA` over all candidates and looks together: each candidate has its share of `ALPHA`, and must be refuted at
the one it moves. What cannot be tried stays: facts and examples (they change what is said in a call, not which call it
is), patterns without a better choice or a place, and decisions that the baseline takes well already, for there is no
room to move. Nothing of it is an outcome: it is in no row, gate, receipt or nine.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ninefold.api.candidates import Candidate
from ninefold.api.cases import Case, RecordedCall
from ninefold.api.findings import Decision, Pattern
from ninefold.api.inputs import VersionContent
from ninefold.api.outcomes import BASELINE, Screened
from ninefold.api.replaying import AgentTool
from ninefold.betting import refuted_after, stakes_for
from ninefold.replay.mode import Ask, PassingError, RejectedError, Usage
from ninefold.replay.places import chose, is_action, place, words_of
from ninefold.replay.till import Till
from ninefold.replay.trajectory import next_turn, offered, spoken, system_prompt
from ninefold.spending import BudgetSpentError, What
from ninefold.versions import extended, rendered

if TYPE_CHECKING:
    from ninefold.llm import Completions

ALPHA = 0.05
"""Chance that any candidate is thrown out which does move a decision of its own by `LEAST_SHIFT`."""
LEAST_SHIFT = 0.2
"""Share of the cases at a decision that an edit must move to the better choice."""
STEPPED_KINDS = frozenset({"Refine", "Tool", "Fallback"})

Calls = list[tuple[str, str]]
Decide = Callable[[Case, int, dict[str, str], str], Awaitable[Calls | None]]
"""(case, recorded calls before the decision, rendered components, arm) -> tool and arguments of each call of the next
answer; None where there was no answer. Raises BudgetSpentError."""


class Stepper:
    """A `Decide`: asks the agent's model at the till. `scope` as for a `Buyer`."""

    def __init__(self, model: "Completions", tools: Sequence[AgentTool], till: Till, *, scope: str, seed: int) -> None:
        self._model, self._tools, self._till, self._scope, self._seed = model, list(tools), till, scope, seed

    async def __call__(self, case: Case, before: int, components: dict[str, str], arm: str) -> Calls | None:
        messages = [{"role": "system", "content": system_prompt(components)}, *spoken(case.input)]
        for number, call in enumerate(case.recorded[:before]):
            messages += _happened(f"recorded-{number}", call)
        body = self._model.body(messages, [offered(tool, components) for tool in self._tools], self._seed)

        async def buy(key: Any, guess: Usage, ask: Ask) -> Any:
            # The same body is another call than that of a whole run: what is paid here is named in the spending.
            named = {"scope": self._scope, "replayer": {"mode": "Step", "url": self._model.url}, "call": key}
            return await self._till.buy(named, What("replay", f"step:{arm}"), guess, ask)

        try:
            turn = await next_turn(self._model, {"case": case.case_id, "body": body}, body, buy)
        except (PassingError, RejectedError):
            return None
        return [(call.name, call.arguments) for call in turn.calls]


def _happened(name: str, call: RecordedCall) -> list[dict[str, Any]]:
    function = {"name": call.tool, "arguments": call.arguments or "{}"}
    asked = {"id": name, "type": "function", "function": function}
    return [
        {"role": "assistant", "content": "", "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": name, "content": call.result},
    ]


@dataclass(frozen=True)
class Sifted:
    """`kept`: the candidates that race on. `screened`: what was seen of those that were tried."""

    kept: list[Candidate]
    screened: list[Screened]
    refused: Sequence[str] = ()
    """Why candidates do not race, as sentences, where that is known."""

    @property
    def told(self) -> list[str]:
        """A sentence for each candidate that was thrown out."""
        kept = {one.id for one in self.kept}
        return [
            f"{one.candidate} left out: on {one.known} recorded beginnings it moves the decision of pattern "
            f"{one.pattern} by {one.moved * 100:+.0f} points, and {LEAST_SHIFT * 100:.0f} are refuted"
            for one in self.screened
            if one.refuted and one.candidate not in kept
        ]


class Sieve:
    """Single steps before one race. `most`: cases of a candidate and pattern, at most. `by_metadata` as a Runner's."""

    def __init__(
        self, decide: Decide, stable: VersionContent, patterns: Sequence[Pattern], *, most: int, by_metadata: bool
    ) -> None:
        self._decide, self._stable, self._most, self._by_metadata = decide, stable, most, by_metadata
        self._patterns: Mapping[str, Pattern] = {one.id: one for one in patterns}

    async def sift(self, candidates: Sequence[Candidate], cases: Sequence[Case]) -> Sifted:
        """The candidates without those that are refuted, in their order; none leaves for lack of budget."""
        tried = {one.id: answered for one in candidates if (answered := self._answered(one))}
        kept, screened = list(candidates), list[Screened]()
        try:
            for one in candidates:
                seen = [await self._tried(one, p, cases, ALPHA / len(tried)) for p in tried.get(one.id, ())]
                screened += seen
                if seen and all(found.refuted for found in seen):
                    kept.remove(one)
        except BudgetSpentError:
            pass  # what is left of the budget says so again, when the race asks for its first case
        return Sifted(kept, screened)

    def _answered(self, candidate: Candidate) -> list[Pattern]:
        """The patterns that a candidate answers; empty when any of its edits is nothing that a step could show."""
        found: dict[str, Pattern] = {}
        for edit in candidate.edits:
            pattern = self._patterns.get(edit.receipt.pattern or "") if edit.receipt else None
            if edit.kind not in STEPPED_KINDS or pattern is None or pattern.decision.better is None:
                return []
            found[pattern.id] = pattern
        return [] if candidate.removes else list(found.values())

    async def _tried(self, candidate: Candidate, pattern: Pattern, cases: Sequence[Case], alpha: float) -> Screened:
        content = extended(self._stable, candidate.edits)
        decision, brought = pattern.decision, words_of([edit.text for edit in candidate.edits])
        pairs: list[tuple[bool, bool]] = []
        asked, refuted = 0, False
        for case, before in _beginnings(pattern, cases):
            prompts = [rendered(one, case.metadata if self._by_metadata else None) for one in (self._stable, content)]
            if prompts[0] == prompts[1]:
                continue
            if asked == self._most:
                break
            asked += 1
            ours = await self._decide(case, before, prompts[1], candidate.id)
            theirs = await self._decide(case, before, prompts[0], BASELINE)
            chosen = (_chosen(decision, theirs, ()), _chosen(decision, ours, brought))
            if chosen[0] is None or chosen[1] is None:
                continue
            pairs.append((chosen[0], chosen[1]))
            if refuted := self._refuted(pairs, alpha):
                break
        return Screened(
            candidate=candidate.id,
            pattern=pattern.id,
            cases=asked,
            known=len(pairs),
            baseline=fmean(theirs for theirs, _ in pairs) if pairs else 0.0,
            moved=fmean(ours - theirs for theirs, ours in pairs) if pairs else 0.0,
            refuted=refuted,
        )

    def _refuted(self, pairs: Sequence[tuple[bool, bool]], alpha: float) -> bool:
        """Whether the decision is moved by less than `LEAST_SHIFT`, and there was room to move it by more."""
        if fmean(theirs for theirs, _ in pairs) > 1 - 2 * LEAST_SHIFT:
            return False
        lost = [float(theirs - ours) for theirs, ours in pairs]
        return refuted_after(lost, -LEAST_SHIFT, alpha, stakes_for(self._most, alpha)) is not None


def _chosen(decision: Decision, calls: Calls | None, brought: Sequence[str] | set[str]) -> bool | None:
    return None if calls is None else chose(decision, calls, brought)


def _beginnings(pattern: Pattern, cases: Sequence[Case]) -> list[tuple[Case, int]]:
    """The first case of each cluster that came to the decision and did not choose the better, with its place."""
    found: dict[str, tuple[Case, int]] = {}
    for case in cases:
        if pattern.intents and case.intent not in pattern.intents:
            continue
        before = place(pattern.decision, case.recorded)
        if before is None or before >= len(case.recorded):
            continue
        made = case.recorded[before]
        if not is_action(pattern.decision.better or "", made.tool, made.arguments):
            found.setdefault(case.cluster, (case, before))
    return list(found.values())
