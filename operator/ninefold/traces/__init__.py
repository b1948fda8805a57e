"""Backends to one table of steps. `open_backend` reads any source; `collect` makes the `StepTable` of one agent."""

from ninefold.traces.backend import Backend, Window
from ninefold.traces.buckets import bucket_of
from ninefold.traces.checks import check, check_tally
from ninefold.traces.errors import signature_of
from ninefold.traces.opening import open_backend
from ninefold.traces.problem import TracesProblem
from ninefold.traces.table import BY_JUDGE, MESSAGES, SCORES, STEPS, TRACES, Seen, StepTable, collect, tabulate
from ninefold.traces.tally import Tally

__all__ = [
    "BY_JUDGE",
    "MESSAGES",
    "SCORES",
    "STEPS",
    "TRACES",
    "Backend",
    "Seen",
    "StepTable",
    "Tally",
    "TracesProblem",
    "Window",
    "bucket_of",
    "check",
    "check_tally",
    "collect",
    "open_backend",
    "signature_of",
    "tabulate",
]
