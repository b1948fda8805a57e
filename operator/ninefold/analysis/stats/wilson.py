"""Wilson's score interval, and nines."""

import math

Z95 = 1.959963984540054


def wilson(successes: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Interval for a share of `successes` out of `n`; (0, 1) when n is 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def nines(successes: float, n: int) -> float:
    """−log10(1 − lower bound): 1.0 is 90 %, 2.0 is 99 %, and never more than the sample supports.

    `successes` need not be whole: what mending a pattern would add is an expectation.
    """
    low, _ = wilson(min(successes, n), n)
    return max(0.0, -math.log10(1 - low))
