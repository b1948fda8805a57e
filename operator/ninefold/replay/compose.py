"""What the race teaches beyond its winner: another choice for one kind of case, and candidates made of two. Pure.

**Per stratum.** What helps one kind of case can hurt another, so for every stratum (a value of the intent key) there is
a choice between the winner, every other arm and no edit at all. The strata are small, so their differences are shrunk
to the overall one by empirical Bayes: the variance between strata is what is left of the observed one after the
sampling variance (method of moments, DerSimonian & Laird 1986); where nothing is left there is no split. An
alternative is taken when its shrunk lead is more than `LEAD` posterior standard errors: noise alone should not split.
A stratum's choice needs no further calls, for every arm was run on its cases already. Conditions can only name values,
so after a split the winner's unconditional edits are written for each stratum that was seen and keeps them: a stratum
that nobody has seen gets none of them.

**Merged.** Arms that answer different patterns may add up; two that still stand are merged into one candidate.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, pvariance, variance

from ninefold.api.candidates import Candidate
from ninefold.api.edits import MAX_EDITS, Edit
from ninefold.api.outcomes import BASELINE, ReplayRow
from ninefold.pairing import cluster_means, strict, success

LEAST_CLUSTERS = 8
"""Clusters of a stratum below which it follows the others."""
LEAD = 1.5
"""Posterior standard errors by which an alternative must lead."""


@dataclass(frozen=True)
class Shrunk:
    """A stratum's difference after shrinkage: posterior mean and standard error."""

    mean: float
    error: float


def shrink(strata: Mapping[str, Sequence[float]]) -> dict[str, Shrunk]:
    """Posterior of each stratum's mean from its cluster means, at least two a stratum, under one normal prior.

    All strata share one sampling variance, pooled: that of a small stratum without a difference would be zero.
    """
    means = {name: fmean(values) for name, values in strata.items()}
    pooled = _pooled(strata)
    whole = [value for values in strata.values() for value in values]
    prior = fmean(whole) if whole else 0.0
    errors = {name: pooled / len(values) for name, values in strata.items()}
    between = max(0.0, pvariance(list(means.values())) - fmean(errors.values())) if len(means) > 1 else 0.0
    found = {}
    for name, mean in means.items():
        trust = between / (between + errors[name]) if between else 0.0
        found[name] = Shrunk(prior + trust * (mean - prior), sqrt(trust * errors[name]))
    return found


def _pooled(strata: Mapping[str, Sequence[float]]) -> float:
    """Variance within strata."""
    freedom = sum(len(values) - 1 for values in strata.values())
    return sum((len(own) - 1) * variance(own) for own in strata.values()) / freedom if freedom else 0.0


def choices(rows: Sequence[ReplayRow], winner: str, others: Sequence[str]) -> dict[str, str]:
    """Stratum -> the arm that is to be taken there instead of the winner (`baseline`: no edit)."""
    best: dict[str, tuple[float, str]] = {}
    for arm in (BASELINE, *others):
        large = {name: own for name, own in _leads(rows, arm, winner).items() if len(own) >= LEAST_CLUSTERS}
        for name, lead in shrink(large).items():
            if lead.error and lead.mean > LEAD * lead.error and lead.mean > best.get(name, (0.0, ""))[0]:
                best[name] = (lead.mean, arm)
    return {name: arm for name, (_, arm) in best.items()}


def unsettled(rows: Sequence[ReplayRow], winner: str, rest: Sequence[str | None]) -> set[str]:
    """Strata in which it is open whether the winner or no edit is better, and cases are left (`rest`: their strata).

    Settled is what leads by `LEAD` standard errors of the stratum alone: shrunk to the others, a small stratum in which
    the winner does harm would look like them. One too small to say is open when its cases to come make it large enough.
    """
    left = Counter(name for name in rest if name is not None)
    ahead = _leads(rows, winner, BASELINE)
    small = {name for name in left if len(ahead.get(name, ())) < LEAST_CLUSTERS}
    large = {name: values for name, values in ahead.items() if len(values) >= LEAST_CLUSTERS}
    error = sqrt(_pooled(large))
    found = {name for name in small if len(ahead.get(name, ())) + left[name] >= LEAST_CLUSTERS}
    return found | {
        name for name, own in large.items() if name in left and abs(fmean(own)) <= LEAD * error / sqrt(len(own))
    }


def foremost(rows: Sequence[ReplayRow], arms: Sequence[str], other: str) -> str:
    """The arm with the largest mean lead over another; the first among equals."""
    strictly = [strict(row) for row in rows]
    return max(arms, key=lambda arm: fmean(cluster_means(strictly, arm, other, success) or [0.0]))


def leads(rows: Sequence[ReplayRow], arm: str) -> bool:
    """Whether an arm is ahead of the baseline on these rows by more than one standard error."""
    values = cluster_means([strict(row) for row in rows], arm, BASELINE, success)
    return len(values) >= LEAST_CLUSTERS and fmean(values) > sqrt(variance(values) / len(values))


def _leads(rows: Sequence[ReplayRow], arm: str, other: str) -> dict[str, tuple[float, ...]]:
    """Cluster means of a paired difference, by stratum."""
    by_stratum: dict[str, list[ReplayRow]] = {}
    for row in map(strict, rows):
        if row.intent is not None:
            by_stratum.setdefault(row.intent, []).append(row)
    return {name: cluster_means(own, arm, other, success) for name, own in by_stratum.items()}


def split(
    winner: Candidate, arms: Mapping[str, Candidate], chosen: Mapping[str, str], key: str, strata: Mapping[str, str]
) -> Candidate | None:
    """The winner with other choices in some strata of `key`; None when it would have too many edits or none.

    `strata` has the text of a condition for each intent.
    """
    edits: list[Edit] = []
    for name, value in strata.items():
        arm = chosen.get(name, winner.id)
        if arm != BASELINE:
            edits += [conditional for edit in arms[arm].edits if (conditional := _within(edit, key, value))]
    removes = _removed(winner, [arms[chosen.get(name, winner.id)] for name in strata if chosen.get(name) != BASELINE])
    if removes is None or (removes and BASELINE in chosen.values()):
        return None
    # Conditions on other keys, or on values that the selection cases do not have, are the winner's own.
    seen = set(strata.values())
    edits += [edit for edit in winner.edits if edit.when and edit.when.get(key) not in seen]
    unique = list({_identity(edit): edit for edit in edits}.values())
    if not unique or len(unique) > MAX_EDITS:
        return None
    told = ", ".join(f"{'no edit' if arm == BASELINE else arm} in {n} strata" for arm, n in _counted(chosen).items())
    return winner.model_copy(
        update={"id": f"{winner.id}:split", "edits": unique, "removes": removes, "summary": f"{winner.summary}; {told}"}
    )


def _removed(winner: Candidate, taken: Sequence[Candidate]) -> list[str] | None:
    """What goes, when all that are taken agree on it: an edit cannot be left out in one stratum alone. Else None."""
    agreed = all(set(one.removes) == set(winner.removes) for one in taken)
    return list(winner.removes) if agreed else None


def _within(edit: Edit, key: str, value: str) -> Edit | None:
    """The edit as it stands in one stratum; None where it does not apply."""
    when = edit.when or {}
    if key in when:
        return edit if when[key] == value else None
    return edit.model_copy(update={"when": {**when, key: value}}) if len(when) < 4 else edit


def _identity(edit: Edit) -> tuple[object, ...]:
    return edit.component, edit.kind, tuple(sorted((edit.when or {}).items())), edit.text


def _counted(chosen: Mapping[str, str]) -> dict[str, int]:
    return {arm: list(chosen.values()).count(arm) for arm in dict.fromkeys(chosen.values())}


def merged(standing: Sequence[Candidate], known: Sequence[Candidate]) -> Candidate | None:
    """The first two that stand and answer different patterns, as one; None when there are none or it is known."""
    for place, one in enumerate(standing):
        for other in standing[place + 1 :]:
            if patterns(one) <= patterns(other) or patterns(other) <= patterns(one):
                continue
            edits = list({_identity(edit): edit for edit in (*one.edits, *other.edits)}.values())
            same = [{_identity(edit) for edit in candidate.edits} for candidate in known]
            if edits and len(edits) <= MAX_EDITS and {_identity(edit) for edit in edits} not in same:
                gain = min(1.0, one.predicted_gain + other.predicted_gain)
                return Candidate(
                    id=f"{one.id}+{other.id}",
                    edits=edits,
                    removes=list(dict.fromkeys([*one.removes, *other.removes])),
                    summary=f"{one.summary}, {other.summary}",
                    predicted_gain=gain,
                    proposer=f"{one.proposer}+{other.proposer}",
                )
    return None


def patterns(candidate: Candidate) -> frozenset[str]:
    """Ids of the patterns that its edits answer."""
    return frozenset(e.receipt.pattern for e in candidate.edits if e.receipt and e.receipt.pattern)
