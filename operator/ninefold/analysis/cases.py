"""Held-out cases: the openings of traces that neither patterns nor facts have seen, to be run again."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from ninefold.analysis.episodes import Opening
from ninefold.api.artifacts import Case, CaseSet
from ninefold.traces.buckets import unit_hash


def case_set(bucket: Literal["selection", "sealed"], openings: Sequence[Opening], limit: int) -> CaseSet:
    """The cases of a bucket in the order of their ids; above `limit` a stratified sample, always the same.

    Strata are intent and historical outcome; each gives its share, and within it a hash of the trace id decides.
    Traces without recorded input cannot be run again and must have been left out before.
    """
    strata: defaultdict[tuple[str, bool], list[Opening]] = defaultdict(list)
    for opening in openings:
        strata[opening.intent or "", opening.solved].append(opening)
    ranked: list[tuple[float, str, Opening]] = []
    for group in strata.values():
        group.sort(key=lambda o: unit_hash(o.trace_id, b"cases"))
        # The n-th of a stratum stands at the same height as the n-th of an equally large one: a cut takes equal shares.
        ranked += (((i + 0.5) / len(group), o.trace_id, o) for i, o in enumerate(group))
    chosen = sorted(ranked, key=lambda r: (r[0], r[1]))[:limit]
    return CaseSet(bucket=bucket, cases=[_case(o) for _, _, o in sorted(chosen, key=lambda r: r[1])])


def _case(opening: Opening) -> Case:
    return Case(
        case_id=opening.trace_id,
        cluster=opening.cluster,
        intent=opening.intent,
        input=opening.input,
        metadata=opening.metadata,
        succeeded=opening.solved,
    )
