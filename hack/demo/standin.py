"""A stand-in for a language model, behind OpenAI's chat completions. It is not a model, and says so in its name.

It reads what a model would be given (instructions, tool descriptions, the conversation) and nothing else: it does not
know the shops. Its habits are those that make real tool-using agents fail, written down as generic rules:

- **It guesses identifiers.** A code that it needs is recognised in anything it has read: a token with a separator
  whose parts contain the words of the question (`wh_north` for "north"). Several that fit: it picks one. None: it
  makes one up in a style that it has seen elsewhere, and is mostly wrong. Another shop's codes in the prompt are
  believed, and the calls with them fail.
- **It seldom looks before it acts**: it calls the look-up tool first one time in five, and nine times in ten when one
  short sentence that forbids nothing tells it to (a look-up word and an order word such as "first" or "before").
- **It repeats itself.** After an error it makes the same call again, guesses anew, or looks up. When a short sentence
  about errors or failed calls tells it to do something else (look up, change the call, not repeat it), it repeats
  itself less and looks up more.
- **It slips.** One answer in twenty is misread from a right result, whatever the prompt says; and a question about an
  item that the shop no longer sells is never answered.

Each decision is drawn from a generator seeded by the request's `seed` and everything that was read: the same request
gets the same answer, and any change of the prompt draws anew, as sampling from a model would. So a null edit is not a
no-op here, which makes it a real negative control.
"""

import hashlib
import json
import random
import re
from dataclasses import dataclass
from typing import Any

from demo.world import Task, understand

MODEL = "demo-standin"

GUESSES = {
    "item": ("{noun}_{colour}", "{colour}_{noun}", "{noun}-{colour}", "{colour}{noun}", "{noun}s_{colour}"),
    "warehouse": ("{place}", "warehouse_{place}", "wh_{place}", "{place}_warehouse", "{place}-wh"),
    "zone": ("{place}", "zone_{place}", "{place}_zone", "{place}_region", "region_{place}"),
}
"""Styles in which it makes up a code; it has no way to know which one a shop uses."""

MAX_CALLS = 6
"""Tool calls after which it gives up and says so."""

LOOKS_FIRST = 0.2
LOOKS_FIRST_WHEN_TOLD = 0.9
AFTER_ERROR = {"look": 0.2, "repeat": 0.45}
AFTER_ERROR_WHEN_TOLD = {"look": 0.5, "repeat": 0.05}
"""After an error: look up, repeat the same call, else guess anew."""
MISREADS = 0.05

CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)+")
LOOK = re.compile(r"\b(list|lists|listing|looks? it up|look(ing|s)?[- ]?up|discover|list_codes)\b", re.I)
ORDER = re.compile(r"\b(first|before|start|begin|prior|initially|until)\b", re.I)
ERROR = re.compile(r"\b(errors?|fails?|failed|failing|failure|refused|rejected)\b", re.I)
OTHERWISE = re.compile(r"\b(change|changed|another|other|different|differently|instead|second time)\b", re.I)
REPEAT = re.compile(r"\b(repeat|retry|again|same call|unchanged)\b", re.I)
NEGATION = re.compile(r"\b(never|not|don't|avoid|without|skip|unless|no need)\b", re.I)


@dataclass(frozen=True)
class Reading:
    """What it takes from its instructions, and what it has seen so far."""

    told_to_look: bool
    told_about_errors: bool
    codes: tuple[str, ...]
    question: str
    calls: tuple[tuple[str, str], ...]
    """Tool name and arguments (JSON text) of the calls so far, oldest first."""
    last_result: str | None
    look_up_tool: str | None
    """The offered tool that needs no argument: what one can call when one knows nothing."""


def complete(request: dict[str, Any]) -> dict[str, Any]:
    """`POST /v1/chat/completions`: one assistant message with a tool call or the answer. Raises KeyError, TypeError."""
    reading = read(request)
    everything = json.dumps([request.get("seed", 0), request["messages"], request.get("tools")], sort_keys=True)
    draw = random.Random(hashlib.sha256(everything.encode()).digest())
    message = next_message(reading, draw)
    told = sum(len(str(m.get("content") or "")) for m in request["messages"])
    told += len(json.dumps(request.get("tools") or []))
    prompt_tokens, completion_tokens = told // 4, len(json.dumps(message)) // 4
    return {
        "id": f"standin-{draw.getrandbits(48):012x}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def read(request: dict[str, Any]) -> Reading:
    messages = request["messages"]
    tools = [tool["function"] for tool in request.get("tools") or []]
    instructions = "\n".join(
        [str(m["content"]) for m in messages if m["role"] in ("system", "developer")]
        + [str(tool.get("description", "")) for tool in tools]
    )
    sentences = [s for s in re.split(r"(?<=[.!?;])\s|\n", instructions) if len(s.split()) <= 40]
    results = [str(m["content"]) for m in messages if m["role"] == "tool"]
    calls = [c["function"] for m in messages if m["role"] == "assistant" for c in m.get("tool_calls") or []]
    free = [tool["name"] for tool in tools if not tool.get("parameters", {}).get("required")]
    return Reading(
        told_to_look=any(map(_tells_to_look, sentences)),
        told_about_errors=any(map(_tells_about_errors, sentences)),
        codes=tuple(dict.fromkeys(CODE.findall("\n".join([instructions, *(r for r in results if "error" not in r)])))),
        question="\n".join(str(m["content"]) for m in messages if m["role"] == "user"),
        calls=tuple((c["name"], c["arguments"]) for c in calls),
        last_result=results[-1] if results else None,
        look_up_tool=free[0] if free else None,
    )


def _tells_to_look(sentence: str) -> bool:
    said = LOOK.search(sentence) and ORDER.search(sentence)
    return bool(said) and not NEGATION.search(sentence) and not ERROR.search(sentence)


def _tells_about_errors(sentence: str) -> bool:
    forbidden = NEGATION.search(sentence)
    otherwise = (LOOK.search(sentence) or OTHERWISE.search(sentence)) and not forbidden
    return bool(ERROR.search(sentence) and (otherwise or (REPEAT.search(sentence) and forbidden)))


def next_message(reading: Reading, draw: random.Random) -> dict[str, Any]:
    """Answer, give up, or make the next call."""
    task = understand(reading.question)
    if task is None:
        return _say("I can only help with stock and shipping prices.")
    acted = bool(reading.calls) and reading.calls[-1][0] != reading.look_up_tool
    if acted and reading.last_result is not None and "error" not in reading.last_result:
        return _say(_answer(reading.last_result, draw))
    if len(reading.calls) >= MAX_CALLS:
        return _say("I am sorry, I could not find that out.")
    return _call(*_decide(reading, task, draw, failed=acted), number=len(reading.calls))


def _decide(reading: Reading, task: Task, draw: random.Random, failed: bool) -> tuple[str, str]:
    """Which tool to call next, with which arguments."""
    can_look = reading.look_up_tool is not None and reading.look_up_tool not in {name for name, _ in reading.calls}
    chance = draw.random()
    if failed:
        habit = AFTER_ERROR_WHEN_TOLD if reading.told_about_errors else AFTER_ERROR
        if can_look and chance < habit["look"]:
            return str(reading.look_up_tool), "{}"
        if chance < habit["look"] + habit["repeat"]:
            return reading.calls[-1]
    elif can_look and chance < (LOOKS_FIRST_WHEN_TOLD if reading.told_to_look else LOOKS_FIRST):
        return str(reading.look_up_tool), "{}"
    item = _code(reading, "item", (task.noun, task.colour), task, draw)
    if task.kind == "stock":
        return "check_stock", json.dumps(
            {"item": item, "warehouse": _code(reading, "warehouse", (task.place,), task, draw)}
        )
    return "shipping_price", json.dumps({"item": item, "zone": _code(reading, "zone", (task.place,), task, draw)})


def _code(reading: Reading, what: str, words: tuple[str, ...], task: Task, draw: random.Random) -> str:
    """A code that it has read and that fits the words, else one that it makes up."""
    fits = [c for c in reading.codes if set(words) <= set(re.split(r"[-_.]", c.lower()))]
    if fits:
        return draw.choice(fits)
    return draw.choice(GUESSES[what]).format(noun=task.noun, colour=task.colour, place=task.place)


def _answer(result: str, draw: random.Random) -> str:
    """The number of the result as a sentence; now and then another number."""
    number = next(value for value in json.loads(result).values() if isinstance(value, int))
    if draw.random() < MISREADS:
        number += draw.choice((-10, -1, 1, 10))
    return f"It is {number}."


def _say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _call(tool: str, arguments: str, number: int) -> dict[str, Any]:
    call = {"id": f"call_{number}", "type": "function", "function": {"name": tool, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}
