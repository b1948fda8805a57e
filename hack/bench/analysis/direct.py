"""Sequences of a shard without its text: what coding it would give, to measure a study of more than can be coded soon.

Which code a call has is looked up among the symbols of a shard that was really coded, by tool and by how it went, so
the study cannot tell the difference.
"""

import numpy as np
import pyarrow as pa

from bench.analysis.planted import Population
from bench.analysis.planted.population import CALLS, INTENTS
from bench.analysis.planted.tables import ERRORS
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.engine import Engine


def add_sequences(engine: Engine, coder: Coder, p: Population) -> pa.Table:
    """Append a shard to the engine's `coded`; the truth of the shard."""
    n = len(p.task)
    codes = np.array([_code(call, coder) for call in CALLS])
    filled = p.slots > 0
    sizes = filled.sum(1) + 1
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    flat = np.ones(offsets[-1], np.uint16)
    starts = np.zeros(offsets[-1], bool)
    starts[offsets[:-1]] = True
    flat[~starts] = codes[p.slots[filled]]
    task = pa.array((p.task + p.shard * 10**9).astype(np.uint64))
    ids = pa.array([f"{p.shard}-{i}" for i in range(n)])
    rows = pa.table(
        {
            "n": pa.array(np.arange(n) + coder.traces, pa.uint32()),
            "trace_id": ids,
            "task": task,
            "cluster": task,
            "intent": pa.array(INTENTS).take(pa.array(p.intent)),
            "day": pa.array(p.day, pa.uint16()),
            "version": pa.array(["", "v1", "v2"]).take(pa.array(p.version)),
            "solved": pa.array(p.solved.astype(np.uint8)),
            "fold": pa.array((p.task % 5).astype(np.uint8)),
            "seq": pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(flat)),
        }
    )
    engine.load("shard", rows)
    engine.append("coded", "SELECT * FROM shard")
    engine.drop("shard")
    coder.traces += n
    coder.steps += int(filled.sum())
    return pa.table({"trace_id": ids, **{name: pa.array(flags) for name, flags in p.active.items()}})


def _code(call: str, coder: Coder) -> int:
    tool, _, how = call.partition(":")
    went = f"error {ERRORS[call][2]}" if call in ERRORS else "empty" if how == "empty" else "ok"
    region = "region=default" if how == "default" else "region=looked_up"
    for code, symbol in enumerate(coder.codes.symbols):
        own = symbol.action == tool if tool == "answer" else symbol.tool == tool
        if own and symbol.outcome == went and (tool != "update_record" or region in symbol.action):
            return code
    return 0
