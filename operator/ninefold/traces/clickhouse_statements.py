"""What the server of the exporter's table is asked. It does what is mere bulk; what attributes mean is never said here.

- *Whose traces.* A trace that starts in a window has a span in it, and one of an agent has a span that names the agent
  in some attribute (or service) from which an agent's name is taken. Both are necessary and not sufficient, so they
  leave out what cannot be wanted, and the one set of rules decides about the rest. Traces left out because of their
  names are told in a row each (`OTHERS`), for they are counted.
- *Content once.* An agent's turn repeats the whole history, and most attributes of the turn before. Of each span only
  that is sent which differs from the span of the same name before it in the trace, value by value: nothing of one that
  is the same, and of a list in JSON that goes on where the one before it ended only the rest. Both are comparisons of
  bytes, whatever the bytes mean. What is no UTF-8 is sent whole, for it becomes other text on the way.

`GLOBAL IN` is a plain one on one server, and the only one that a table over many (`Distributed`) allows.
"""

from ninefold.traces.precedence import FIELDS

SAME, LONGER = 1, 2
"""Marks of a value: that of the span before; that without its last character, and what was sent. 0: what was sent."""

_TABLE = "{database:Identifier}.{table:Identifier}"


def _between(start: str, end: str) -> str:
    moments = [f"fromUnixTimestamp64Nano({{{name}:Int64}})" for name in (start, end)]
    return f"Timestamp >= {moments[0]} AND Timestamp < {moments[1]} AND TraceId != ''"


_AROUND, _WINDOW = _between("around_from", "around_to"), _between("from", "to")
STARTED = f"TraceId GLOBAL IN (SELECT DISTINCT TraceId FROM {_TABLE} WHERE {_WINDOW})"  # noqa: S608
"""Whether a trace has a span in the window."""


def _names(attributes: str) -> list[str]:
    return [f"{attributes}['{name}']" for name in FIELDS["agent"]]


_OF_SERVICE = "ResourceAttributes['service.name']"
_OWN = " OR ".join(f"{name} = {{agent:String}}" for name in ("ServiceName", _OF_SERVICE, *_names("SpanAttributes")))
_OF_EVENTS = " OR ".join(f"{name} = {{agent:String}}" for name in _names("a"))
_NAMED = f"""SELECT DISTINCT TraceId FROM {_TABLE}
    WHERE {_AROUND} AND ({_OWN} OR arrayExists(a -> {_OF_EVENTS}, `Events.Attributes`))"""  # noqa: S608

_COLUMNS = """TraceId, SpanId, ParentSpanId, SpanName, ServiceName, StatusCode, StatusMessage, Duration,
    toUnixTimestamp64Nano(Timestamp) AS Start, ResourceAttributes,
    arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`) AS EventTimes,
    `Events.Name` AS EventNames, `Events.Attributes` AS EventAttributes"""
_FORMAT = "LIMIT {most:UInt64} BY TraceId\nFORMAT JSONCompactEachRowWithNames"

WHOLE = f"""
SELECT {_COLUMNS}, SpanAttributes
FROM {_TABLE}
WHERE {_AROUND} AND {STARTED}
ORDER BY TraceId, SpanName, Timestamp, SpanId
{_FORMAT}
"""  # noqa: S608
"""Spans as they are: for a table whose attributes are columns of JSON, which have no keys to go by."""

_CUT = "substring(Before[k], 1, length(Before[k]) - 1)"
_MARK = f"""multiIf(NOT isValidUTF8(Before[k]), 0, v = Before[k], {SAME},
        endsWith(Before[k], ']') AND startsWith(v, concat({_CUT}, ',')), {LONGER}, 0)"""


def once(named: bool) -> str:
    """Spans by trace, name and time, and of their attributes what differs. `named`: only traces that name the agent."""
    whose = f"{STARTED} AND TraceId GLOBAL IN ({_NAMED})" if named else STARTED
    return f"""
SELECT {_COLUMNS}, Nth, mapKeys(SpanAttributes) AS Keys,
    arrayMap((k, v) -> {_MARK}, Keys, mapValues(SpanAttributes)) AS Marks,
    arrayMap((k, v, m) -> multiIf(m = {SAME}, '', m = {LONGER}, substring(v, length(Before[k])), v),
        Keys, mapValues(SpanAttributes), Marks) AS Values
FROM (
    SELECT *, row_number() OVER spans AS Nth, lagInFrame(SpanAttributes) OVER spans AS Before
    FROM {_TABLE}
    WHERE {_AROUND} AND {whose}
    WINDOW spans AS (PARTITION BY TraceId, SpanName ORDER BY Timestamp, SpanId
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
ORDER BY TraceId, SpanName, Nth
{_FORMAT}
"""  # noqa: S608


_ENVIRONMENTS = ("deployment.environment.name", "deployment.environment")
_NAMES = (
    ("Agent", _names("SpanAttributes")),
    ("Service", [_OF_SERVICE, "ServiceName"]),
    ("Environment", [f"ResourceAttributes['{name}']" for name in _ENVIRONMENTS]),
)
_SAID = ", ".join(
    f"""coalesce({", ".join(f"nullIf({name}, '')" for name in names)}, '') AS {what}Said""" for what, names in _NAMES
)
_FIRST = ", ".join(f"argMinIf({what}Said, Timestamp, {what}Said != '') AS {what}" for what, _ in _NAMES)

OTHERS = f"""
SELECT TraceId, toUnixTimestamp64Nano(min(Timestamp)) AS Start, {_FIRST}
FROM (
    SELECT TraceId, Timestamp, {_SAID}
    FROM {_TABLE}
    WHERE {_AROUND} AND {STARTED} AND TraceId GLOBAL NOT IN ({_NAMED})
)
GROUP BY TraceId
ORDER BY TraceId
FORMAT JSONCompactEachRowWithNames
"""  # noqa: S608
"""A row for each trace that has no span which names the agent: when it began, and what it is called."""
