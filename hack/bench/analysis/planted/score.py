"""How well findings meet what was planted: recall and precision in the top ten, and decoys that were taken in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from bench.analysis.planted.causes import DECOYS, KINDS, Plan

TOP = 10
SHOWN = 0.8
"""Share of a finding's evidence in which the cause must have been at work."""


@dataclass(frozen=True)
class Finding:
    """What an analysis says, whatever its own words: a kind, every text that names the decision, and trace ids."""

    kind: str
    named: Sequence[str]
    blamed: str
    evidence: Sequence[str]


@dataclass(frozen=True)
class Score:
    """`hits` maps each finding's place to the cause that it found. A cause found twice counts once, as one hit."""

    recall: float
    precision: float
    decoys: tuple[str, ...]
    hits: Mapping[int, str]
    missed: tuple[str, ...]


def score(findings: Sequence[Finding], truth: pa.Table, plan: Plan) -> Score:
    """Score the first ten findings. A repeated, wrong or decoy finding lowers precision alike."""
    hits: dict[int, str] = {}
    decoys = []
    for place, finding in enumerate(findings[:TOP]):
        own = truth.filter(pc.is_in(truth["trace_id"], value_set=pa.array(list(finding.evidence), pa.string())))
        for cause in plan.causes:
            kinds, tools = KINDS[cause.kind]
            shown = (pc.sum(own[cause.name]).as_py() or 0) if own.num_rows else 0
            told = any(tool in text for tool in tools for text in finding.named)
            if told and finding.kind in kinds and own.num_rows and shown >= SHOWN * own.num_rows:
                hits[place] = cause.name
        if place not in hits:
            decoys += [d for d in sorted(plan.decoys) if any(tool in finding.blamed for tool in DECOYS[d])]
    found = set(hits.values())
    missed = tuple(c.name for c in plan.causes if c.name not in found)
    reported = min(TOP, len(findings))
    return Score(
        recall=len(found) / len(plan.causes) if plan.causes else 1.0,
        precision=len(found) / reported if reported else 1.0,
        decoys=tuple(decoys),
        hits=hits,
        missed=missed,
    )
