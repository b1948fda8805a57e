"""Steps to patterns, facts and nines. `analyze` is the one door."""

from ninefold.analysis.analyze import Analysis, analyze
from ninefold.analysis.engine import Engine

__all__ = ["Analysis", "Engine", "analyze"]
