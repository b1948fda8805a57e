"""A Langfuse project read over its public API (see `ninefold.traces.backend.Backend`)."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

from ninefold.api.tracebackend import Capabilities, LangfuseSource
from ninefold.traces.backend import Window
from ninefold.traces.langfuse.client import Absent, Client, TooLarge, login_of
from ninefold.traces.langfuse.reads import OBSERVATIONS_V4, TRACES, Reader
from ninefold.traces.langfuse.rows import Row, record_of
from ninefold.traces.langfuse.scorebook import Keyed, ScoreBook
from ninefold.traces.model import TraceRecord
from ninefold.traces.probe import RECENT, capabilities, most
from ninefold.traces.problem import TracesProblem
from ninefold.traces.spool import MAX_TRACE, by_trace

Generation = Literal["V4", "V1"]
PROBE_PAGES = 5
"""Of each list that a probe looks at."""
HEALTH = "/api/public/health"
_INTERNAL = "langfuse-"
"""Environments of Langfuse's own traces, such as those of its evaluators: no agent's."""


class LangfuseApi:
    """The `langfuse` backend with a host. `client` is for tests; otherwise the keys are taken from `secrets`."""

    def __init__(self, source: LangfuseSource, secrets: Mapping[str, str], client: Client | None = None) -> None:
        self._source = source
        self._client = client or Client(*login_of(source, secrets))
        self.losses: Counter[str] = self._client.losses
        self._api: Generation | None = None
        self._scores = ScoreBook(lambda window: self._reader().scores(window))

    def probe(self) -> Capabilities:
        """Looks at some pages of the last hour; of a longer time, which costs the server more, if that is empty.

        Scores are named whatever trace they are about, for evaluators and people come later than the last hour.
        """
        generation, now = self._generation(), time.time_ns()
        reader, records = self._reader(PROBE_PAGES), list[TraceRecord]()
        for window in [*(Window(now - seconds * 10**9, now) for seconds in RECENT), None]:
            records = records or list(self._records(reader, generation, window))
        found = capabilities([], records, self.losses)
        version = self._version()
        api = f"Langfuse API {generation}" + (f", server {version}" if version else "")
        return found.model_copy(update={"api": api, "scores": most(reader.score_names, 50)})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from self._records(self._reader(), self._generation(), window)

    def _reader(self, pages: int | None = None) -> Reader:
        return Reader(self._client, self._source.page_size, self.losses, self._source.environment, pages)

    def _records(self, reader: Reader, generation: Generation, window: Window | None) -> Iterator[TraceRecord]:
        rows = reader.rows_v4(window) if generation == "V4" else reader.rows_v1(window)
        for group in by_trace(self._with_scores(rows, reader, window), None, self.losses):
            record = trace_of(group, self.losses, window, listed=generation == "V1")
            if record is not None:
                yield record

    def _with_scores(self, rows: Keyed, reader: Reader, window: Window | None) -> Keyed:
        """The rows, and then the scores of their traces; for a look, whatever scores there are."""
        traces: set[str] = set()
        for trace, row in rows:
            traces.add(trace)
            yield trace, row
        yield from reader.scores(None) if window is None or reader.pages else self._scores.of(traces, window)

    # ------------------------------------------------------------ which API

    def _generation(self) -> Generation:
        """The API that the spec asks for, or the newest that the server has, found out once."""
        self._api = self._api or self._asked()
        return self._api

    def _asked(self) -> Generation:
        """As `_generation`, after one small request to it."""
        absent: list[Absent] = []
        if self._source.api != "V1":
            try:
                self._ask(OBSERVATIONS_V4, {"limit": 1, "fields": "core"} | _bounds("StartTime"))
                return "V4"
            except Absent as error:
                if self._source.api == "V4":
                    raise self._not_v4(error) from None
                absent.append(error)
        try:
            self._ask(TRACES, {"limit": 1} | _bounds("Timestamp"))
            return "V1"
        except Absent as error:
            absent.append(error)
        raise self._neither(absent)

    def _ask(self, path: str, params: Row) -> None:
        try:
            self._client.get(path, params)
        except TooLarge as error:
            if error.problem is not None:
                raise error.problem from None

    def _version(self) -> str | None:
        """What the server says of itself; not every proxy lets this route through."""
        try:
            return str(self._client.get(HEALTH).get("version") or "") or None
        except (Absent, TooLarge, TracesProblem):
            return None

    def _not_v4(self, error: Absent) -> TracesProblem:
        why = f': "{error.told}"' if error.told else ""
        return TracesProblem(
            "ApiNotServed",
            f"{self._client.host} does not serve {OBSERVATIONS_V4}{why}: it is older than Langfuse 4, or its v4 reads "
            "are switched off; write langfuse.api: Auto or V1, or switch them on",
        )

    def _neither(self, absent: list[Absent]) -> TracesProblem:
        told = next((error.told for error in absent if error.told), None)
        if told is None:
            return TracesProblem(
                "NotLangfuse",
                f"{self._client.host} knows no route of Langfuse's public API (HTTP 404): write the address of the "
                "Langfuse server as langfuse.host, as LANGFUSE_HOST has it",
            )
        return TracesProblem(
            "ApiNotServed",
            f'{self._client.host} serves neither generation of reads by its configuration: "{told}". Switch one of '
            "them on in the server, or read the blob-storage export (langfuse.export)",
        )


def _bounds(name: str) -> Row:
    """A second long ago: whether a route is there costs the server no search."""
    return {f"from{name}": "2020-01-01T00:00:00.000Z", f"to{name}": "2020-01-01T00:00:01.000Z"}


def trace_of(group: list[Row], losses: Counter[str], window: Window | None, *, listed: bool) -> TraceRecord | None:
    """The trace of a group of rows, if it is one of the window's and not Langfuse's own.

    A trace starts with its first observation. `listed`: the server lists traces too, and what it lists none for began
    long before the window, so that only a late part of it was read.
    """
    if sum(map(_content, group)) > MAX_TRACE:
        losses["oversized_traces"] += 1
        return None
    record = record_of(group, losses)
    if record is None:
        return None  # scores of a trace outside the window
    if (record.environment or "").startswith(_INTERNAL):
        losses["internal_traces"] += 1
        return None
    partly = listed and not any("trace" in row for row in group)
    if window is not None and (partly or not window.holds(record.start_ts)):
        losses["outside_window"] += 1
        return None
    return record


def _content(row: Row) -> int:
    """Characters of an observation's input and output."""
    values = [row["observation"].get(side) for side in ("input", "output")] if "observation" in row else []
    return sum(len(v if isinstance(v, str) else json.dumps(v)) for v in values if v is not None)
