"""Steps to patterns, facts and nines. `analyze` is the one door, `analyze_parts` for traces that came in slices,

in the two steps `together` and `conclude` for who must tell them apart."""

from ninefold.analysis.analyze import Analysis, Home, analyze, analyze_parts, conclude
from ninefold.analysis.embedded import Embedded
from ninefold.analysis.engine import Engine, EngineError
from ninefold.analysis.intents import Intents
from ninefold.analysis.part import Part
from ninefold.analysis.together import Whole, together

__all__ = ["Analysis", "Embedded", "Engine", "EngineError", "Home", "Intents", "Part", "Whole", "analyze",
           "analyze_parts", "conclude", "together"]  # fmt: skip
