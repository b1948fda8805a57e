"""A staging endpoint over real HTTP, and stand-ins for what the store gives."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ninefold.api.spending import Spent
from ninefold.replay import Limiter, Till
from ninefold.spending import Booking, BudgetSpentError, What


@dataclass
class Reply:
    """What the endpoint answers: a JSON value or raw bytes. `hold` keeps it until the test ends."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False


def solved(request: dict[str, Any], score: float = 1.0) -> Reply:
    """An answer as the contract has it."""
    return Reply(
        {
            "case_id": request["case_id"],
            "steps": [{"kind": "tool", "name": "find_room", "status": "ok"}, {"kind": "tool", "status": "error"}],
            "output": "Room 7",
            "scores": {"solved": score, "tone": 0.5},
            "usage": {"prompt_tokens": 90, "completion_tokens": 10},
        }
    )


class Staging:
    """`answer` may be replaced; `requests` and `headers` are what came in, in order."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Reply] = solved
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._released = threading.Event()
        staging = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer: two would wait for each other, 40 ms a call
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                staging.requests.append(body)
                staging.headers.append({name.lower(): value for name, value in self.headers.items()})
                reply = staging.answer(body)
                if reply.hold:
                    staging._released.wait()
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(data)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # as many callers at once as a test makes

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that give up are the point
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/replay"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def staging() -> Iterator[Staging]:
    server = Staging()
    server.start()
    yield server
    server.stop()


class DictCache:
    """A stand-in for the store's cache of answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    async def get(self, request: Any) -> Any | None:
        return self.answers.get(json.dumps(request, sort_keys=True))

    async def put(self, request: Any, answer: Any) -> None:
        self.answers[json.dumps(request, sort_keys=True)] = answer


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Purse:
    """A stand-in for the store's purse of one run: so many calls."""

    def __init__(self, limit: int = 10_000) -> None:
        self.left = limit

    async def book(self, call: str, what: What, estimate: Spent) -> Booking:
        if self.left <= 0:
            raise BudgetSpentError("all calls of budget.replayCalls are spent")
        self.left -= 1
        return Booking(call, what, "2026-01-01", estimate)

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        pass

    async def release(self, booking: Booking) -> None:
        self.left += 1


def a_till(cache: DictCache, clock: Clock, limit: int = 10_000, retries: int = 3, most: int = 64) -> Till:
    """A till whose waits pass at once."""
    limiter = Limiter(most, sleep=clock.sleep, clock=clock, jitter=lambda: 1.0)
    return Till(cache, Purse(limit), limiter, retries=retries, sleep=clock.sleep, clock=clock, jitter=lambda: 1.0)


@pytest.fixture
def cache() -> DictCache:
    return DictCache()


@pytest.fixture
def clock() -> Clock:
    return Clock()
