"""From a request to an answer, as three generations of Langfuse give it.

- `v4`: `/api/public/v2/observations` and `/api/public/v3/scores`; the pages of v1 are gone.
- `v3`: the pages of v1 and `/api/public/v2/scores`; the v4 reads answer 404 with the sentence that they are off.
- `v2`: as version 2.95: the pages of v1 and `/api/public/scores`; all else answers 404 with a page of HTML.

Prompts are the same in all three, but that the oldest cannot move labels (`standins.langfuse.prompts`).

`faults` are answered first, one a request; pages above `largest` bytes are refused, as by a server at its limit.
"""

import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from standins.langfuse.project import Project, Row
from standins.langfuse.prompts import ROOT, Prompts, Refused

Generation = Literal["v4", "v3", "v2"]
VERSIONS: dict[Generation, str] = {"v4": "4.16.0", "v3": "3.150.0", "v2": "2.95.12"}
PUBLIC_KEY, SECRET_KEY = "pk-lf-stand-in", "sk-lf-stand-in"
CUT_AT = 200
_CORE = ("id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type")
FIELDS = {
    "core": _CORE,
    "basic": (
        *("name", "level", "statusMessage", "version", "environment"),
        *("bookmarked", "public", "userId", "sessionId", "isRootObservation"),
    ),
    "time": ("completionStartTime", "createdAt", "updatedAt"),
    "io": ("input", "output"),
    "metadata": ("metadata",),
    "model": ("providedModelName", "internalModelId", "modelParameters"),
    "usage": ("usageDetails", "costDetails", "totalCost", "usagePricingTierName"),
    "prompt": ("promptId", "promptName", "promptVersion"),
    "metrics": ("latency", "timeToFirstToken"),
    "trace_context": ("tags", "release", "traceName"),
}
_ALWAYS = ("modelId", "inputPrice", "outputPrice", "totalPrice")
_HTML = '<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/></head><body>404</body></html>'


@dataclass(frozen=True)
class Request:
    """Path with query, the Authorization header, and for a write the method and the body."""

    target: str
    authorization: str | None
    method: str = "GET"
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)

    def query(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.pairs if k == name]


@dataclass(frozen=True)
class Answer:
    """Status, body (an object is sent as JSON, text as HTML) and further headers."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    @property
    def content_type(self) -> str:
        return "text/html; charset=utf-8" if isinstance(self.body, str) else "application/json; charset=utf-8"


class Invalid(Exception):
    """A parameter that Langfuse refuses with 400."""

    def __init__(self, **issue: Any) -> None:
        super().__init__(issue["message"])
        self.issue = issue


@dataclass
class StandIn:
    """One server over one project. `asked` are the requests that came."""

    project: Project
    generation: Generation = "v4"
    largest: int | None = None
    faults: deque[Answer] = field(default_factory=deque)
    asked: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        if self.faults:
            return self.faults.popleft()
        if request.path == "/api/public/health":
            return Answer(200, {"status": "OK", "version": VERSIONS[self.generation]})
        route = self._prompts if request.path.startswith(ROOT) else self._route(request.path)
        answer = self._absent(request.path) if route is None else self._routed(route, request)
        if self.largest is not None and len(answer.content) > self.largest:
            return Answer(422, {"message": "The request is too expensive. Reduce the limit or narrow the time range."})
        return answer

    def _routed(self, route: Callable[[Request], Row], request: Request) -> Answer:
        token = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
        if request.authorization != f"Basic {token}":
            told = "Invalid credentials. Confirm that you've configured the correct host."
            return Answer(401, {"message": told})
        try:
            return Answer(200, route(request))
        except Refused as refused:
            return Answer(refused.status, refused.body)
        except Invalid as error:
            return Answer(400, {"message": "Invalid request data", "error": [error.issue]})
        except KeyError:
            told = "Trace not found within authorized project"
            return Answer(404, {"message": told, "error": "LangfuseNotFoundError"})

    def _route(self, path: str) -> Callable[[Request], Row] | None:
        routes: dict[str, tuple[str, Callable[[Request], Row]]] = {
            "/api/public/projects": ("v4 v3 v2", self._projects),
            "/api/public/v2/observations": ("v4", self._observations_v4),
            "/api/public/v3/scores": ("v4", self._scores_v3),
            "/api/public/traces": ("v3 v2", self._traces),
            "/api/public/observations": ("v3 v2", self._observations_v1),
            "/api/public/v2/scores": ("v3", self._scores_v1),
            "/api/public/scores": ("v2", self._scores_v1),
        }
        generations, route = routes.get(path, ("v3 v2" if path.startswith("/api/public/traces/") else "", self._one))
        return route if self.generation in generations.split() else None

    def _absent(self, path: str) -> Answer:
        if self.generation == "v2":
            return Answer(404, _HTML)
        what = path.removeprefix("/api/public/")
        told = f"The {what} API is only available in a Langfuse v4 write mode."
        if self.generation == "v4":
            told = f"The {what} API is not available in Langfuse v4."
        return Answer(404, {"message": told, "error": "LangfuseNotFoundError"})

    def _prompts(self, request: Request) -> Row:
        prompts = Prompts(self.project, old=self.generation == "v2")
        if request.method == "GET":
            return prompts.get(request.path, dict(request.pairs))
        asked = json.loads(request.body)
        if request.method == "POST" and request.path == ROOT:
            return prompts.create(asked)
        done = prompts.put_labels(request.path, asked) if request.method == "PATCH" else None
        if done is None:
            raise Refused(405, "Method not allowed", "MethodNotAllowedError")
        return done

    # ------------------------------------------------------------ version 4

    def _observations_v4(self, request: Request) -> Row:
        groups = (request.query("fields") or "core,basic").split(",")
        if unknown := [g for g in groups if g not in FIELDS]:
            raise Invalid(code="invalid_enum_value", message=f"Invalid field group {unknown[0]}", path=["fields"])
        names = [name for group in dict.fromkeys(["core", *groups]) for name in FIELDS[group]]
        expanded = (request.query("expandMetadata") or "").split(",")
        chosen = _chosen(self.project.observations, request, "startTime", "StartTime")
        chosen.sort(key=_place, reverse=True)
        rows, cursor = _page(chosen, request, 1000)
        shown = []
        for row in rows:
            one = {name: row[name] for name in names if name in row} | dict.fromkeys(_ALWAYS)
            if "metadata" in one:
                one["metadata"] = {k: v if k in expanded else v[:CUT_AT] for k, v in row["metadata"].items()}
            shown.append(one)
        return {"data": shown, "meta": {"cursor": cursor} if cursor else {}}

    def _scores_v3(self, request: Request) -> Row:
        limit = _number(request, "limit", 50, 100)
        chosen = _chosen(self.project.scores, request, "timestamp", "Timestamp")
        chosen.sort(key=_place, reverse=True)
        rows, cursor = _page(chosen, request, 100)
        groups = (request.query("fields") or "").split(",")
        shown = [row if "subject" in groups else {k: v for k, v in row.items() if k != "subject"} for row in rows]
        return {"data": shown, "meta": {"limit": limit} | ({"cursor": cursor} if cursor else {})}

    # ------------------------------------------------------------ older servers

    def _traces(self, request: Request) -> Row:
        chosen = _chosen(self.project.traces, request, "timestamp", "Timestamp")
        field_, _, order = (request.query("orderBy") or "timestamp.desc").partition(".")
        return _numbered(sorted(chosen, key=lambda row: row[field_], reverse=order == "desc"), request)

    def _observations_v1(self, request: Request) -> Row:
        chosen = _chosen(self.project.observations_v1, request, "startTime", "StartTime")
        return _numbered(sorted(chosen, key=lambda row: row["startTime"], reverse=True), request)

    def _scores_v1(self, request: Request) -> Row:
        chosen = _chosen(self.project.scores_v1, request, "timestamp", "Timestamp")
        return _numbered(sorted(chosen, key=lambda row: row["timestamp"], reverse=True), request)

    def _one(self, request: Request) -> Row:
        identity = request.path.rsplit("/", 1)[1]
        trace = next((row for row in self.project.traces if row["id"] == identity), None)
        if trace is None:
            raise KeyError(identity)
        own = [row for row in self.project.observations_v1 if row["traceId"] == identity]
        scores = [row for row in self.project.scores_v1 if row["traceId"] == identity]
        return {**trace, "observations": own, "scores": scores}

    def _projects(self, request: Request) -> Row:
        project: Row = {"id": self.project.id, "name": self.project.name}
        if self.generation != "v2":
            project |= {"organization": {"id": "org", "name": "Stand-in"}, "metadata": {}}
        return {"data": [project]}


_EQUAL = ("name", "type", "traceId", "userId", "sessionId", "level", "version")


def _chosen(rows: list[Row], request: Request, at: str, bound: str) -> list[Row]:
    """The rows that a request's filters let through."""
    equal = {name: value for name in _EQUAL if (value := request.query(name)) is not None}
    environments, tags = request.all("environment"), set(request.all("tags"))
    since, until = (_comparable(request.query(f"{side}{bound}")) for side in ("from", "to"))
    return [
        row
        for row in rows
        if all(row.get(name) == value for name, value in equal.items())
        and (not environments or row.get("environment") in environments)
        and tags <= set(row.get("tags") or ())
        and (since is None or row[at] >= since)
        and (until is None or row[at] < until)
    ]


def _comparable(moment: str | None) -> str | None:
    """Rows have milliseconds; bounds may come without."""
    return moment if moment is None or "." in moment else moment.replace("Z", ".000Z")


def _place(row: Row) -> list[str]:
    return [row.get("startTime") or row["timestamp"], row.get("traceId", ""), row["id"]]


def _page(rows: list[Row], request: Request, most: int) -> tuple[list[Row], str | None]:
    limit = _number(request, "limit", 50, most)
    if cursor := request.query("cursor"):
        after = json.loads(base64.urlsafe_b64decode(cursor))
        rows = [row for row in rows if _place(row) < after]
    page = rows[:limit]
    more = len(rows) > limit
    return page, base64.urlsafe_b64encode(json.dumps(_place(page[-1])).encode()).decode() if more else None


def _numbered(rows: list[Row], request: Request) -> Row:
    page, limit = _number(request, "page", 1, None), _number(request, "limit", 50, 100)
    meta = {"page": page, "limit": limit, "totalItems": len(rows), "totalPages": -(-len(rows) // limit)}
    return {"data": rows[(page - 1) * limit : page * limit], "meta": meta}


def _number(request: Request, name: str, default: int, most: int | None) -> int:
    text = request.query(name)
    if text is None:
        return default
    if not text.isdigit():
        told = "Expected number, received nan"
        raise Invalid(code="invalid_type", expected="number", received="nan", path=[name], message=told)
    if most is not None and int(text) > most:
        told = f"Number must be less than or equal to {most}"
        raise Invalid(
            code="too_big", maximum=most, type="number", inclusive=True, exact=False, message=told, path=[name]
        )
    return int(text)
