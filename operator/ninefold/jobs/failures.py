"""How a failure of a Job is told: a sentence of ours, or a type and a trail, never what the data said.

A stage that knows what went wrong raises `JobFailure`. Everything else that may reach the frame is an exception of
some library, whose message may quote trace content or a secret; only what `scrub` leaves of it is told.
"""

import asyncio
import re
from collections.abc import Mapping

from ninefold.api.artifacts import JobError
from ninefold.api.engine import ENGINE_PASSWORD
from ninefold.api.spending import Spending
from ninefold.api.tracebackend import LOGIN_PREFIX
from ninefold.store import StoreError


class JobFailure(Exception):
    """A stage could not do its work. `reason` is one CamelCase word, `message` a sentence for the condition.

    The message must quote neither trace content nor secrets. `permanent=True` when trying again would say the same.
    `spending`: what the stage had spent until then.
    """

    def __init__(self, reason: str, message: str, *, permanent: bool, spending: Spending | None = None) -> None:
        super().__init__(message)
        told = message.encode(errors="replace").decode()[:3000]
        self.reason = reason
        self.message = message
        self.permanent = permanent
        self.error = JobError(reason=reason, message=told, permanent=permanent, spending=spending)


def as_failure(raised: BaseException, secrets: frozenset[str] = frozenset()) -> JobFailure:
    """What an exception means to the user. Groups (of a TaskGroup) are opened to the first that says most."""
    raised = _first(raised)
    match raised:
        case JobFailure():
            return raised
        case StoreError():
            return JobFailure(raised.reason, raised.message, permanent=raised.reason == "ArtifactTooLarge")
        case MemoryError():
            return JobFailure(
                "OutOfMemory", "the pod ran out of memory: raise spec.jobs.resources.limits.memory", permanent=False
            )
        case asyncio.CancelledError() | KeyboardInterrupt():
            return JobFailure("Interrupted", "the pod was told to stop before its stage was done", permanent=False)
    told = scrub(str(raised), secrets)
    return JobFailure(
        "InternalError",
        f"{type(raised).__name__}{': ' + told if told else ''}. This is a fault in Ninefold; the pod's log says where",
        permanent=False,
    )


def _first(raised: BaseException) -> BaseException:
    while isinstance(raised, BaseExceptionGroup):
        ours = raised.subgroup((JobFailure, StoreError))
        raised = (ours or raised).exceptions[0]
    return raised


_DATA_BEGINS = re.compile(r"['\"`=\[{<(]")
_CREDENTIALS = re.compile(r"://[^/@\s]*@")


def scrub(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """What may be told of an unknown exception's message: its first line up to where it starts to quote.

    Exceptions quote the data that they failed on (`KeyError: 'name of a user'`, `expected ',' before: Jane`), so all
    from the first quotation mark, bracket or equals sign on goes; so do credentials in URLs and the values of the
    secrets that this pod was given. At most 200 characters are left.
    """
    for secret in secrets:
        text = text.replace(secret, "…")
    line = next(iter(text.strip().splitlines()), "")
    return _DATA_BEGINS.split(_CREDENTIALS.sub("://…@", line), maxsplit=1)[0].strip(" :")[:200]


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of this pod's environment that must never be told."""
    names = (
        "NINEFOLD_REDIS_URL",
        "NINEFOLD_REPLAY_API_KEY",
        "NINEFOLD_MODEL_API_KEY",
        "NINEFOLD_SANDBOX_API_KEY",
        "NINEFOLD_REFLECTION_API_KEY",
        "NINEFOLD_JUDGE_API_KEY",
        ENGINE_PASSWORD,
        "NINEFOLD_LANGFUSE_PUBLIC_KEY",
        "NINEFOLD_LANGFUSE_SECRET_KEY",
    )
    return frozenset(v for name, v in environment.items() if v and (name in names or name.startswith(LOGIN_PREFIX)))
