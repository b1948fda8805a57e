"""`python -m bench.optimizers`: ours, GEPA and random search side by side. The last line is one JSON object."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.optimizers.environment import Environment
from bench.optimizers.freight import Freight
from bench.optimizers.measure import (
    REACHED,
    Outcomes,
    calls_to_reach,
    localised,
    null_bound,
    outcomes,
    overall,
    regressions,
    shown,
)
from bench.optimizers.others import by_chance, by_gepa
from bench.optimizers.ours import SELECTION_CASES, Outcome, null_sessions, optimize
from bench.optimizers.recording import Recording, served
from bench.optimizers.world import FILE, World
from ninefold.replay import in_order
from recorded.agent import RecordedAgent

SAME = 0.01
"""Score on unseen cases within which two prompts count as equally good: what is measured has noise, too."""
ALPHA = 0.05
ALL = ("ours", "gepa", "random")
MEANS = ("calls", "believed", "unseen", "gap", "gain_gap")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.optimizers", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--cycles", type=int, default=3, help="turns of our loop, at most")
    parser.add_argument("--calls", type=int, default=4000, help="calls that the others may spend")
    parser.add_argument("--modes", type=Path, default=FILE, help="the planted failure modes")
    parser.add_argument("--recorded", type=Path, metavar="DATA", help="a recorded agent instead: see `make recorded`")
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL, help="some of the optimizers")
    parser.add_argument("--nulls", type=int, default=40, help="null edits that are put before the gate")
    parser.add_argument("--tell", action="store_true", help="print why our loop decided as it did")
    given = parser.parse_args()
    if given.recorded is not None:
        print(json.dumps(summary(_recorded(given))))
        return
    rows = [row for seed in _seeds(given) for row in one_seed(seed, Freight(World(seed, given.modes)), given)]
    desk = Freight(World(0, given.modes))
    promoted = null_sessions(desk, desk.ledger("nulls"), given.nulls)
    nulls = {"tried": given.nulls, "promoted": promoted, "bound": null_bound(given.nulls, ALPHA)}
    print(json.dumps({**summary(rows), "null_edits": nulls}))


def _seeds(given: argparse.Namespace) -> range:
    return range(given.first, given.first + given.seeds)


def _recorded(given: argparse.Namespace) -> list[dict[str, Any]]:
    """All seeds on the recorded agent, one cycle of ours each."""
    agent = RecordedAgent.below(given.recorded)
    given.cycles = 1
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="ninefold-optimizers-") as scratch, served(agent, Path(scratch)) as play:
        for seed in _seeds(given):
            rows += one_seed(seed, Recording(agent, seed, play, Path(scratch) / f"traces-{seed}"), given)
    return rows


def one_seed(seed: int, place: Environment, given: argparse.Namespace) -> list[dict[str, Any]]:
    before = outcomes(place, place.baseline)
    baseline, reachable = overall(before), place.reachable()
    cases = place.analysed(place.baseline, 0).selection.cases
    tasks = {task.key: task for task in place.seen}
    validation = [tasks[str(case.metadata["app.task"])] for case in in_order(cases)[:SELECTION_CASES]]
    held_out = {task.key for task in validation}
    train = [task for task in place.seen if task.key not in held_out] or list(place.seen)
    print(f"seed {seed}: {baseline:.3f} before, {reachable:.3f} reachable")
    print(
        "  optimizer     calls   to 50 %   to 90 %   believed   unseen    gap   of gain   regions harmed   shown  "
        " seconds"
    )
    rows: list[dict[str, Any]] = []
    ended: dict[str, Outcome] = {}
    for name in given.only:
        started, desk = time.monotonic(), place.ledger(name)
        if name == "ours":
            outcome = optimize(place, desk, seed, given.cycles)
        elif name == "gepa":
            outcome = by_gepa(place, desk, train, validation, seed=seed, calls=given.calls)
        else:
            outcome = by_chance(place, desk, validation, seed, given.calls)
        ended[name] = outcome
        row = _row(name, place, outcome, before, reachable)
        rows.append(row)
        half, most, harmed = row["to_half"] or "-", row["to_90"] or "-", ", ".join(row["harmed"]) or "-"
        surely = ", ".join(row["shown"]) or "-"
        print(
            f"  {name:10} {row['calls']:8d} {half:>9} {most:>9} {row['believed']:10.3f} {row['unseen']:8.3f} "
            f"{row['gap'] * 100:+6.1f} {row['gain_gap'] * 100:+9.1f} {harmed:>16} {surely:>7} "
            f"{time.monotonic() - started:9.1f}"
        )
        if given.tell:
            print("".join(f"      {line}\n" for line in outcome.told), end="")
        if row["localised"]:
            print(f"    localised in the five worst patterns: {row['localised']}")
    goal = next((row["unseen"] for row in rows if row["optimizer"] == "gepa"), None)
    if goal is None:
        return rows
    for row in rows:
        row["to_gepa"] = calls_to_reach(place, ended[row["optimizer"]], goal - SAME)
    told = ", ".join(f"{row['optimizer']} {'-' if row['to_gepa'] is None else row['to_gepa']}" for row in rows)
    print(f"    calls to where GEPA ends ({goal:.3f}): {told}")
    return rows


def _row(name: str, place: Environment, outcome: Outcome, before: Outcomes, reachable: float) -> dict[str, Any]:
    baseline, after = overall(before), outcomes(place, outcome.content)
    unseen = overall(after)
    believed = outcome.believed or baseline
    return {
        "optimizer": name,
        "baseline": baseline,
        "reachable": reachable,
        "calls": outcome.calls,
        "decided": outcome.decided,
        "to_gepa": None,
        "to_half": calls_to_reach(place, outcome, baseline + 0.5 * (reachable - baseline)),
        "to_90": calls_to_reach(place, outcome, baseline + REACHED * (reachable - baseline)),
        "believed": believed,
        "unseen": unseen,
        "gap": believed - unseen,
        "gain_gap": believed - (outcome.reference or baseline) - (unseen - baseline),
        "harmed": regressions(place, before, after),
        "shown": shown(place, before, after),
        "localised": localised(place.world, outcome) if name == "ours" and isinstance(place, Freight) else {},
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds; `to_90` has one entry a seed."""
    out: dict[str, Any] = {}
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        means = {key: round(fmean(row[key] for row in own), 4) for key in MEANS}
        out[name] = means | {
            "baseline": round(fmean(row["baseline"] for row in own), 4),
            "reachable": round(fmean(row["reachable"] for row in own), 4),
            "decided": [row["decided"] for row in own],
            "to_half": [row["to_half"] for row in own],
            "to_90": [row["to_90"] for row in own],
            "to_gepa": [row["to_gepa"] for row in own],
            "regressions": sum(len(row["harmed"]) for row in own),
            "regressions_shown": sum(len(row["shown"]) for row in own),
        }
        if any(row["localised"] for row in own):
            found = [hit for row in own for hit in row["localised"].values()]
            out[name]["localised"] = f"{sum(found)} of {len(found)}"
    return out


if __name__ == "__main__":
    main()
