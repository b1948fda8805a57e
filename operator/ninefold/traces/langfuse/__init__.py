"""Langfuse as a trace backend: the reads of version 4, the pages of older servers, and the blob-storage export.

The three ways of reading differ in how rows are fetched and named; each makes the same rows of them, and `rows` makes
a trace of those. So which generation answers shows in `status.capabilities` and nowhere in the table of steps.
"""

from ninefold.traces.langfuse.backend import LangfuseApi
from ninefold.traces.langfuse.client import PUBLIC_KEY, SECRET_KEY
from ninefold.traces.langfuse.export import LangfuseFiles

__all__ = ["PUBLIC_KEY", "SECRET_KEY", "LangfuseApi", "LangfuseFiles"]
