"""The counts of a study by pandas, as an analyst would write them, to compare with.

Compared is what both must do: the table of decisions that values are made of, which action came before which, and for
every contrast that was passed on who stands on which arm, with its matched difference within tasks. Left out, in favour
of pandas, are the values themselves, the cover, evidence and words. Sequences are exploded once, which is not timed
against it.
"""

import importlib
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ninefold.analysis.decisions import tables as counted
from ninefold.analysis.decisions.confirm import first_codes
from ninefold.analysis.decisions.matching import difference
from ninefold.analysis.decisions.screen import Contrast, screen
from ninefold.analysis.decisions.sequences import Sequences
from ninefold.analysis.decisions.study import CodedTraces
from ninefold.analysis.engine import Engine


def seconds(engine: Engine, coder: CodedTraces) -> float:
    """Seconds that pandas takes; raises AssertionError where it counts otherwise than the study."""
    pd = importlib.import_module("pandas")  # a comparison, not a dependency
    names = counted.intents(engine)
    states = counted.states(engine, names)
    symbols = coder.codes.symbols
    actions = first_codes(symbols)
    bit = [actions.index(s.action) if s.action in actions else counted.NO_ACTION for s in symbols]
    contrasts = screen(states, counted.precedence(engine, names, bit), actions, symbols, coder.traces).contrasts
    rows = engine.arrow("SELECT n, task, intent, fold, solved, seq FROM coded").to_pandas()
    steps = rows.explode("seq").reset_index(drop=True)
    steps["seq"] = steps["seq"].astype("uint16")
    began = time.perf_counter()
    table = _states(steps)
    _before(steps, np.array(bit))
    found = [_matched(pd, rows, steps, contrast) for contrast in contrasts]
    spent = time.perf_counter() - began
    assert len(table) == len(states.n), "pandas and the engine count decisions differently"
    sequences = Sequences(engine, names, coder.tasks_named)
    for contrast, estimate in zip(contrasts, found, strict=True):
        ours = difference(sequences, *sequences.stand(contrast))
        theirs = math.nan if estimate is None else estimate
        same = (ours is None and estimate is None) or (ours is not None and abs(ours.estimate - theirs) < 1e-9)
        assert same, "pandas and the study match differently"
    return round(spent, 3)


def _states(steps: Any) -> Any:
    own = steps.groupby("n")["seq"]
    alive = steps.assign(
        before=own.shift(1).fillna(0), next=own.shift(-1), place=(steps.groupby("n").cumcount() + 1).clip(upper=8)
    ).dropna(subset=["next"])
    counts = alive.groupby(["intent", "fold", "before", "seq", "next", "place"], observed=True)["solved"]
    return counts.agg(["count", "sum"])


def _before(steps: Any, bits: Any) -> Any:
    """For each action when it is first done, which had been done before."""
    acts = steps.assign(act=bits[steps["seq"]])
    acts = acts[acts["act"] < counted.NO_ACTION].drop_duplicates(["n", "act"])
    flag = np.left_shift(np.uint64(1), acts["act"].astype("uint64"))
    acts = acts.assign(mask=flag.groupby(acts["n"]).cumsum() - flag)
    return acts.groupby(["intent", "act", "mask"], observed=True)["solved"].agg(["count", "sum"])


def _matched(pd: Any, rows: Any, steps: Any, c: Contrast) -> float | None:
    """Mantel-Haenszel's difference within tasks."""
    met, won = _arms(pd, rows, steps, c)
    own = rows if c.intents is None else rows[rows["intent"].isin(c.intents)]
    own = own[["n", "task", "solved"]].assign(won=won.reindex(own["n"]).to_numpy())
    own = own[own["n"].isin(met)]
    sums = own.groupby(["task", own["won"].astype(bool)])["solved"].agg(["count", "sum"]).unstack(fill_value=0)
    if not {True, False} <= set(sums["count"].columns):
        return None
    n1, x1, n0, x0 = (sums[what][arm] for arm in (True, False) for what in ("count", "sum"))
    n = n1 + n0
    weight = (n1 * n0 / n).sum()
    return float(((x1 * n0 - x0 * n1) / n).sum() / weight) if weight else None


def _arms(pd: Any, rows: Any, steps: Any, c: Contrast) -> tuple[Any, Any]:
    """Numbers of the traces that met the point and chose, and whether each trace stands on the better arm."""

    def first(codes: Sequence[int]) -> Any:
        return steps[steps["seq"].isin(codes)].drop_duplicates("n")

    if c.family == "met":
        return rows["n"], pd.Series(~rows["n"].isin(first(c.point)["n"]).to_numpy(), index=rows["n"])
    if c.family == "skipped":
        act, other = (pd.Series(f.index, index=f["n"]) for f in (first(c.taken), first(c.better)))
        return act.index, act > other.reindex(act.index).fillna(len(steps))
    point = first(c.point)
    at = point.index.to_numpy() + 1
    same = at < len(steps)
    following = steps.iloc[at[same]]
    following = following[following["n"].to_numpy() == point["n"].to_numpy()[same]]
    chose = following[following["seq"].isin((*c.taken, *c.better))]
    return chose["n"], pd.Series(chose["seq"].isin(c.better).to_numpy(), index=chose["n"])
