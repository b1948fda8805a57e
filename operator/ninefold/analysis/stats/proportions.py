"""Two shares that nothing is matched within."""

import math


def two_proportions(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Two-sided p of the pooled two-proportion z-test of two (hits, of so many); 1 where all or none hit.

    Source: A. Agresti, "Categorical Data Analysis", 3rd ed., section 3.2.
    """
    (x, n), (y, m) = one, other
    pooled = (x + y) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return math.erfc(abs(x / n - y / m) / error / math.sqrt(2)) if error > 0 else 1.0
