"""The table of spans that the OpenTelemetry collector's ClickHouse exporter writes, read over HTTP.

Source: opentelemetry-collector-contrib, `exporter/clickhouseexporter` (`internal/sqltemplates/traces_table.sql`). Every
attribute is text there. The server sorts by trace, so whole traces stream by and memory is that of one of them. A
window's traces are those that start in it: spans `MARGIN` before and after are read to see them whole, and to see
that those which began earlier belong to the window before. What the server leaves out, and what it sends once only,
is said in `ninefold.traces.clickhouse_statements`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import httpx

from ninefold.api.tracebackend import Capabilities, ClickHouseSource
from ninefold.traces.backend import Window, within
from ninefold.traces.clickhouse_statements import LONGER, OTHERS, SAME, WHOLE, once
from ninefold.traces.model import TraceRecord
from ninefold.traces.otel import Event, Flat, kept_of, trace_of
from ninefold.traces.paths import loaded
from ninefold.traces.probe import RECENT, capabilities, recent
from ninefold.traces.problem import TracesProblem
from ninefold.traces.rest import Missing, RefusedRequest, Server, TooLarge, secret
from ninefold.traces.spool import MAX_RECORDS, bounded

MARGIN = 6 * 3600 * 10**9
"""Nanoseconds. A trace that is still running this long after its start loses its end, as in every backend."""
_SETTINGS = {"output_format_json_quote_64bit_integers": 0, "max_bytes_before_external_sort": 2**30}
_PERMISSION = "GRANT SELECT ON {}.{} TO {}"
_Row = dict[str, Any]


class ClickHouse:
    """The `clickhouse` backend (see `ninefold.traces.backend.Backend`).

    `agent`: whose traces are wanted; of others it tells no more than when they began and what they are called.
    """

    def __init__(
        self,
        source: ClickHouseSource,
        secrets: Mapping[str, str],
        agent: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.losses: Counter[str] = Counter()
        self._source, self._agent = source, agent
        self._nested = False  # attributes as columns of JSON, which shows when maps are asked for
        headers = {"X-ClickHouse-User": source.username}
        if source.password_secret_ref is not None:
            headers["X-ClickHouse-Key"] = secret(secrets, "PASSWORD", "clickhouse.passwordSecretRef")
        self._server = Server(source.url, "clickhouse", headers, self.losses, transport=transport)

    def probe(self) -> Capabilities:
        found = capabilities([], recent(self, RECENT), self.losses)
        return found.model_copy(update={"api": f"ClickHouse table {self._source.database}.{self._source.table}"})

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from within(window, self._traces(window), self.losses)

    def _traces(self, window: Window) -> Iterator[TraceRecord]:
        if not self._nested:
            try:
                yield from self._assembled(_restored(self._rows(window, once(self._agent is not None)), self.losses))
                if self._agent is not None:
                    yield from map(_other, self._rows(window, OTHERS))
                return
            except RefusedRequest as refused:
                if b"ILLEGAL_TYPE" not in refused.said:
                    raise self._misnamed(refused.said) from None
                self._nested = True
        try:
            yield from self._assembled(self._rows(window, WHOLE))
        except RefusedRequest as refused:
            raise self._misnamed(refused.said) from None

    def _assembled(self, rows: Iterator[_Row]) -> Iterator[TraceRecord]:
        for _, group in groupby(rows, key=lambda row: row["TraceId"]):
            spans = [_flat(row) for row in bounded(group, self.losses)]
            if spans:
                yield trace_of(spans, self.losses)

    def _rows(self, window: Window, statement: str) -> Iterator[_Row]:
        values = {
            "database": self._source.database,
            "table": self._source.table,
            "from": window.start,
            "to": window.end,
            "around_from": window.start - MARGIN,
            "around_to": window.end + MARGIN,
            "most": MAX_RECORDS + 1,  # one more shows that a trace has too many
            "agent": self._agent or "",
        }
        params: _Row = {**_SETTINGS, **{f"param_{name}": value for name, value in values.items()}}
        try:
            lines = self._server.lines("/", params, statement.encode())
            names = self._columns(next(lines, b""))
            for line in lines:
                try:
                    row = dict(zip(names, loaded(line, self.losses), strict=True))
                    row["TraceId"] = row["TraceId"].lower()
                except (ValueError, TypeError, KeyError, RecursionError):
                    self.losses["malformed_rows"] += 1
                    continue
                yield row
        except TooLarge:
            raise self._problem("RowTooLarge", "holds a row larger than 128 MiB: drop it from the table") from None
        except Missing as missing:
            raise self._misnamed(missing.said) from None

    def _columns(self, line: bytes) -> list[str]:
        """The names that stand before all rows."""
        try:
            names = loaded(line, self.losses)
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or "TraceId" not in names:
            raise self._stranger()
        return names

    def _misnamed(self, said: bytes) -> TracesProblem:
        """What ClickHouse's error code means here; its text is not told, for it quotes the query."""
        if b"UNKNOWN_DATABASE" in said or b"UNKNOWN_TABLE" in said:
            return self._problem(
                "NoSuchTable",
                f"has no table {self._source.table} in {self._source.database}: write those that the exporter's "
                "configuration names as clickhouse.database and clickhouse.table",
            )
        if b"UNKNOWN_IDENTIFIER" in said or b"ILLEGAL_TYPE" in said:
            return self._problem(
                "WrongTable", f"has a table {self._source.table} which is not the collector exporter's table of spans"
            )
        if b"ACCESS_DENIED" in said or b"AUTHENTICATION_FAILED" in said or b"REQUIRED_PASSWORD" in said:
            grant = _PERMISSION.format(self._source.database, self._source.table, self._source.username)
            return self._problem("Unauthorized", f"does not let {self._source.username} read: check it, and {grant}")
        if b"MEMORY_LIMIT" in said or b"TIMEOUT" in said or b"TOO_MANY" in said:
            found = self._problem("BackendUnavailable", "has no memory or time for the query: read a shorter window")
            found.permanent = False
            return found
        return self._stranger()

    def _stranger(self) -> TracesProblem:
        return self._problem("WrongServer", "answers, but not as ClickHouse does: write the address of its HTTP port")

    def _problem(self, reason: str, what: str) -> TracesProblem:
        return TracesProblem(reason, f"{self._server.url} {what}")


def _restored(rows: Iterator[_Row], losses: Counter[str]) -> Iterator[_Row]:
    """The rows of `once` with all their attributes. One whose row before cannot be read counts as malformed."""
    before: dict[str, str] = {}
    for row in rows:
        if row["Nth"] == 1:
            before = {}
        try:
            marked = zip(row.pop("Keys"), row.pop("Marks"), row.pop("Values"), strict=True)
            before = {key: _value(before, key, mark, sent) for key, mark, sent in marked}
        except KeyError:
            losses["malformed_rows"] += 1
            continue
        yield {**row, "SpanAttributes": before}


def _value(before: Mapping[str, str], key: str, mark: int, sent: str) -> str:
    if mark == SAME:
        return before.get(key, "")
    return before[key][:-1] + sent if mark == LONGER else sent


def _other(row: _Row) -> TraceRecord:
    """A trace that cannot be the wanted agent's, as far as it is told: it is counted, and left out."""
    return TraceRecord(
        trace_id=row["TraceId"],
        session_id=row["TraceId"],
        user_hash=None,
        agent=row["Agent"] or row["Service"] or None,
        agent_version=None,
        environment=row["Environment"] or None,
        start_ts=int(row["Start"]),
        end_ts=int(row["Start"]),
        cost_usd=None,
        metadata={},
        steps=(),
        scores=(),
        messages={},
    )


def _flat(row: _Row) -> Flat:
    events = zip(row["EventTimes"], row["EventNames"], row["EventAttributes"], strict=False)
    start = int(row["Start"])
    return Flat(
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        parent_id=row["ParentSpanId"] or None,
        name=row["SpanName"],
        start=start,
        end=start + int(row["Duration"]),
        failed=row["StatusCode"] in ("Error", "STATUS_CODE_ERROR"),
        message=row["StatusMessage"] or None,
        resource={"service.name": row["ServiceName"], **kept_of(_dotted(row["ResourceAttributes"]))},
        attributes=_dotted(row["SpanAttributes"]),
        events=[Event(name=name, ts=int(ts), attributes=_dotted(said)) for ts, name, said in events],
    )


def _dotted(value: _Row, prefix: str = "") -> _Row:
    """Attributes by their full names, also where the exporter was set to write JSON columns, which nest them."""
    found: _Row = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= _dotted(inner, f"{prefix}{key}.")
        else:
            found[prefix + key] = inner
    return found
