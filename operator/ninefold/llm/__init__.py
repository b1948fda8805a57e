"""One door to models: any OpenAI-compatible endpoint, asked for an answer of a given shape, within a token budget.

`Chat` and `Completions` are loaded when somebody opens one, for most pods never do and the SDK is heavy.
"""

from typing import TYPE_CHECKING, Any

from ninefold.llm.protocol import AnswerCache, ModelError, TokenBudget, ToolCall, TryError, Turn

if TYPE_CHECKING:
    from ninefold.llm.chat import Chat
    from ninefold.llm.completions import Completions

__all__ = ["AnswerCache", "Chat", "Completions", "ModelError", "TokenBudget", "ToolCall", "TryError", "Turn"]


def __getattr__(name: str) -> Any:
    if name == "Chat":
        from ninefold.llm.chat import Chat  # noqa: PLC0415 - see above

        return Chat
    if name == "Completions":
        from ninefold.llm.completions import Completions  # noqa: PLC0415 - see above

        return Completions
    raise AttributeError(name)
