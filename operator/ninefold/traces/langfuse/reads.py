"""The two generations of Langfuse's read API, each as a stream of rows for `ninefold.traces.langfuse.rows`.

Version 4 lists observations, newest first, with a cursor; a trace is what its observations say of it. Older servers
list traces, observations and scores in numbered pages, and give input and output parsed. Both are read by start time,
with `OVERLAP` on either side of the window: a trace belongs to the window that holds its start, and its observations
may lie beyond the window's end. Scores have no upper bound, for evaluators come later.

Values of metadata come cut to 200 characters from version 4 unless their keys are named in the request. Which keys need
it shows only in the answer: a page with a value of just that length is asked for once more with the key named, and from
then on every page names it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from ninefold.traces.backend import Window
from ninefold.traces.langfuse.client import Absent, Client
from ninefold.traces.langfuse.pages import Params, by_cursor, by_number
from ninefold.traces.langfuse.rows import Row, current, mapping
from ninefold.traces.problem import TracesProblem

OVERLAP = timedelta(hours=1)
"""The longest trace that is read whole wherever the window's bounds fall."""
CUT_AT = 200
"""Characters of a metadata value."""
MAX_EXPANDED = 64
"""Keys named in a request: the address has a limit too."""
OBSERVATIONS_V4, SCORES_V3 = "/api/public/v2/observations", "/api/public/v3/scores"
TRACES, OBSERVATIONS_V1, SCORES_V2, SCORES_V1 = (
    "/api/public/traces",
    "/api/public/observations",
    "/api/public/v2/scores",
    "/api/public/scores",
)
_FIELDS = "core,basic,time,io,metadata,model,usage,prompt,trace_context"
_WITHOUT_CONTENT = _FIELDS.replace("io,", "")

Keyed = Iterator[tuple[str, Row]]
"""Rows with the id of their trace."""


@dataclass
class Reader:
    """What both generations need. `pages` bounds every list, for a look; None reads to the end."""

    client: Client
    page_size: int
    losses: Counter[str]
    environment: str | None = None
    pages: int | None = None
    expanded: dict[str, None] = field(default_factory=dict)
    """Metadata keys that are asked for in full."""
    score_names: Counter[str] = field(default_factory=Counter)
    """Names of all scores that were read."""

    def rows_v4(self, window: Window | None) -> Keyed:
        """The traces of a window without their scores, from a server of version 4."""
        spans = self._params(window, "StartTime", slack=True)
        yield from self._keyed("observation", self._observations_v4(spans))

    def rows_v1(self, window: Window | None) -> Keyed:
        """The traces of a window without their scores, from an older server."""
        order = "timestamp.desc" if window is None else "timestamp.asc"  # the newest, for a look
        traces = self._params(window, "Timestamp", slack=True) | {"orderBy": order}
        yield from self._keyed("trace", map(self._of_environment, self._numbered(TRACES, traces)), "id")
        spans = self._params(window, "StartTime", slack=True)
        rows = self._numbered(OBSERVATIONS_V1, spans)
        yield from self._keyed("observation", (current(row) for row in rows))

    def scores(self, window: Window | None) -> Keyed:
        """Scores of traces and their observations, by the newest of the three APIs that the server has."""
        # Not by environment: a score does not inherit that of its trace. A look takes the newest.
        window = window if self.pages is None else None
        since: Params = {"fromTimestamp": _moment(window.start, -OVERLAP)} if window is not None else {}
        try:
            pages = by_cursor(
                self.client, SCORES_V3, since | {"fields": "subject"}, min(100, self.page_size), self.losses
            )
            yield from self._keyed("score", (_with_subject(row) for row in self._take(pages)))
            return
        except Absent:
            pass
        try:
            yield from self._keyed("score", self._numbered(SCORES_V2, since))
        except Absent:
            yield from self._keyed("score", self._numbered(SCORES_V1, since))

    def _observations_v4(self, bounds: Params) -> Iterator[Row]:
        """Pages, each once more when it shows a metadata value that was cut."""
        ask, lean = bounds | {"fields": _FIELDS}, bounds | {"fields": _WITHOUT_CONTENT}

        def cut(page: list[Row]) -> bool:
            found = {k: None for row in page for k, v in mapping(row.get("metadata")).items() if _is_cut(v)}
            new = [key for key in found if key not in self.expanded and "," not in key]
            self.expanded.update(dict.fromkeys(new[: MAX_EXPANDED - len(self.expanded)]))
            self.losses["cut_metadata"] += sum(key not in self.expanded for key in found)
            if self.expanded:
                ask["expandMetadata"] = lean["expandMetadata"] = ",".join(self.expanded)
            return any(key in self.expanded for key in new)

        return self._take(
            by_cursor(self.client, OBSERVATIONS_V4, ask, self.page_size, self.losses, lean=lean, again=cut)
        )

    def _of_environment(self, row: Row) -> Row:
        """A listed trace. A server before environments ignores that it was asked for one, and gives those of all."""
        if self.environment is not None and "environment" not in row:
            raise TracesProblem(
                "NoEnvironments",
                f"{self.client.host} is older than Langfuse's environments and would give the traces of all: leave "
                "langfuse.environment out, or update the server to version 3",
            )
        return row

    def _numbered(self, path: str, params: Params) -> Iterator[Row]:
        return self._take(by_number(self.client, path, params, self.page_size, self.losses))

    def _take(self, pages: Iterable[list[Row]]) -> Iterator[Row]:
        for page in islice(pages, self.pages):
            yield from page

    def _keyed(self, kind: str, rows: Iterable[Row], key: str = "traceId") -> Keyed:
        for row in rows:
            if kind == "score":
                self.score_names[str(row.get("name"))] += 1
            if row.get(key):
                yield str(row[key]), {kind: row}
            else:
                self.losses[f"{kind}s_without_trace"] += 1

    def _params(self, window: Window | None, name: str, *, slack: bool = False) -> Params:
        """Bounds and environment, as query parameters: `from<name>` is included, `to<name>` is not."""
        chosen: Params = {"environment": self.environment} if self.environment else {}
        if window is None:
            return chosen
        more = OVERLAP if slack else timedelta()
        end = window.end + 999_999  # up to the next millisecond
        bounds = {f"from{name}": _moment(window.start, -more), f"to{name}": _moment(end, more)}
        return chosen | bounds


def _moment(nanos: int, more: timedelta) -> str:
    """ISO 8601 in whole milliseconds, which is what Langfuse tells apart; the exact bounds are kept by the caller."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=nanos // 1_000_000) + more
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _is_cut(value: object) -> bool:
    return isinstance(value, str) and len(value) == CUT_AT


def _with_subject(row: Row) -> Row:
    """A score of version 3 with the ids of what it is about beside it, as in the older versions."""
    subject = row.get("subject")
    subject = subject if isinstance(subject, dict) else {}
    if subject.get("kind") == "observation":
        return {**row, "observationId": subject.get("id"), "traceId": subject.get("traceId")}
    return {**row, "traceId": subject.get("id")} if subject.get("kind") == "trace" else row
