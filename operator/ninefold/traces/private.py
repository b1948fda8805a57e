"""A backend whose traces have been cleaned: the one door through which every trace of every backend comes.

`open_backend` puts it before whatever it opens, plugins too, so no reader can forget it. Content hashes are made anew
from what is left: a hash of what was taken out could be guessed back. User ids are kept as an HMAC under a key of the
user's, or not at all; a session id that a rule touches is replaced in the same way, for sessions must stay apart.

What a Job groups on its own disk before this door (`ninefold.traces.spool`) is as it came and goes with the pod.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ninefold.api.tracebackend import USER_HASH_KEY, Capabilities, Privacy
from ninefold.traces.assemble import message_hash
from ninefold.traces.backend import Backend, Window
from ninefold.traces.model import Step, TraceRecord
from ninefold.traces.objects import ObjectSource
from ninefold.traces.problem import TracesProblem
from ninefold.traces.redaction import Redactor

_SHORTEST_KEY = 16
"""Bytes. A shorter key is guessed, and with it every user."""


class Private:
    """Any backend, its traces cleaned (see `ninefold.traces.backend.Backend`)."""

    def __init__(self, inner: Backend, privacy: Privacy, secrets: Mapping[str, str]) -> None:
        self.losses: Counter[str] = inner.losses
        self._inner, self._redactor = inner, Redactor(privacy, inner.losses)
        self._key = _key(secrets) if privacy.user_hash_key_secret_ref is not None else None

    def probe(self) -> Capabilities:
        found = self._inner.probe()
        clean = self._redactor.text
        names = {f: [clean(n) for n in getattr(found, f)] for f in ("agents", "scores", "metadata_keys")}
        return found.model_copy(update=names)

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from self.cleaned(self._inner.read(window))

    @property
    def source(self) -> ObjectSource | None:
        """The backend behind this door, if it can be read object by object. Its traces must go through `cleaned`."""
        return self._inner if isinstance(self._inner, ObjectSource) else None

    def cleaned(self, records: Iterable[TraceRecord]) -> Iterator[TraceRecord]:
        """These traces without what the rules take out."""
        return (self._cleaned(record) for record in records)

    def _cleaned(self, record: TraceRecord) -> TraceRecord:
        clean = self._redactor.text
        renamed: dict[str, str] = {}
        messages: dict[str, tuple[str | None, str, str]] = {}
        for key, (parent, role, content) in record.messages.items():  # a message stands after the one before it
            above = renamed[parent] if parent is not None else None
            said = clean(content)
            renamed[key] = message_hash(above, role, said)
            messages[renamed[key]] = (above, role, said)
        session = record.session_id
        return replace(
            record,
            session_id=session if clean(session) == session else self._hash("session", session),
            user_hash=self._user(record.user_hash),
            agent=record.agent and clean(record.agent),
            metadata={clean(k): clean(v) if isinstance(v, str) else v for k, v in record.metadata.items()},
            steps=tuple(self._step(step, renamed) for step in record.steps),
            messages=messages,
        )

    def _step(self, step: Step, renamed: Mapping[str, str]) -> Step:
        def clean(text: str | None) -> str | None:
            return None if text is None else self._redactor.text(text)

        return replace(
            step,
            name=self._redactor.text(step.name),
            tool_args=None if step.tool_args is None else self._redactor.arguments(step.tool_args),
            tool_result=clean(step.tool_result),
            message_out=clean(step.message_out),
            error_type=clean(step.error_type),
            error_message=clean(step.error_message),
            error_signature=clean(step.error_signature),
            messages_in_hash=step.messages_in_hash and renamed.get(step.messages_in_hash),
            system_prompt_hash=step.system_prompt_hash and renamed.get(step.system_prompt_hash),
        )

    def _user(self, user: str | None) -> str | None:
        if user is None or self._key is not None:
            return user and self._hash("user", user)
        self.losses["user_ids_left_out"] += 1
        return None

    def _hash(self, what: str, text: str) -> str:
        """HMAC-SHA-256 (RFC 2104), 128 bits of it; without a key of the user's, a plain hash that keeps ids apart."""
        data = f"{what}/{text}".encode("utf-8", "replace")
        return hmac.new(self._key or b"ninefold", data, hashlib.sha256).hexdigest()[:32]


def _key(secrets: Mapping[str, str]) -> bytes:
    key = secrets.get(USER_HASH_KEY, "").strip().encode()
    if len(key) < _SHORTEST_KEY:
        raise TracesProblem(
            "KeyTooShort",
            f"the key that privacy.userHashKeySecretRef names has {len(key)} bytes: write at least {_SHORTEST_KEY} "
            "random ones into the Secret, such as `openssl rand -hex 32` prints",
        )
    return key
