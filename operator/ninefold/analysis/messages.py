"""The tree of messages: a hash names a message and, through its parents, the history before it."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SPOKEN = ("user", "system", "developer")
"""Roles whose words a trace is told; the others are what the agent said and was shown."""
_PROMPTS = ("system", "developer")


class Messages:
    """Over a table with the columns hash, parent_hash, role and content."""

    def __init__(self, table: pa.Table) -> None:
        columns = (table[c].to_pylist() for c in ("hash", "parent_hash", "role", "content"))
        self._nodes: dict[str, tuple[str | None, str, str]] = {
            h: (parent, role, content) for h, parent, role, content in zip(*columns, strict=True)
        }
        self._spoken: dict[str, str] = {}
        self._asked: dict[str, bool] = {}

    def history(self, last: str | None) -> list[tuple[str, str]]:
        """(role, content) from the first message to the one named; empty for None."""
        out = []
        while last is not None and last in self._nodes:
            last, role, content = self._nodes[last]
            out.append((role, content))
        return out[::-1]

    def spoken(self, last: str) -> str:
        """What users and system said up to the message named, a line each; many traces share a history."""
        if last not in self._spoken:
            self._spoken[last] = "\n".join(content for role, content in self.history(last) if role in SPOKEN)
        return self._spoken[last]

    def asks(self, last: str | None) -> bool:
        """Whether a user said anything up to the message named: then a case can be made of it."""
        path = []
        at = last
        while at is not None and at not in self._asked and at in self._nodes:
            path.append(at)
            parent, role, _ = self._nodes[at]
            if role == "user":
                self._asked[at] = True
                break
            at = parent
        found = at is not None and self._asked.get(at, False)
        self._asked.update(dict.fromkeys(path, found))
        return found

    def asked(self, last: str | None) -> str:
        """What the user said first; empty when no user said anything."""
        return next((content for role, content in self.history(last) if role == "user"), "")

    def opening(self, last: str | None) -> Any:
        """The input of a case: the user's text when it opens with one message of the user, else the messages.

        None when no user said anything.
        """
        spoken = [(role, content) for role, content in self.history(last) if role not in _PROMPTS]
        if not any(role == "user" for role, _ in spoken):
            return None
        if len(spoken) == 1:
            return spoken[0][1]
        return [{"role": role, "content": content} for role, content in spoken]

    def lines(self, last: str) -> list[tuple[str, str | None, str]]:
        """(hash, parent, content) of what users and system said, the parent being what they said before."""
        out: list[tuple[str, str | None, str]] = []
        at: str | None = last
        while at is not None and at in self._nodes:
            parent, role, content = self._nodes[at]
            if role in SPOKEN:
                if out:
                    out[-1] = (out[-1][0], at, out[-1][2])
                out.append((at, None, content))
            at = parent
        return out


def first_history(steps: pa.Table, column: str = "messages_in_hash") -> dict[str, str]:
    """By trace the first history that its steps name, in the order of the steps."""
    own = steps.filter(pc.is_valid(steps[column])).sort_by([("step_idx", "descending")])
    # The last one written is the earliest step.
    return dict(zip(own["trace_id"].to_pylist(), own[column].to_pylist(), strict=True))


def last_history(steps: pa.Table) -> dict[str, str]:
    """By trace the last history that its steps name; it covers those before it."""
    own = steps.select(["trace_id", "step_idx", "messages_in_hash"]).filter(pc.is_valid(steps["messages_in_hash"]))
    own = own.sort_by([("step_idx", "ascending")])
    return dict(zip(own["trace_id"].to_pylist(), own["messages_in_hash"].to_pylist(), strict=True))
