"""A stand-in for an OpenAI-compatible endpoint: a real HTTP server on this machine that answers what a test tells it.

It is not a model. What it checks is the client: what goes over the wire, and what is made of every kind of answer.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ninefold.api.spending import Spent
from ninefold.spending import Booking, Unlimited

Reply = tuple[int, Any]


class StandIn:
    """Requests and (lower-case) headers as they came, and the address to put into `base_url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []


def says(text: str, tokens: int = 100, finish: str = "stop") -> Reply:
    """A completion with this content."""
    message = {"role": "assistant", "content": text}
    return 200, {
        "id": "standin-1",
        "object": "chat.completion",
        "created": 0,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens},
    }


def refuses(status: int, message: str = "no") -> Reply:
    return status, {"error": {"message": message, "type": "invalid_request_error"}}


@contextmanager
def model_standin(answer: Callable[[dict[str, Any]], Reply]) -> Iterator[StandIn]:
    """Serve `answer(request body)` at `/v1/chat/completions` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two would wait for each other, 40 ms a call
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            standin.requests.append(body)
            standin.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, reply = answer(body) if self.path == "/v1/chat/completions" else refuses(404)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After-Ms", "1")  # the SDK waits as long as it is told: tests need not wait
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    standin = StandIn(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class CountingBudget:
    """A token budget in memory, with the promise of the store's."""

    def __init__(self) -> None:
        self.reserved = 0

    async def reserve(self, amount: int, limit: int) -> bool:
        if self.reserved + amount > limit:
            return False
        self.reserved += amount
        return True


class CountingPurse(Unlimited):
    """A purse in memory that is never empty: what was settled, by what it was for."""

    def __init__(self) -> None:
        self.lines: dict[str, Spent] = {}

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        self.lines[booking.what.name] = self.lines.get(booking.what.name, Spent()) + actual

    async def spent(self) -> dict[str, Spent]:
        return self.lines

    async def spent_by_day(self) -> dict[str, Spent]:
        return {}


class MemoryCache:
    """An answer cache in memory, with the promise of the store's."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    async def get(self, request: Any) -> Any | None:
        return self.answers.get(json.dumps(request, sort_keys=True))

    async def put(self, request: Any, answer: Any) -> None:
        self.answers[json.dumps(request, sort_keys=True)] = answer
