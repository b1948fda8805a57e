"""False discoveries among many questions."""

from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float], rate: float) -> list[bool]:
    """Which hypotheses are rejected so that the expected share of false ones among them is at most `rate`.

    Everything that was tried must be given, what was not reported included. Source: Y. Benjamini, Y. Hochberg,
    "Controlling the false discovery rate", JRSS B 57 (1995).
    """
    m = len(p_values)
    order = sorted(range(m), key=lambda i: p_values[i])
    last = max((rank for rank, i in enumerate(order, 1) if p_values[i] <= rate * rank / m), default=0)
    rejected = [False] * m
    for i in order[:last]:
        rejected[i] = True
    return rejected
