"""`python -m bench.gate`: what the gate lets through and what it finds. The last line is one JSON object.

Three tables: candidates that are no better and pass all the same, if somebody looks after every single case and stops
at the first proof; power for a true gain of ten points; and power by size of the gain.
"""

import argparse
import json
from statistics import median

from bench.gate.simulation import Truth, first_proof, null, power_at
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
    gains(given.cases)
    print(json.dumps(result))


def false_alarms(candidates: int, cases: int) -> dict[str, int]:
    print(f"Null candidates of {candidates} that pass at alpha {ALPHA}, a look after each of {cases} cases")
    print("  discordant   any look   one look at the end   exact McNemar at the end")
    passed = {}
    for discordant in (0.05, 0.10, 0.20, 0.30, 0.45):
        found = [first_proof(null(discordant), cases, ALPHA, seed) for seed in range(candidates)]
        passed[f"{discordant:.2f}"] = count = sum(at is not None for at in found)
        end = power_at(null(discordant), cases, ALPHA)
        exact = power_at(null(discordant), cases, ALPHA, exactly=True)
        print(f"  {discordant:10.2f}   {count:8d}   {end * candidates:19.1f}   {exact * candidates:24.1f}")
    print(f"  at most {ALLOWED} of 2000 are compatible with an error rate of {ALPHA}\n")
    return passed


def power_of_ten_points(candidates: int, cases: int) -> dict[str, float]:
    alpha = alpha_of(ALPHA, 1)
    print(f"Power for .60 → .70 within {cases} cases, cycle 1 (alpha {alpha:.4f})")
    print("  discordant   any look   cases to proof (median)   one look at the end   exact McNemar at the end")
    powers = {}
    for discordant in (0.15, 0.20, 0.22, 0.25, 0.30, 0.46):
        truth = Truth(0.6, 0.7, discordant)
        proofs = [at for seed in range(candidates) if (at := first_proof(truth, cases, alpha, seed)) is not None]
        end, exact = power_at(truth, cases, alpha), power_at(truth, cases, alpha, exactly=True)
        powers[f"{discordant:.2f}"] = round(end, 3)
        share = len(proofs) / candidates
        print(f"  {discordant:10.2f}   {share:8.3f}   {median(proofs):23.0f}   {end:19.3f}   {exact:24.3f}")
    print("  (0.46 is what independent arms would differ on; one model under two prompts differs on less)\n")
    return powers


def gains(cases: int) -> None:
    print(f"Power by gain and cycle, one look after {cases} cases, 22 % discordant beside the gain")
    print("  gain      cycle 1   cycle 2   cycle 5   cycle 10")
    for points in (2, 4, 6, 8, 10, 12, 15, 20):
        gain = points / 100
        truth = Truth(0.6, 0.6 + gain, max(0.22, gain + 0.06))
        row = [power_at(truth, cases, alpha_of(ALPHA, cycle)) for cycle in (1, 2, 5, 10)]
        print(f"  +{points:2d} pp   " + "   ".join(f"{power:7.3f}" for power in row))
    print()


if __name__ == "__main__":
    main()
