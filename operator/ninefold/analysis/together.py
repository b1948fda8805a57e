"""Parts put together: what one part of all their traces would hold, in an order that depends on none of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis import sample
from ninefold.analysis.clusters import Numbers, cluster
from ninefold.analysis.decisions.merging import Merged, merge
from ninefold.analysis.judged import BUCKETS, ROWS, in_order
from ninefold.analysis.part import Counts, Part
from ninefold.analysis.sample import Sample


@dataclass(frozen=True)
class Whole:
    """All judged traces. `clusters` has a name a row; `coded` a sequence for every row of the analysis bucket."""

    rows: pa.Table
    clusters: Numbers
    coded: Merged
    sample: Sample
    openings: list[dict[str, object]]
    counts: Counts

    @property
    def mine(self) -> pa.Array:
        """Which rows are of the analysis bucket."""
        return pc.equal(self.rows["bucket"], BUCKETS.index("analysis"))


def together(slices: Iterable[Part]) -> Whole:
    """A trace that several parts hold counts once. Raises ValueError for parts of different settings.

    Parts are taken one by one; of their samples no more is held than may be in that of all.
    """
    parts = list[Part]()
    for part in slices:
        parts.append(part)
        if sum(p.sample.traces.num_rows for p in parts) > 2 * sample.READ:
            few = sample.smallest([p.sample for p in parts])
            parts = [replace(p, sample=own) for p, own in zip(parts, few, strict=True)]
    if len({part.settings for part in parts}) > 1:
        raise ValueError(
            "parts of an analysis were made under different settings (task key, intent key, success or number of "
            "cases): read the slices of traces again"
        )
    parts, twice = _once(parts)
    rows = pa.concat_tables([ROWS.empty_table(), *(p.rows for p in parts)])
    merged = merge([p.coded for p in parts])
    order, mine = in_order(rows), rows["bucket"].to_numpy() == BUCKETS.index("analysis")
    place = np.cumsum(mine) - 1
    rows = rows.take(order)
    counts = sum((p.counts for p in parts), Counts())
    if twice:
        counts = replace(counts, losses=counts.losses + Counter(duplicate_traces=twice))
    return Whole(
        rows=rows,
        clusters=cluster(rows),
        coded=Merged(merged.sequences.take(pa.array(place[order[mine[order]]])), merged.symbols),
        sample=sample.union([p.sample for p in parts]),
        openings=[row for p in parts for row in p.openings.to_pylist()],
        counts=counts,
    )


def cluster_names(whole: Whole, ids: Sequence[str]) -> dict[str, str]:
    """Clusters of some traces by the smallest session in each, which is what a case is told."""
    rows, wanted = whole.rows, pa.array(ids, pa.string())
    mine = np.asarray(pc.is_in(rows["trace_id"], value_set=wanted))
    own = rows.filter(pa.array(np.isin(whole.clusters, whole.clusters[mine])))
    labels = whole.clusters[np.isin(whole.clusters, whole.clusters[mine])]
    sessions = pc.coalesce(own["session_id"], own["trace_id"]).to_pylist()
    smallest: defaultdict[int, list[str]] = defaultdict(list)
    for label, session in zip(labels.tolist(), sessions, strict=True):
        smallest[label] = [min([*smallest[label], session])]
    found = zip(own["trace_id"].to_pylist(), labels.tolist(), strict=True)
    chosen = set(ids)
    return {trace: f"session={smallest[label][0]}" for trace, label in found if trace in chosen}


def _once(parts: Sequence[Part]) -> tuple[list[Part], int]:
    """Parts that share no trace, and how many traces were dropped for it: of two, the one with more steps stays."""
    kept = list(parts)
    keys = np.concatenate([np.zeros(0, np.uint64), *(p.rows["key"].to_numpy() for p in kept)])
    distinct, times = np.unique(keys, return_counts=True)
    if len(distinct) == len(keys):
        return kept, 0
    shared = pa.array(distinct[times > 1])
    best: dict[str, tuple[tuple[int, str], int]] = {}
    holders: defaultdict[str, set[int]] = defaultdict(set)
    for i, part in enumerate(kept):
        for row in part.rows.filter(pc.is_in(part.rows["key"], value_set=shared)).to_pylist():
            holders[row["trace_id"]].add(i)
            rank = row["steps"], repr(sorted(row.items()))
            if row["trace_id"] not in best or rank > best[row["trace_id"]][0]:
                best[row["trace_id"]] = rank, i
    dropped: defaultdict[int, list[str]] = defaultdict(list)
    for trace, own in holders.items():
        for i in own - {best[trace][1]}:
            dropped[i].append(trace)
    out = [p.without(pa.array(sorted(dropped[i]), pa.string())) if i in dropped else p for i, p in enumerate(kept)]
    return out, sum(map(len, dropped.values()))
