"""What a pair and a cluster are: the one helper behind the race (`ninefold.replay`) and the gate (`ninefold.gate`).

A pair is one case with a known outcome under both arms. Cases of one cluster (the larger of session and task) are not
independent, so the unit of every statistic is the *cluster mean* of the paired differences: each cluster counts once,
however many cases it brings, and lies in [-1, 1]. An unknown outcome (`success` None) is missing data: its pair is left
out and counted, never taken as a pass or a failure. Clusters stand in the order of a hash of their names: a sequential
test reads them in order, and nobody who writes candidates or replays them can choose this one. Pure; standard library
only.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

from ninefold.api.artifacts import sha256
from ninefold.api.outcomes import BASELINE, Outcome, ReplayRow

UNKNOWN = Outcome(success=None, error="not replayed")


@dataclass(frozen=True)
class Sample:
    """Paired outcomes of one arm against a reference arm.

    `planned` is the number of clusters among all replayed cases, with or without outcomes. `reference` and `success`
    are success rates in 0..1 and `means` the differences (arm minus reference, in [-1, 1]), all with one entry or
    weight a cluster, so that `success - reference` is the mean of `means`. Rates are 0 when there is no pair.
    `tokens_*` are sums over the pairs in which both arms report usage; `errors` the commonest reasons of unknown
    outcomes.
    """

    arm: str
    replayed: int
    planned: int
    pairs: int
    means: tuple[float, ...]
    reference: float
    success: float
    unknown_arm_only: int
    unknown_reference_only: int
    tokens_arm: int
    tokens_reference: int
    errors: tuple[tuple[str, int], ...]

    @property
    def clusters(self) -> int:
        return len(self.means)

    @property
    def gain(self) -> float:
        """Mean over clusters of the paired difference; 0 when there is no pair."""
        return _mean(list(self.means))

    @property
    def missing(self) -> float:
        """Share of the replayed cases without an outcome in both arms; 1 when nothing was replayed."""
        return 1 - self.pairs / self.replayed if self.replayed else 1.0


Pair = tuple[Outcome, Outcome]


def paired(rows: Iterable[ReplayRow], arm: str, reference: str = BASELINE, planned: int | None = None) -> Sample:
    """Pairs of `arm` against `reference`, by cluster in the order of the clusters' hashes.

    `planned`: clusters that were to be replayed, where a replay may have stopped early; else those of the rows.
    """
    rows = list(rows)
    clusters = _clusters(rows, arm, reference)
    pairs = [pair for cluster in clusters for pair in cluster]
    counted = [(ours, theirs) for ours, theirs in pairs if ours.tokens and theirs.tokens]
    both = [(row.outcomes.get(arm, UNKNOWN), row.outcomes.get(reference, UNKNOWN)) for row in rows]
    errors = Counter(o.error or "no outcome" for pair in both for o in pair if o.success is None)
    return Sample(
        arm=arm,
        replayed=len(rows),
        planned=planned or len({row.cluster for row in rows}),
        pairs=len(pairs),
        means=cluster_means(rows, arm, reference, success),
        reference=_mean([fmean(success(theirs) for _, theirs in cluster) for cluster in clusters]),
        success=_mean([fmean(success(ours) for ours, _ in cluster) for cluster in clusters]),
        unknown_arm_only=sum(ours.success is None and theirs.success is not None for ours, theirs in both),
        unknown_reference_only=sum(ours.success is not None and theirs.success is None for ours, theirs in both),
        tokens_arm=sum(ours.tokens for ours, _ in counted),
        tokens_reference=sum(theirs.tokens for _, theirs in counted),
        errors=tuple(errors.most_common(3)),
    )


def cluster_means(
    rows: Iterable[ReplayRow], arm: str, reference: str, figure: Callable[[Outcome], int]
) -> tuple[float, ...]:
    """Mean of `figure(arm) - figure(reference)` over the pairs of each cluster, in the order of the clusters' hashes.

    One division of whole numbers a cluster, so equal shares are equal floats.
    """
    clusters = _clusters(rows, arm, reference)
    return tuple(sum(figure(ours) - figure(theirs) for ours, theirs in c) / len(c) for c in clusters)


def success(outcome: Outcome) -> int:
    """1 for a known success, else 0; only asked of outcomes that are known."""
    return int(bool(outcome.success))


def _clusters(rows: Iterable[ReplayRow], arm: str, reference: str) -> list[list[Pair]]:
    clusters: dict[str, list[Pair]] = defaultdict(list)
    for row in rows:
        ours, theirs = row.outcomes.get(arm, UNKNOWN), row.outcomes.get(reference, UNKNOWN)
        if ours.success is not None and theirs.success is not None:
            clusters[row.cluster].append((ours, theirs))
    return [clusters[name] for name in sorted(clusters, key=cluster_order)]


def cluster_order(name: str) -> str:
    """The key by which clusters are sorted: a hash of the name."""
    return sha256(name.encode("utf-8", "surrogatepass"))


def _mean(rates: list[float]) -> float:
    return fmean(rates) if rates else 0.0


def strict(row: ReplayRow) -> ReplayRow:
    """The row with unknown outcomes as failures, where the baseline has an outcome.

    For choosing, not for proving: a candidate whose prompts are refused shall not win by the cases that remain.
    """
    baseline = row.outcomes.get(BASELINE)
    if baseline is None or baseline.success is None:
        return row
    lost = {arm: Outcome(success=False, error=o.error) for arm, o in row.outcomes.items() if o.success is None}
    return row.model_copy(update={"outcomes": {**row.outcomes, **lost}})
