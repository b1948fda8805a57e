"""Structured logs: one JSON object a line on stderr, for operator and Jobs alike.

Trace text and secrets never go into a log. The libraries that would write them (HTTP clients log full URLs) are held
at WARNING, and Ninefold's own code logs names, counts, sentences of its own, and where an error was raised, but not
the message of an exception that it does not know.
"""

import logging
import sys
import traceback

from pythonjsonlogger.json import JsonFormatter

CHATTY = ("httpx", "httpcore", "openai", "asyncio", "aiohttp.access", "urllib3", "kopf")


def configure(level: str = "INFO") -> None:
    """Log to stderr as JSON: `ts`, `level`, `logger`, `message`, and whatever is passed as `extra`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "ts", "levelname": "level", "name": "logger"},
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def where(error: BaseException, frames: int = 6) -> list[str]:
    """The last frames of a traceback as `file:line function`: a trail to the fault without any of the data."""
    return [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-frames:]]
