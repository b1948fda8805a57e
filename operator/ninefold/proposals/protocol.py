"""What a proposer is: evidence in, edits with receipts out. A proposer never sees a held-out case."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ninefold.api.edits import Edit, EditKind, Receipt
from ninefold.api.findings import AnalysisReport, Pattern
from ninefold.api.inputs import VersionContent
from ninefold.proposals.quoting import is_identifier, tool_of
from ninefold.versions import estimate_tokens


@dataclass(frozen=True)
class Evidence:
    """All that a proposer may look at.

    report: patterns and facts of the analysis bucket. stable: what candidates extend. delivery: how edits reach the
    agent; under Mount no edit may carry a condition. context_window: tokens that fit the agent's model, if known.
    intent_key: the metadata key on whose values a condition may stand. from_git: edits of the stable version that Git
    owns, which no candidate can take away.
    """

    report: AnalysisReport
    stable: VersionContent
    delivery: Literal["Mount", "Client"] = "Mount"
    context_window: int | None = None
    intent_key: str | None = None
    from_git: Sequence[Edit] = ()

    @property
    def tools(self) -> frozenset[str]:
        """Names of tools that the agent is known to have: those it called, and those that have a component."""
        decisions = [p.decision for p in self.report.patterns]
        called = {tool for d in decisions for tool in (d.tool, tool_of(d.better), tool_of(d.taken)) if tool}
        described = {name.removeprefix("tool.") for name in self.stable.components if name.startswith("tool.")}
        return frozenset(name for name in called | described if is_identifier(name))

    @property
    def spoken(self) -> tuple[str, ...]:
        """What the report quotes of traces: examples of calls, and errors."""
        examples = [p.decision.better_example for p in self.report.patterns if p.decision.better_example]
        return (*examples, *(error for p in self.report.patterns for error in p.errors))


@dataclass(frozen=True)
class Proposal:
    """Edits that belong together, in order, and a sentence for each edit that was considered and left out.

    Sentences are shown to people and kept: they quote no trace text.
    """

    edits: Sequence[Edit] = ()
    refused: Sequence[str] = ()
    tokens_spent: int = 0
    """Tokens of a model that writing the edits has cost."""
    removes: Sequence[str] = ()
    """Edits of the stable version that go, by `versions.edit_hash`. What Git owns stays all the same."""


class Proposer(Protocol):
    """One way to answer failure patterns with edits.

    Implement three things and name the class in the entry point group `ninefold.proposers` (it is made without
    arguments and asked after those of the house):

    - `name`: a DNS label such as `inject-facts`; it becomes the candidate's id and stands in receipts' evidence.
    - `kinds`: the kinds of edits that it may write. It is asked only when the policy allows at least one of them, and
      edits of kinds that the policy does not allow are left out of what it returns.
    - `propose`: returns one Proposal. Every edit carries a receipt (`receipt_for` makes one) with the id of a pattern
      of the report. Edits only add paragraphs; what they say is trace text only where it is a name (`quoting`).
      Nothing to propose is `Proposal()`; what could not be done is a sentence in `refused`. Do not raise for it.

    The caller checks every edit (`guards`), drops what the stable version already says or what contradicts an edit
    before it (`conflicts`), and builds candidates. Edits that take the place of a served one name it in `removes`.
    """

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[EditKind]: ...

    async def propose(self, evidence: Evidence) -> Proposal: ...


def conditions(pattern: Pattern, evidence: Evidence) -> list[dict[str, str] | None]:
    """The conditions of the edits that answer a pattern: `[None]` when it is found everywhere, one a value of the
    intent key when it is limited to some, and none at all when delivery cannot carry them."""
    if not pattern.intents:
        return [None]
    if evidence.intent_key is None or evidence.delivery == "Mount":
        return []
    return [{evidence.intent_key: intent} for intent in pattern.intents[:MAX_CONDITIONS] if len(intent) <= 512]


MAX_CONDITIONS = 8
"""Values of the intent key for which one pattern is answered."""


def receipt_for(pattern: Pattern, text: str, proposer: str, share: float = 1.0) -> Receipt:
    """The receipt of an edit whose words are `text`, that answers `share` (0..1) of a pattern."""
    return Receipt(
        pattern=pattern.id,
        summary=pattern.summary[:1024],
        evidence=[trace[:256] for trace in pattern.evidence[:10]],
        proposer=proposer,
        predicted_gain=round(pattern.predicted_gain * share, 6),
        tokens=estimate_tokens(text),
    )
