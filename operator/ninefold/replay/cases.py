"""Which held-out cases are replayed, and in which order: by hash, never by outcome of any arm.

Cases are stratified by intent and by what worked in history, so that every beginning of the order is a small picture of
the whole: a replay that ends early (budget, elimination rounds) has still seen all kinds in their shares. Within a
stratum the order is that of a hash of the case's id, which nobody who writes candidates can choose.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from ninefold.api.artifacts import sha256
from ninefold.api.cases import Case


def in_order(cases: Iterable[Case]) -> list[Case]:
    """All cases in the order in which they are replayed; the same for the same cases, however they came."""
    strata: dict[tuple[str | None, bool], list[Case]] = defaultdict(list)
    for case in cases:
        strata[case.intent, case.succeeded].append(case)
    placed = []
    for stratum in strata.values():
        stratum.sort(key=lambda case: unit_hash(case.case_id))
        # The k-th of n cases is due when this share of all cases has been taken; the offset is a case's own hash, so
        # small strata do not all stand at the front.
        placed += [((k + unit_hash(case.case_id)) / len(stratum), case) for k, case in enumerate(stratum)]
    return [case for _, case in sorted(placed, key=lambda pair: (pair[0], pair[1].case_id))]


def fresh(cases: Iterable[Case], since: str) -> list[Case]:
    """The cases whose traces started after a moment (RFC 3339). Of one without a time nobody knows: it is not fresh."""
    moment = datetime.fromisoformat(since).timestamp()
    return [case for case in cases if case.started is not None and case.started > moment]


def unit_hash(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int(sha256(text.encode("utf-8", "surrogatepass"))[:13], 16) / 16**13
