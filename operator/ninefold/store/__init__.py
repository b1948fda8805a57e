"""Redis: artifacts between Jobs and operator, answers that were paid for, and what a run may still spend.

Everything here can be computed again (artifacts) or bought again within a reserved budget (answers), so losing all of
it costs time and money but never a decision: those stand in ConfigMaps and conditions. Every key carries the Agent's
UID (a namesake made later meets nothing of its predecessor) and a TTL (nothing has to be cleaned up).
"""

from ninefold.store._artifacts import ARTIFACT_TTL, MAX_ARTIFACT_BYTES, ArtifactStore
from ninefold.store._budget import BUDGET_TTL, Budget
from ninefold.store._cache import ANSWER_TTL, CallCache
from ninefold.store._canaries import EXPLOITS_TTL, Exploits
from ninefold.store._connection import Store
from ninefold.store._errors import ArtifactError, StoreError, StoreUnavailableError
from ninefold.store._parts import PartHead, PartStore
from ninefold.store._purse import PURSE_TTL, Limit, Purse

__all__ = [
    "ANSWER_TTL",
    "ARTIFACT_TTL",
    "BUDGET_TTL",
    "EXPLOITS_TTL",
    "MAX_ARTIFACT_BYTES",
    "PURSE_TTL",
    "ArtifactError",
    "ArtifactStore",
    "Budget",
    "CallCache",
    "Exploits",
    "Limit",
    "PartHead",
    "PartStore",
    "Purse",
    "Store",
    "StoreError",
    "StoreUnavailableError",
]
