"""`python -m bench.gate [--plots FOLDER]`: what the gate lets through and what it finds. The last line is JSON.

Candidates that are no better and pass all the same, though somebody looks after every single case; power, beside the
power that a run is told in advance; coverage of the bounds; errors and power of the test of harm in slices; and null
candidates through the whole chain. With `--plots`, the same as SVG files.
"""

import argparse
import json
from itertools import accumulate
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

from bench.gate import chain, intervals
from bench.gate.plots import Points, line_plot
from bench.gate.simulation import Truth, agents_fooled, exact_proofs, null, proofs, share
from ninefold.api.policy import Gate
from ninefold.gate import alpha_of
from ninefold.gate.power import power

ALPHA, MARGIN = 0.05, 0.05
Plots = dict[str, tuple[str, tuple[str, str], dict[str, Points], float | None]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--chain", type=int, default=600, help="null candidates through the whole gate")
    parser.add_argument("--plots", type=Path, help="folder for SVG files")
    given = parser.parse_args()
    plots: Plots = {}
    result = {
        "alpha": ALPHA,
        "candidates": given.candidates,
        "cases": given.cases,
        "false_alarms": false_alarms(given.candidates, given.cases, plots),
        "power": power_of_ten_points(given.candidates, given.cases),
        "power_by_gain": power_by_gain(given.candidates // 4, plots),
        "coverage": coverage(given.candidates, given.cases, plots),
        "slices": slices(given.candidates, plots),
        "cycles": over_cycles(given.candidates // 2, given.cases),
        "null_edits": null_edits(given.chain),
    }
    if given.plots is not None:
        given.plots.mkdir(parents=True, exist_ok=True)
        for name, (title, axes, series, level) in plots.items():
            line_plot(given.plots / f"{name}.svg", title, axes, series, level)
        print(f"{len(plots)} plots in {given.plots}")
    print(json.dumps(result))


def false_alarms(candidates: int, cases: int, plots: Plots) -> dict[str, int]:
    print(f"Null candidates of {candidates} that pass at alpha {ALPHA}, with a look after each of {cases} cases")
    print("  discordant   betting, any look   exact McNemar at the end")
    passed: dict[str, int] = {}
    series: dict[str, Points] = {}
    for discordant in (0.05, 0.10, 0.20, 0.30, 0.45):
        found = proofs(null(discordant), cases, ALPHA, candidates)
        passed[f"{discordant:.2f}"] = count = sum(at is not None for at in found)
        proved_at = [0] * (cases + 1)
        for at in found:
            if at is not None:
                proved_at[at] += 1
        so_far = list(accumulate(proved_at))
        series[f"{discordant:.0%} differ"] = [(n, so_far[n] / candidates) for n in range(0, cases + 1, 4)]
        print(f"  {discordant:10.2f}   {count:17d}   {exact_proofs(null(discordant), cases, ALPHA, candidates):24d}")
    print(f"  at most {at_most(candidates, ALPHA)} of {candidates} are compatible with an error rate of {ALPHA}\n")
    axes = ("cases seen, with a look after each", "null candidates proved so far")
    plots["type-i-error"] = ("Type-I error under optional stopping", axes, series, ALPHA)
    return passed


def power_of_ten_points(candidates: int, cases: int) -> dict[str, float]:
    alpha = alpha_of(ALPHA, 1)
    print(f"Power for .60 → .70 within {cases} cases, cycle 1 (alpha {alpha:.4f})")
    print("  discordant   betting, any look   told in advance   cases to proof (median)   exact McNemar at the end")
    powers = {}
    for discordant in (0.15, 0.20, 0.22, 0.25, 0.30, 0.46):
        truth = Truth(0.6, 0.7, discordant)
        found = proofs(truth, cases, alpha, candidates)
        powers[f"{discordant:.2f}"] = share(found)
        half = median(at for at in found if at is not None)
        exact = exact_proofs(truth, cases, alpha, candidates) / candidates
        told = power(0.1, cases, alpha, Gate(), discordant)
        print(f"  {discordant:10.2f}   {share(found):17.3f}   {told:15.3f}   {half:23.0f}   {exact:24.3f}")
    print("  (0.46 is what independent arms would differ on; one model under two prompts differs on less)\n")
    return powers


def power_by_gain(candidates: int, plots: Plots) -> dict[str, dict[str, float]]:
    """Simulated and told power, for two sizes and two cycles."""
    print("Power by gain, 22 % discordant or as many as the gain needs: simulated (told in advance)")
    shapes = [(cases, cycle) for cases in (400, 100) for cycle in (1, 5)]
    print("           " + "".join(f"{f'{n} cases, cycle {c}':>22s}" for n, c in shapes))
    table: dict[str, dict[str, float]] = {}
    series: dict[str, list[tuple[float, float]]] = {}
    for points in (4, 8, 12, 16, 20, 25):
        differing = max(0.22, points / 100 + 0.08)
        truth, row = Truth(0.5, 0.5 + points / 100, differing), {}
        for cases, cycle in shapes:
            name, alpha = f"{cases} cases, cycle {cycle}", alpha_of(ALPHA, cycle)
            row[name] = share(proofs(truth, cases, alpha, candidates))
            row[f"{name}, told"] = round(power(points / 100, cases, alpha, Gate(), differing), 3)
            series.setdefault(name, []).append((points, row[name]))
        table[str(points)] = row
        cells = [f"{row[f'{n} cases, cycle {c}']:.2f} ({row[f'{n} cases, cycle {c}, told']:.2f})" for n, c in shapes]
        print(f"  +{points:2d} pp   " + "".join(f"{cell:>22s}" for cell in cells))
    print()
    axes = ("true gain, percentage points", "share of candidates that is proved")
    plots["power"] = ("Power", axes, {name: tuple(points) for name, points in series.items()}, 0.8)
    return table


def coverage(candidates: int, cases: int, plots: Plots) -> dict[str, dict[str, float]]:
    print(f"Bounds at alpha {ALPHA} that miss the truth at any of the looks, of {candidates} candidates")
    found: dict[str, dict[str, float]] = {}
    for points in (-10, 0, 5, 10, 20):
        truth = Truth(0.6, 0.6 + points / 100, 0.3)
        below, above = intervals.misses(truth, cases, ALPHA, candidates)
        found[str(points)] = {"lower": below, "upper": above}
        print(f"  {points:+3d} pp: lower bound above it {below:.3f}, upper bound below it {above:.3f}")
    limit = at_most(candidates, ALPHA) / candidates
    print(f"  at most {limit:.3f} is compatible with {ALPHA}\n")
    sizes = (50, 100, 200, 400, 800)
    series = {
        f"{differing:.0%} differ": intervals.widths(
            Truth(0.6, 0.7, differing), sizes, ALPHA, max(10, candidates // 100)
        )
        for differing in (0.15, 0.3)
    }
    axes = ("cases", "observed gain less lower bound")
    plots["bounds"] = ("How far the lower bound stays below what was observed", axes, dict(series), None)
    both: dict[str, Points] = {
        "lower bound": tuple((float(p), 1 - row["lower"]) for p, row in found.items()),
        "upper bound": tuple((float(p), 1 - row["upper"]) for p, row in found.items()),
    }
    axes = ("true gain, percentage points", "share of bounds that hold at all looks")
    plots["coverage"] = ("Coverage of the bounds, all looks together", axes, both, 1 - ALPHA)
    return found


def slices(candidates: int, plots: Plots) -> dict[str, dict[str, float]]:
    """An intent whose true loss is the margin must not be called harmed; a candidate with it must not pass overall."""
    print(f"Slices called harmed (margin {MARGIN * 100:.0f} points, alpha {ALPHA}), of {candidates}")
    losses, sizes = (0.0, 0.05, 0.10, 0.15, 0.20, 0.30), (100, 200, 400)
    table: dict[str, dict[str, float]] = {}
    series: dict[str, list[tuple[float, float]]] = {f"{n} pairs": [] for n in sizes}
    for loss in losses:
        row = {f"{n} pairs": intervals.harm_called(loss, n, MARGIN, ALPHA, candidates) for n in sizes}
        table[f"{loss:.2f}"] = row
        for name, called in row.items():
            series[name].append((loss * 100, called))
        print(f"  true loss {loss * 100:3.0f} points: " + ", ".join(f"{n} {v:.3f}" for n, v in row.items()))
    alpha = alpha_of(ALPHA, 1)
    wrong = {f"{n} pairs": intervals.loss_let_through(MARGIN, n, MARGIN, alpha, candidates) for n in sizes}
    table["let through overall"] = wrong
    print(f"  overall loss of the margin let through at alpha {alpha:.4f}: {wrong}\n")
    axes = ("true loss of the slice, percentage points", "share called harmed")
    plots["slices"] = ("Harm in slices", axes, {name: tuple(points) for name, points in series.items()}, ALPHA)
    return table


def over_cycles(agents: int, cases: int, cycles: int = 20) -> dict[str, int]:
    """Alpha spending: an agent whose candidates are all no better shall ever be fooled with a chance of alpha."""
    fooled, allowed = agents_fooled(null(0.22), cases, ALPHA, cycles, agents), at_most(agents, ALPHA)
    print(
        f"Agents of {agents} with a null candidate proved in any of {cycles} cycles: {fooled}, {allowed} compatible\n"
    )
    return {"agents": agents, "cycles": cycles, "fooled": fooled, "allowed": allowed}


def null_edits(candidates: int) -> dict[str, Any]:
    """Null candidates through every check, in the first cycle and in later ones."""
    found: dict[str, Any] = {}
    for cycle, n in ((1, candidates), (3, candidates // 3)):
        ended = list(chain.sessions(n, 200, cycle))
        promoted, alpha = sum(one.passed is True for one in ended), alpha_of(ALPHA, cycle)
        reasons = {reason: sum(one.reason == reason for one in ended) for reason in sorted({o.reason for o in ended})}
        allowed = at_most(n, alpha)
        found[f"cycle {cycle}"] = {"candidates": n, "promoted": promoted, "allowed": allowed, "reasons": reasons}
        print(
            f"Null candidates through the whole gate, cycle {cycle}: {promoted} of {n} promoted, {allowed} compatible"
        )
        print(f"  with alpha {alpha:.4f}; {reasons}")
    print()
    return found


def at_most(n: int, rate: float, quantile: float = 0.999) -> int:
    """The quantile of Binomial(n, rate): more would refute that the rate is at most this."""
    total = 0.0
    for k in range(n + 1):
        total += comb(n, k) * rate**k * (1 - rate) ** (n - k)
        if total >= quantile:
            return k
    return n


if __name__ == "__main__":
    main()
