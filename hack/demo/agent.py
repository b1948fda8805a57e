"""The demo agent: answers questions about stock and shipping for six shops, with tools, over an OpenAI-compatible API.

    python -m demo.agent serve  --port 8901                       /v1/chat/completions (the stand-in) and /replay
    python -m demo.agent record --port 8901 --prompts F --out F   a fortnight of traffic, as OTLP-JSON lines

`/replay` runs the loop of `demo.episode`, which asks the model over HTTP like any other client, so a replayed case goes
the way that a live one goes.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

from demo import telemetry
from demo.episode import Model, run
from demo.standin import MODEL, complete
from demo.world import COLOURS, NOUNS, PLACES, SHOPS, ZONES, Task, ask

TASKS_PER_SHOP, RUNS = 25, (2, 3, 4, 5, 6)
"""150 distinct tasks; each comes back two to six times, four on average, in other words."""

FORTNIGHT = 14 * 86400


# ---------------------------------------------------------------- serving


def replay(model: Model, body: Mapping[str, Any]) -> dict[str, Any]:
    """`POST /replay`: one case of the past under other prompts. Raises KeyError for an incomplete one."""
    asked = body["input"]
    question = asked if isinstance(asked, str) else "\n".join(str(message["content"]) for message in asked)
    episode = run(model, body["metadata"]["app.tenant"], question, body["components"], int(body.get("seed", 0)))
    steps = [
        {
            "kind": "tool",
            "name": turn.tool,
            "input": turn.arguments,
            "output": turn.result,
            "status": "error" if turn.failed else "ok",
        }
        for turn in episode.turns
        if turn.tool
    ]
    usage = {key: sum(turn.usage[key] for turn in episode.turns) for key in ("prompt_tokens", "completion_tokens")}
    return {
        "case_id": body.get("case_id"),
        "steps": steps,
        "output": episode.answer,
        "scores": {telemetry.SCORE: episode.score},
        "usage": usage,
    }


def serve(host: str, port: int) -> None:
    """Serve until killed: the stand-in model and the agent's staging endpoint on one port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Silence: one line per call would bury the demo."""

        def do_GET(self) -> None:
            self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                self._answer(200, self._route(body))
            except (KeyError, TypeError, ValueError) as error:
                self._answer(400, {"error": {"message": repr(error), "type": "invalid_request_error"}})

        def _route(self, body: dict[str, Any]) -> dict[str, Any]:
            if not self.path.endswith("/replay"):
                return complete(body)
            model = Model("127.0.0.1", port)
            try:
                return replay(model, body)
            finally:
                model.close()

        def _answer(self, code: int, document: Mapping[str, Any]) -> None:
            data = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer((host, port), Handler).serve_forever()


# ---------------------------------------------------------------- a fortnight of traffic


def traffic(seed: int) -> list[tuple[str, Task, int]]:
    """Who asks what, in which phrasing, in order of time: about 600 sessions over 150 tasks of six shops."""
    draw = random.Random(seed)
    asked: list[tuple[str, Task, int]] = []
    everything = [Task("stock", n, c, p) for n, c, p in product(NOUNS, COLOURS, PLACES)]
    everything += [Task("shipping", n, c, z) for n, c, z in product(NOUNS, COLOURS, ZONES)]
    for shop in SHOPS:
        for task in draw.sample(everything, TASKS_PER_SHOP):
            asked += [(shop, task, phrasing) for phrasing in range(draw.choice(RUNS))]
    draw.shuffle(asked)
    return asked


def record(model: Model, components: Mapping[str, str], out: Path, seed: int) -> dict[str, float]:
    """Let the agent work through a fortnight that ends now, and write one OTLP-JSON line a trace.

    Returns the number of `traces`, and the share that was `right`.
    """
    sessions, solved, begin = traffic(seed), 0.0, time.time() - FORTNIGHT
    with out.open("w") as file:
        for number, (shop, task, phrasing) in enumerate(sessions):
            episode = run(model, shop, ask(task, phrasing), components, seed * 100_003 + number)
            start = begin + number * (FORTNIGHT - 3600) / len(sessions)
            key = f"{shop}/{task.kind}/{task.noun}/{task.colour}/{task.place}"
            file.write(json.dumps(telemetry.trace(episode, number, key, start)) + "\n")
            solved += episode.score
    return {"traces": len(sessions), "right": solved / len(sessions)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.agent", description="The demo's stand-in agent.")
    parser.add_argument("verb", choices=["serve", "record"])
    parser.add_argument("--host", default="127.0.0.1", help="serve: address to listen on; record: the model's host")
    parser.add_argument("--port", type=int, default=8901)
    parser.add_argument("--prompts", type=Path, help="record: JSON file with the prompt components")
    parser.add_argument("--out", type=Path, help="record: file for the OTLP-JSON lines")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.verb == "serve":
        serve(options.host, options.port)
    if options.prompts is None or options.out is None:
        parser.error("record needs --prompts and --out")
    components = json.loads(options.prompts.read_text())
    print(json.dumps(record(Model(options.host, options.port), components, options.out, options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
