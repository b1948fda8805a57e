"""`python -m bench.gate`: what the gate lets through and what it finds. The last line is one JSON object.

Three tables: candidates that are no better and pass all the same, though somebody looks after every single case and
stops at the first proof; power for a true gain of ten points; and power by size of the gain and cycle.
"""

import argparse
import json
from statistics import median

from bench.gate.simulation import Truth, exact_proofs, null, proofs, share
from ninefold.gate import alpha_of

ALPHA = 0.05
ALLOWED = 131
"""99.9 % quantile of Binomial(2000, .05)."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gate", description=__doc__.split("\n")[0])
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=400)
    given = parser.parse_args()
    result = {
        "alpha": ALPHA,
        "candidates": given.candidates,
        "cases": given.cases,
        "false_alarms": false_alarms(given.candidates, given.cases),
        "power": power_of_ten_points(given.candidates, given.cases),
    }
    power_by_gain(given.candidates, given.cases)
    print(json.dumps(result))


def false_alarms(candidates: int, cases: int) -> dict[str, int]:
    print(f"Null candidates of {candidates} that pass at alpha {ALPHA}, with a look after each of {cases} cases")
    print("  discordant   betting, any look   exact McNemar at the end")
    passed = {}
    for discordant in (0.05, 0.10, 0.20, 0.30, 0.45):
        found = proofs(null(discordant), cases, ALPHA, candidates)
        passed[f"{discordant:.2f}"] = count = sum(at is not None for at in found)
        print(f"  {discordant:10.2f}   {count:17d}   {exact_proofs(null(discordant), cases, ALPHA, candidates):24d}")
    print(f"  at most {ALLOWED} of 2000 are compatible with an error rate of {ALPHA}\n")
    return passed


def power_of_ten_points(candidates: int, cases: int) -> dict[str, float]:
    alpha = alpha_of(ALPHA, 1)
    print(f"Power for .60 → .70 within {cases} cases, cycle 1 (alpha {alpha:.4f})")
    print("  discordant   betting, any look   cases to proof (median)   exact McNemar at the end")
    powers = {}
    for discordant in (0.15, 0.20, 0.22, 0.25, 0.30, 0.46):
        truth = Truth(0.6, 0.7, discordant)
        found = proofs(truth, cases, alpha, candidates)
        powers[f"{discordant:.2f}"] = share(found)
        half = median(at for at in found if at is not None)
        exact = exact_proofs(truth, cases, alpha, candidates) / candidates
        print(f"  {discordant:10.2f}   {share(found):17.3f}   {half:23.0f}   {exact:24.3f}")
    print("  (0.46 is what independent arms would differ on; one model under two prompts differs on less)\n")
    return powers


def power_by_gain(candidates: int, cases: int) -> None:
    print("Power by gain, 22 % discordant or as many as the gain needs")
    print(f"               {cases} cases, cycle 1   cycle 5   100 cases, cycle 1   cycle 5")
    for points in (4, 8, 12, 16, 20, 25):
        truth = Truth(0.5, 0.5 + points / 100, max(0.22, points / 100 + 0.08))
        row = [
            share(proofs(truth, n, alpha_of(ALPHA, cycle), candidates // 4)) for n in (cases, 100) for cycle in (1, 5)
        ]
        print(f"  +{points:2d} pp   {row[0]:23.2f}   {row[1]:7.2f}   {row[2]:18.2f}   {row[3]:7.2f}")
    print()


if __name__ == "__main__":
    main()
