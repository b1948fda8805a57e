"""The larger of session and task: what is not independent of each other, over all parts.

Sessions that share a task, and tasks that share a session, are one cluster: a connected component of the graph of
sessions and tasks. It is found by passing the smallest number on, so its name depends on no order.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.analysis.judged import numbers

Numbers = NDArray[np.uint64]


def cluster(rows: pa.Table) -> Numbers:
    """The cluster of each row (columns as `judged.ROWS`), as the number of its smallest task."""
    tasks = np.asarray(rows["task"].to_numpy(), np.uint64)
    sessions = rows["session_id"]
    if sessions.null_count == len(sessions):
        # Each session is one trace, so tasks alone hold traces together.
        return tasks
    return components(np.asarray(numbers(pc.coalesce(sessions, rows["trace_id"])), np.uint64), tasks)


def components(session: Numbers, task: Numbers) -> Numbers:
    """For each trace the smallest task of its cluster, from the numbers of its session and its task."""
    _, s, rows = np.unique(session, return_inverse=True, return_counts=True)
    shared = rows[s] > 1
    if not shared.any():
        return task
    names, t = np.unique(task, return_inverse=True)
    s, linked = np.unique(s[shared], return_inverse=True)[1], t[shared]
    label = np.arange(len(names))
    while True:
        smallest = np.full(int(s.max()) + 1, len(names))
        np.minimum.at(smallest, s, label[linked])
        passed = label.copy()
        np.minimum.at(passed, linked, smallest[s])
        passed = passed[passed]  # a task's label is a task of its cluster, which may know a smaller one
        if np.array_equal(passed, label):
            return np.asarray(names[label][t], np.uint64)
        label = passed
