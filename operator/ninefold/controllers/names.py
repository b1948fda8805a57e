"""Names that are made: short enough, and always the same from the same parts."""

from ninefold.api.artifacts import sha256

LIMIT = 40
"""Longest name of our kinds: names of Jobs and ConfigMaps are made from it."""


def run_name(policy: str, suffix: str) -> str:
    """`<policy>-<suffix>`; a policy's name that leaves no room is cut, and told apart from others by a hash."""
    whole = f"{policy}-{suffix}"
    if len(whole) <= LIMIT:
        return whole
    mark = sha256(policy.encode())[:6]
    return f"{policy[: LIMIT - len(suffix) - len(mark) - 2].rstrip('-')}-{mark}-{suffix}"
