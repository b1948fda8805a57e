"""What is measured of each optimizer, on tasks that none has seen. These runs are not in its ledger."""

from collections import defaultdict
from itertools import product
from math import comb, sqrt
from statistics import fmean, stdev

from bench.optimizers.environment import Environment
from bench.optimizers.history import BASELINE
from bench.optimizers.ours import Outcome
from bench.optimizers.reflection import FREIGHT
from bench.optimizers.world import World
from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.versions import rendered

MARGIN = 0.05
"""Loss of a region above which a regression was shipped."""
ONE_SIDED_95 = 1.645
REACHED = 0.9

Outcomes = dict[str, float]
"""Success in 0..1 by the key of the task."""


def outcomes(place: Environment, content: VersionContent, repeats: int | None = None) -> Outcomes:
    """Success of every unseen task, in today's world, over so many runs of it."""
    ledger, key = place.ledger("measure"), place.inputs().policy.analysis.intent_key
    solved: defaultdict[str, list[bool]] = defaultdict(list)
    for _, task in product(range(repeats or place.repeats), place.unseen):
        solved[task.key].append(ledger.run(task, rendered(content, {str(key): task.region})).solved)
    return {task: fmean(own) for task, own in solved.items()}


def score(place: Environment, content: VersionContent, repeats: int | None = None) -> float:
    """Success over all unseen tasks."""
    return overall(outcomes(place, content, repeats))


def overall(found: Outcomes) -> float:
    """Success over all unseen tasks, each as much as any other."""
    return fmean(found.values())


def best_prompts(world: World) -> VersionContent:
    """What somebody who knows all modes would write: per region the facts or not, looking up or not, and the rest."""
    rest = (FREIGHT.answers[r"locked by customs"], FREIGHT.answers[r"pallets were confirmed"])
    edits = [Edit(component="system", kind="Refine", text=text) for text in rest]
    for region in world.regions:
        names = " ".join(world.codes(region, past=False))
        after = "After a call of book has failed, look up list_depots before the next attempt."
        for text in (f"Depots: {names}", after):
            if region != world.trap or text != after:
                edits.append(Edit(component="system", kind="Refine", text=text, when={"app.region": region}))
    return VersionContent(components=BASELINE.components, edits=edits)


def calls_to_reach(place: Environment, outcome: Outcome, goal: float) -> int | None:
    """Calls after which what the optimizer believed best scored `goal` on unseen tasks; None if it never did."""
    return next(
        (calls for calls, content in outcome.path if score(place, content, (place.repeats + 1) // 2) >= goal), None
    )


def null_bound(tried: int, alpha: float, risk: float = 0.05) -> int:
    """The most null edits that a gate of level `alpha` promotes of so many, but for a chance of `risk` (binomial)."""
    below, promoted = 0.0, 0
    while True:
        below += comb(tried, promoted) * alpha**promoted * (1 - alpha) ** (tried - promoted)
        if below >= 1 - risk:
            return promoted
        promoted += 1


def regressions(place: Environment, before: Outcomes, after: Outcomes) -> list[str]:
    """Regions that score more than the margin below what they did; with few tasks chance alone does that."""
    return [region for region, own in _changes(place, before, after).items() if fmean(map(fmean, own)) < -MARGIN]


def shown(place: Environment, before: Outcomes, after: Outcomes) -> list[str]:
    """Regions of which it is shown: the upper 95 % bound of their change, over clusters of tasks, is below -margin."""
    found = []
    for region, own in _changes(place, before, after).items():
        means = [fmean(cluster) for cluster in own]
        error = stdev(means) / sqrt(len(means)) if len(means) > 1 else 1.0
        if fmean(means) + ONE_SIDED_95 * error < -MARGIN:
            found.append(region)
    return found


def _changes(place: Environment, before: Outcomes, after: Outcomes) -> dict[str, list[list[float]]]:
    """By region, the changes in success of the unseen tasks of every cluster."""
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task in place.unseen:
        found[task.region][task.cluster].append(after[task.key] - before[task.key])
    return {region: list(clusters.values()) for region, clusters in found.items()}


def localised(world: World, outcome: Outcome) -> dict[str, bool]:
    """Which planted modes the five worst patterns name: by the tool called or the error met at the decision."""
    signs = {"MissingFact": "list_depots", "ErrorLoop": "locked by customs", "ToolChoice": "confirm_freight"}
    top = outcome.patterns[:5]
    shown = [str([p["decision"], p["errors"]]) for p in top]
    planted = {mode["kind"] for mode in world.settings["modes"]}
    return {kind: any(sign in text for text in shown) for kind, sign in signs.items() if kind in planted}
