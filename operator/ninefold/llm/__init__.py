"""One door to models: any OpenAI-compatible endpoint, asked for an answer of a given shape, within a token budget."""

from ninefold.llm.chat import AnswerCache, Chat, ModelError, TokenBudget

__all__ = ["AnswerCache", "Chat", "ModelError", "TokenBudget"]
