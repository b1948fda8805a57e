"""Ninefold: takes LLM agents from "works mostly" to the next nine, from the traces that they already leave."""

__version__ = "0.1.0"
