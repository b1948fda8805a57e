"""What is measured of each optimizer, on tasks that none has seen. These runs are not in its ledger."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from math import comb
from statistics import fmean

from bench.optimizers.environment import Environment
from bench.optimizers.history import BASELINE
from bench.optimizers.ours import Outcome
from bench.optimizers.reflection import FREIGHT
from bench.optimizers.world import World
from ninefold.api.artifacts import VersionContent
from ninefold.api.edits import Edit
from ninefold.versions import rendered

MARGIN = 0.05
"""Loss of a region above which a regression was shipped."""
REACHED = 0.9


def by_region(place: Environment, content: VersionContent, repeats: int) -> dict[str, float]:
    """Success by region, in today's world, over all unseen tasks, each so many times."""
    ledger, key = place.ledger("measure"), place.inputs().policy.analysis.intent_key
    solved: defaultdict[str, list[bool]] = defaultdict(list)
    for _, task in product(range(repeats), place.unseen):
        solved[task.region].append(ledger.run(task, rendered(content, {str(key): task.region})).solved)
    return {region: sum(own) / len(own) for region, own in solved.items()}


def score(place: Environment, content: VersionContent, repeats: int | None = None) -> float:
    """Success over all unseen tasks."""
    return overall(place, by_region(place, content, repeats or place.repeats))


def overall(place: Environment, rates: Mapping[str, float]) -> float:
    """The rates of the regions, each by its number of unseen tasks."""
    return fmean(rates[task.region] for task in place.unseen)


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


def regressions(before: dict[str, float], after: dict[str, float]) -> list[str]:
    return [region for region, rate in before.items() if after[region] < rate - MARGIN]


def localised(world: World, outcome: Outcome) -> dict[str, bool]:
    """Which planted modes the five worst patterns name: by the tool called or the error met at the decision."""
    signs = {"MissingFact": "list_depots", "ErrorLoop": "locked by customs", "ToolChoice": "confirm_freight"}
    top = outcome.patterns[:5]
    shown = [str([p["decision"], p["errors"]]) for p in top]
    planted = {mode["kind"] for mode in world.settings["modes"]}
    return {kind: any(sign in text for text in shown) for kind, sign in signs.items() if kind in planted}
