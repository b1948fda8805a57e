"""A model as a judge, and whether it may be believed.

A judge (`model`) is an instrument: it counts only after it was held against outcomes that scores or rules decided
(`calibration`) and against answers that nobody may let through (`canaries`), in each session anew (`session`).
"""

from ninefold.judges.calibration import agreement, calibrated
from ninefold.judges.canaries import Canary, canaries
from ninefold.judges.model import ModelJudge
from ninefold.judges.protocol import Judge
from ninefold.judges.session import JudgeDownError, Session

__all__ = ["Canary", "Judge", "JudgeDownError", "ModelJudge", "Session", "agreement", "calibrated", "canaries"]
