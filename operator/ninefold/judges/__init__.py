"""Graders, and whether a judge may be believed.

Rules (`rules`) are believed as they stand. A model as a judge (`model`) is an instrument, and counts only after it was
held against recorded outcomes (`calibration`) and against answers that nobody may let through (`canaries`).
"""

from ninefold.judges.calibration import calibrated, judge_report
from ninefold.judges.canaries import Canary, canaries
from ninefold.judges.model import ModelJudge
from ninefold.judges.protocol import Judge
from ninefold.judges.rules import Exact, Grounded, JsonShape, Numeric, Regex

__all__ = [
    "Canary",
    "Exact",
    "Grounded",
    "JsonShape",
    "Judge",
    "ModelJudge",
    "Numeric",
    "Regex",
    "calibrated",
    "canaries",
    "judge_report",
]
