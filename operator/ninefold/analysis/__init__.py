"""Steps to patterns, facts and nines. `analyze` is the one door, `analyze_parts` for traces that came in slices."""

from ninefold.analysis.analyze import Analysis, Home, analyze, analyze_parts
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine, EngineError
from ninefold.analysis.intents import Intents
from ninefold.analysis.part import Part

__all__ = ["Analysis", "Embedded", "Engine", "EngineError", "Home", "Intents", "Part", "analyze", "analyze_parts"]
