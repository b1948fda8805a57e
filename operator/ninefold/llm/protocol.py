"""What is said to models and by them, without the SDK that does the talking: its import takes a second of every pod."""

from dataclasses import dataclass
from typing import Any, Protocol


class ModelError(Exception):
    """The model gave no usable answer. The message is a sentence for people."""


class TokenBudget(Protocol):
    """Counts tokens over all pods of a run (`ninefold.store.Budget` is one)."""

    async def reserve(self, amount: int, limit: int) -> bool: ...


class AnswerCache(Protocol):
    """Remembers answers by request (`ninefold.store.CallCache` is one)."""

    async def get(self, request: Any) -> Any | None: ...

    async def put(self, request: Any, answer: Any) -> None: ...


@dataclass(frozen=True)
class ToolCall:
    """A tool call that the model asks for; `arguments` as it wrote them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turn:
    """The model's next message. `prompt` and `completion` are tokens; None: not told."""

    text: str | None
    calls: tuple[ToolCall, ...]
    prompt: int | None
    completion: int | None


class TryError(Exception):
    """The try gave no message. `status` 0: no answer; `retry_after`: seconds, as the header says; `sent`: it may have
    been run."""

    def __init__(self, reason: str, status: int = 0, retry_after: str = "", *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.status, self.retry_after, self.sent = reason, status, retry_after, sent
