"""A stand-in for a Langfuse server: recorded traces behind the read APIs of three of its generations, and its export.

It is not Langfuse; all that it stores are prompts, for as long as it runs. What it answers is held against Langfuse's
own API contract and against what a real server of version 2.95 answered (tests/contract/test_langfuse_standin.py).
"""

from standins.langfuse.answers import Answer, Request, StandIn
from standins.langfuse.export import write_export
from standins.langfuse.ingest import ingest
from standins.langfuse.project import Project
from standins.langfuse.server import serving

__all__ = ["Answer", "Project", "Request", "StandIn", "ingest", "serving", "write_export"]
