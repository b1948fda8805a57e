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
from operator import attrgetter

from ninefold.api.tracebackend import USER_HASH_KEY, Capabilities, Privacy
from ninefold.traces.assemble import Messages, message_hash
from ninefold.traces.backend import Backend, Window
from ninefold.traces.model import Step, TraceRecord
from ninefold.traces.objects import ObjectSource
from ninefold.traces.problem import TracesProblem
from ninefold.traces.redaction import Redactor

_SHORTEST_KEY = 16
"""Bytes. A shorter key is guessed, and with it every user."""
_TEXTS = ("name", "tool_result", "message_out", "error_type", "error_message", "error_signature")
_NAMES = ("messages_in_hash", "system_prompt_hash")
_texts, _names = attrgetter(*_TEXTS), attrgetter(*_NAMES)


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
        messages, renamed = self._messages(record)
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

    def _messages(self, record: TraceRecord) -> tuple[Messages, dict[str, str]]:
        """The messages as they may be kept, and the new names of those that have changed or stand below one."""
        clean = self._redactor.text
        renamed: dict[str, str] = {}
        messages: Messages = {}
        for key, message in record.messages.items():  # a message stands after the one before it
            parent, role, content = message
            said = clean(content)
            if said == content and parent not in renamed:
                messages[key] = message
                continue
            above = renamed.get(parent, parent) if parent is not None else None
            renamed[key] = message_hash(above, role, said)
            messages[renamed[key]] = (above, role, said)
        return messages, renamed

    def _step(self, step: Step, renamed: Mapping[str, str]) -> Step:
        clean = self._redactor.text
        new: dict[str, str] = {}
        for column, text in zip(_TEXTS, _texts(step), strict=True):
            if text is not None and (cleaned := clean(text)) != text:
                new[column] = cleaned
        if step.tool_args is not None and (arguments := self._redactor.arguments(step.tool_args)) != step.tool_args:
            new["tool_args"] = arguments
        if renamed:
            for column, name in zip(_NAMES, _names(step), strict=True):
                if name in renamed:
                    new[column] = renamed[name]
        return replace(step, **new) if new else step  # type: ignore[arg-type] # columns of text alone

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
