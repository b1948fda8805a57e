"""The demo agent's loop: an ordinary tool-using one, over an OpenAI-compatible API.

Render the prompt components, ask the model, run the tool call that it asks for, until it answers. Only the model is
pretended (`demo.standin`), and the shops (`demo.world`). The agent knows its tenant, as a real one would from the
request, and never tells the model.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.standin import MODEL
from demo.world import SHOPS, TOOLS, ToolError, understand

TURNS = 8
"""Model calls after which the loop ends whatever the model says."""


@dataclass(frozen=True)
class Turn:
    """One model call and, unless it answered, the tool call that it asked for."""

    messages: list[dict[str, Any]]
    reply: dict[str, Any]
    usage: dict[str, int]
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    result: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Episode:
    """One question, worked on to its end. `score` is 1.0 when the answer holds the right number."""

    shop: str
    question: str
    instructions: str
    turns: list[Turn]
    answer: str
    score: float


class Model:
    """Chat completions over HTTP, one connection kept open."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(request)
        self._connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"the model answered {answer.status}: {document}")
        return document

    def close(self) -> None:
        self._connection.close()


def run(model: Model, shop_name: str, question: str, components: Mapping[str, str], seed: int) -> Episode:
    """Work on one question for one shop under the given prompt components."""
    shop = SHOPS[shop_name]
    texts = [text for name, text in components.items() if not name.startswith("tool.")]
    instructions = "\n\n".join(texts)
    tools = [
        {"type": "function", "function": {"name": n, "description": components.get(f"tool.{n}", ""), "parameters": s}}
        for n, s in TOOLS.items()
    ]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": question},
    ]
    turns: list[Turn] = []
    answer = ""
    for _ in range(TURNS):
        asked = list(messages)
        completion = model.complete({"model": MODEL, "messages": messages, "tools": tools, "seed": seed})
        reply = completion["choices"][0]["message"]
        messages.append(reply)
        if not reply.get("tool_calls"):
            answer = reply["content"]
            turns.append(Turn(asked, reply, completion["usage"]))
            break
        call = reply["tool_calls"][0]
        tool, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        try:
            result, failed = json.dumps(shop.call(tool, arguments)), False
        except ToolError as error:
            result, failed = json.dumps({"error": str(error)}), True
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        turns.append(Turn(asked, reply, completion["usage"], tool, arguments, result, failed))
    return Episode(shop_name, question, instructions, turns, answer, _judge(shop_name, question, answer))


def _judge(shop_name: str, question: str, answer: str) -> float:
    """The evaluator of this agent: does the answer hold the number that the shop's books hold?"""
    task = understand(question)
    right = SHOPS[shop_name].answer(task) if task else None
    return float(right is not None and f" {right}." in answer)
