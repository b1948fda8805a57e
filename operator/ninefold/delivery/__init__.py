"""Delivery beyond the cluster: versions become prompts of a server from which agents read them."""

from ninefold.delivery.langfuse import LangfusePrompts, patiently
from ninefold.delivery.prompts import PromptProblem, deliver

__all__ = ["LangfusePrompts", "PromptProblem", "deliver", "patiently"]
