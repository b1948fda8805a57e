"""One door to models: any OpenAI-compatible endpoint, asked for an answer of a given shape, within a token budget."""

from ninefold.llm.chat import AnswerCache, Chat, ModelError, TokenBudget
from ninefold.llm.completions import Completions, ToolCall, TryError, Turn

__all__ = ["AnswerCache", "Chat", "Completions", "ModelError", "TokenBudget", "ToolCall", "TryError", "Turn"]
