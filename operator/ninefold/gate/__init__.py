"""Paired outcomes of a sealed replay to verdicts: is the frozen candidate proved better, and harmless?

Pure and standard library only (besides the API's models): it runs in the operator. `docs/gate.md` has the statistics.
"""

from ninefold.gate.chain import CHAIN, GateResult, evaluate
from ninefold.gate.early import proved_already
from ninefold.gate.evidence import GateInput, alpha_of
from ninefold.gate.power import Foreseen, foreseen
from ninefold.gate.trust import trusted
from ninefold.gate.verdict import Verdict

__all__ = [
    "CHAIN",
    "Foreseen",
    "GateInput",
    "GateResult",
    "Verdict",
    "alpha_of",
    "evaluate",
    "foreseen",
    "proved_already",
    "trusted",
]
