"""Traces with planted causes: what loses is known, so what an analysis finds can be scored.

Nothing here imports `ninefold`: a generator that shared code with the detectors would only ask them what they know.
`tests/unit/bench/test_planted.py` holds that. The population is made in shards of whole tasks, each from its own seed,
so that shards can be made, read and analysed anywhere and in any order.
"""

from bench.analysis.planted.causes import Cause, Plan, read_plan
from bench.analysis.planted.population import SHARD, Population, populate
from bench.analysis.planted.tables import Tables, tables

__all__ = ["SHARD", "Cause", "Plan", "Population", "Tables", "populate", "read_plan", "tables"]
