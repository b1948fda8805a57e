"""The agent's loop, run by Ninefold: the candidate's components, the Agent's tools, and results of the past.

For agents without a staging endpoint. The model is asked with the rendered components, every tool call is answered from
what was recorded of the case (`ninefold.replay.recorded`) or by the sandbox, and the loop goes on until the model
answers. What the past cannot answer ends the case as *unknown*: it is counted, and never a pass, for a candidate must
not win by asking what nobody can check. How far recordings go is the coverage of the report.

Every model call is bought by itself and remembered, so a killed pod repeats at most the one that was under way. The
sandbox is asked once a call, and its answers are part of the memory, too.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.api.cases import Case
from ninefold.api.replaying import AgentTool
from ninefold.graders import Grade
from ninefold.llm import ToolCall, TryError, Turn
from ninefold.replay.invented import Called
from ninefold.replay.mode import Answer, Bought, Buy, PassingError, RejectedError, Request, Usage, seconds_of
from ninefold.replay.recorded import Recording, shared
from ninefold.replay.sandbox import Sandbox
from ninefold.replay.sketch import sketch
from ninefold.versions import estimate_tokens

if TYPE_CHECKING:
    from ninefold.llm import Completions

_PASSING = frozenset({0, 408, 409, 425, 429, 500, 502, 503, 504})
_LIMITED = 429
TOOL = "tool."


class Trajectory:
    """A `Walker`. `cases`: those that may be run, with their recordings. `max_steps`: model calls in one case."""

    def __init__(
        self,
        model: "Completions",
        tools: Sequence[AgentTool],
        cases: Sequence[Case],
        *,
        max_steps: int,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._model, self._sandbox, self._max_steps = model, sandbox, max_steps
        self._tools: Mapping[str, AgentTool] = {tool.name: tool for tool in tools}
        self._recorded = {case.case_id: case.recorded for case in cases}
        pools = shared(cases, self._tools)
        self._others = {case.case_id: pools.get(case.intent, {}) for case in cases}

    @property
    def name(self) -> str:
        return self._model.url.split("/")[2]

    @property
    def identity(self) -> dict[str, Any]:
        return {"mode": "Trajectory", "url": self._model.url, "steps": self._max_steps}

    async def walk(self, request: Request, buy: Buy) -> Answer:
        """See `Walker`."""
        messages = [{"role": "system", "content": system_prompt(request.components)}, *spoken(request.input)]
        case_id = request.case_id
        recording = Recording(self._recorded.get(case_id, ()), self._tools, self._others.get(case_id))
        tools = [offered(tool, request.components) for tool in self._tools.values()]
        walked = _Walked(recording)
        for _ in range(self._max_steps):
            turn = await self._next(request, messages, tools, buy)
            walked.took(turn)
            if not turn.calls:
                return walked.answer(turn.text or "")
            messages.append(_said(turn))
            for call in turn.calls:
                walked.calls += 1
                result = await self._result(request, call, recording, buy, walked.calls)
                if result is None:
                    known = call.name if call.name in self._tools else "a tool that the Agent does not name"
                    return walked.unknown(f"nobody has recorded what {known} answers to these arguments")
                walked.heard(call.arguments, *result)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result[0]})
        # An agent that comes to no end has not answered, and rules might find nothing wrong with an empty text.
        return walked.endless()

    async def _next(
        self, request: Request, messages: list[dict[str, Any]], tools: list[dict[str, Any]], buy: Buy
    ) -> Turn:
        body = self._model.body(messages, tools, request.seed)

        return await next_turn(self._model, {"case": request.case_id, "body": body}, body, buy)

    async def _result(
        self, request: Request, call: ToolCall, recording: Recording, buy: Buy, number: int
    ) -> tuple[str, bool] | None:
        """What the tool answers and whether that is an error; None where nobody knows."""
        sandbox = self._sandbox
        if sandbox is None or call.name not in sandbox.tools:
            known = recording.answer(call.name, call.arguments)
            return None if known is None else (known.result, known.error)
        asked = sandbox.body(request, call.name, call.arguments)
        guess = Usage(prompt=0, completion=0, micro_usd=0)

        async def ask() -> Bought:
            return Bought(await sandbox.run(asked), guess)

        found = await buy({"sandbox": asked, "call": number, "components": request.components}, guess, ask)
        return str(found["output"]), bool(found["error"])


async def next_turn(model: "Completions", key: Any, body: dict[str, Any], buy: Buy) -> Turn:
    """The model's next message, bought; `key` names the call. Raises PassingError or RejectedError."""

    async def ask() -> Bought:
        try:
            turn = await model.next(body)
        except TryError as error:
            raise as_replay(error) from None
        calls = [[call.id, call.name, call.arguments] for call in turn.calls]
        value = {"text": turn.text, "calls": calls, "prompt": turn.prompt, "completion": turn.completion}
        return Bought(value, Usage(prompt=turn.prompt, completion=turn.completion))

    guess = Usage(prompt=estimate_tokens(json.dumps(body["messages"])), completion=body["max_tokens"])
    found = await buy(key, guess, ask)
    calls = tuple(ToolCall(*call) for call in found["calls"])
    return Turn(found["text"], calls, found["prompt"], found["completion"])


class _Walked:
    """What a run of the loop has met so far."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.calls = self.answers = self.errors = self.prompt = self.completion = 0
        self.told_usage = True
        self.shown: list[str] = []
        self.called: list[Called] = []

    def took(self, turn: Turn) -> None:
        self.told_usage = self.told_usage and turn.prompt is not None and turn.completion is not None
        self.prompt += turn.prompt or 0
        self.completion += turn.completion or 0

    def heard(self, arguments: str, result: str, error: bool) -> None:
        self.answers += 1
        self.errors += error
        self.called.append(Called(arguments, None if error else result))
        if not error:
            self.shown.append(result)

    def answer(self, text: str) -> Answer:
        return self._made(output=text, sketch=sketch(text))

    def endless(self) -> Answer:
        return self._made(grade=Grade(success=False, score=0.0, by="rules"))

    def unknown(self, why: str) -> Answer:
        return self._made(missing=why)

    def _made(self, **rest: Any) -> Answer:
        return Answer(
            scores={},
            steps=self.calls,
            error_steps=self.errors,
            tokens=self.prompt + self.completion,
            usage=Usage(prompt=self.prompt, completion=self.completion) if self.told_usage else Usage(),
            shown=self.shown,
            called=self.called,
            tool_calls=self.calls,
            tool_answers=self.answers,
            tool_borrowed=self._recording.borrowed,
            **rest,
        )


def system_prompt(components: Mapping[str, str]) -> str:
    """`system`, then contexts and fallbacks by name; descriptions of tools stand with the tools."""
    rest = sorted(name for name in components if name != "system" and not name.startswith(TOOL))
    return "\n\n".join(components[name] for name in (*(["system"] if "system" in components else []), *rest))


def offered(tool: AgentTool, components: Mapping[str, str]) -> dict[str, Any]:
    description = components.get(f"{TOOL}{tool.name}") or tool.description or ""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": tool.name, "description": description, "parameters": parameters}}


def spoken(asked: Any) -> list[dict[str, Any]]:
    """The case's opening: messages as they were, or one of the user."""
    if isinstance(asked, list) and all(isinstance(m, dict) and "role" in m and "content" in m for m in asked):
        return [{"role": m["role"], "content": m["content"]} for m in asked]
    return [{"role": "user", "content": asked if isinstance(asked, str) else json.dumps(asked, sort_keys=True)}]


def _said(turn: Turn) -> dict[str, Any]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.calls
    ]
    return {"role": "assistant", "content": turn.text or "", "tool_calls": calls}


def as_replay(error: TryError) -> Exception:
    if error.status in _PASSING:
        return PassingError(
            error.reason, seconds_of(error.retry_after), ran=error.sent, limited=error.status == _LIMITED
        )
    return RejectedError(error.reason, error.status if error.status > 1 else 0)
