"""Puts `scripted_stages` in the place of the real stages, in every Python that runs the image `scripted-jobs`.

All around the stage is real: the Job, the pod, the command, the frame, the store and the termination message.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

STAGES = {f"ninefold.jobs.{stage}" for stage in ("probe", "read", "analyze", "propose", "replay")}


class ScriptedStages(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the stages, and loads the one module that plays them all."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in STAGES else None

    def exec_module(self, module: ModuleType) -> None:
        import scripted_stages

        module.run = scripted_stages.stage(module.__name__.rpartition(".")[2])  # type: ignore[attr-defined]


sys.meta_path.insert(0, ScriptedStages())
