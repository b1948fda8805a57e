"""Bring texts and labels to where they should be, with as few writes as possible, and harmlessly often.

Langfuse numbers the versions of a prompt and never changes one; a label is on one version at a time, and setting it
takes it away from the others. That is all the state there is, so it is also where we keep ours:

- `ninefold.<hash of the text>` is put on the version that carries a text. So a text is found again by one request,
  however old it is: a rollback moves labels and writes nothing, and a Job that was killed after its write finds it.
- `ninefold-<label>` goes wherever we put `<label>`, in the same request. Where the two are apart, a person has moved
  the label: it is theirs then. Nothing is written to any prompt, and the sentence says the ways out. Where there is no
  `ninefold-<label>` yet, the label is taken over once: naming the prompt in the Agent's spec is what asks for it.

All look-ups come before the first write. A version of a prompt belongs with the others of its Ninefold version, and
what cannot be delivered as a whole is not begun; the writes then follow each other at once.

A new version inherits the `config` of the one that has the label: agents read model and temperature from it. Templates
(`{{variable}}`, `@@@langfusePrompt:…@@@`) are text, compared and written as they stand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from ninefold.api.delivery import DeliveryReport, LabelledTexts, PromptText
from ninefold.api.prompts import DeliveredPrompt
from ninefold.traces.problem import TracesProblem

LATEST = "latest"
Message = dict[str, Any]


class PromptProblem(TracesProblem):
    """What a user must decide or mend before a prompt can be delivered."""


@dataclass(frozen=True)
class PromptVersion:
    """One version of a prompt as the server holds it. `content` is the text, or the messages of a chat prompt."""

    name: str
    version: int
    content: str | list[Message]
    labels: tuple[str, ...] = ()
    config: Any = None

    @property
    def text(self) -> str | None:
        """What a component's text is compared with; None for a chat without exactly one system message."""
        if isinstance(self.content, str):
            return self.content
        found = [message.get("content") for message in self.content if message.get("role") == "system"]
        return found[0] if len(found) == 1 and isinstance(found[0], str) else None


class PromptServer(Protocol):
    """Reads and writes prompts. Every method may raise TracesProblem."""

    def find(self, name: str, label: str) -> PromptVersion | None:
        """The version that has the label."""
        ...

    def create(
        self, name: str, content: str | list[Message], labels: list[str], config: Any, message: str
    ) -> PromptVersion:
        """Write a version, and put the labels on it."""
        ...

    def put_labels(self, found: PromptVersion, labels: list[str], message: str) -> PromptVersion:
        """Put labels on a version; those that it has stay."""
        ...


@dataclass
class _Wanted:
    """A text of one prompt, the labels that shall be on it, and where it is."""

    text: PromptText
    labels: list[str]
    found: PromptVersion | None = None
    like: PromptVersion | None = None
    """The version whose messages and config a new one inherits."""


def deliver(server: PromptServer, labels: Iterable[LabelledTexts], message: str) -> DeliveryReport:
    """Put every label on its texts. `message`: of the commits. Raises TracesProblem, before the first write if it can.

    PromptProblem: `LabelMoved`, `PromptTypeDiffers`, `NoSystemMessage`.
    """
    labels = list(labels)
    wanted: dict[tuple[str, str], _Wanted] = {}
    for group in labels:
        for text in group.texts:
            one = wanted.setdefault((text.name, mark(text)), _Wanted(text, []))
            one.labels.append(group.label)
            _look(server, one, group.label)
    written = moved = 0
    for one in wanted.values():
        tags = [tag for label in one.labels for tag in (label, companion(label))]
        tags.append(mark(one.text))
        if one.found is None:
            config = one.like.config if one.like is not None else {}
            one.found = server.create(one.text.name, _content(one.text, one.like), tags, config, message)
            written += 1
        elif not set(tags) <= set(one.found.labels):
            one.found = server.put_labels(one.found, tags, message)
            moved += 1
    first = {text.name for text in labels[0].texts}
    prompts = [
        DeliveredPrompt(name=one.text.name, version=one.found.version)
        for one in wanted.values()
        if one.found is not None and labels[0].label in one.labels and one.text.name in first
    ]
    return DeliveryReport(prompts=prompts, written=written, moved=moved)


def mark(text: PromptText) -> str:
    """The label of the version that carries this text. Servers before version 3 take 20 characters."""
    return f"ninefold.{sha256(f'{text.type}/{text.text}'.encode()).hexdigest()[:10]}"


def companion(label: str) -> str:
    """The label that is wherever we put `label`."""
    return f"ninefold-{label}"


def _look(server: PromptServer, one: _Wanted, label: str) -> None:
    """Find the version that carries the text, and whether the label may be moved there."""
    bearer = server.find(one.text.name, label)
    if bearer is not None and not _carries(bearer, one.text) and companion(label) not in bearer.labels:
        ours = server.find(one.text.name, companion(label))
        if ours is not None:
            raise _moved(one.text.name, label, bearer, ours)
    one.like = one.like or bearer
    if one.found is None:
        one.found = bearer if bearer is not None and _carries(bearer, one.text) else _known(server, one)


def _known(server: PromptServer, one: _Wanted) -> PromptVersion | None:
    """The version with our mark, or the newest if it happens to carry the text."""
    marked = server.find(one.text.name, mark(one.text))
    if marked is not None and _carries(marked, one.text):
        return marked
    newest = server.find(one.text.name, LATEST)
    one.like = one.like or newest
    if newest is not None:
        _check_type(newest, one.text)
        if _carries(newest, one.text):
            return newest
    if one.like is not None and one.text.type == "Chat" and one.like.text is None:
        raise PromptProblem(
            "NoSystemMessage",
            f"version {one.like.version} of the chat prompt {one.text.name} has not exactly one system message, so "
            "there is no place for the component's text: give it one, or deliver to another prompt",
        )
    return None


def _carries(found: PromptVersion, text: PromptText) -> bool:
    return found.text == text.text and isinstance(found.content, str) == (text.type == "Text")


def _check_type(found: PromptVersion, text: PromptText) -> None:
    if isinstance(found.content, str) == (text.type == "Text"):
        return
    there = "Text" if isinstance(found.content, str) else "Chat"
    raise PromptProblem(
        "PromptTypeDiffers",
        f"{text.name} is a {there.lower()} prompt in Langfuse, and a prompt keeps its type: write type: {there} for it "
        "in delivery.langfusePrompt.prompts, or deliver to another name",
    )


def _moved(name: str, label: str, bearer: PromptVersion, ours: PromptVersion) -> PromptProblem:
    return PromptProblem(
        "LabelMoved",
        f"somebody has moved the label {label} of the prompt {name} to version {bearer.version}; Ninefold had put it "
        f"on version {ours.version}, and leaves it now: move it back, or take the label {companion(label)} off version "
        f"{ours.version} to have Ninefold take it over, or bring the text of version {bearer.version} into "
        "spec.components",
    )


def _content(text: PromptText, like: PromptVersion | None) -> str | list[Message]:
    if text.type == "Text":
        return text.text
    if like is None or isinstance(like.content, str):
        return [{"role": "system", "content": text.text}]
    return [{**m, "content": text.text} if m.get("role") == "system" else m for m in like.content]
