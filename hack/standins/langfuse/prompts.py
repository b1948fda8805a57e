"""The prompts of a project: versions that never change, and labels of which each is on one version at a time.

Source: langfuse/langfuse, `web/src/features/prompts/server/` (createPrompt, updatePrompts, getPromptByName), and what a
server of version 2.95 answered. A new version takes its labels from the others and is `latest`; PATCH adds labels to
those that a version has. The real server answers a POST with 201, its published contract says 200: here the contract
holds.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from standins.langfuse.project import Project, Row

ROOT = "/api/public/v2/prompts"
LATEST = "latest"
_LABEL = re.compile(r"[a-z0-9_\-.]{1,36}")


class Refused(Exception):
    """A status, and the message of Langfuse's error."""

    def __init__(self, status: int, message: str, error: str = "InvalidRequestError") -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, "error": error}


class Prompts:
    """The routes below `/api/public/v2/prompts`. `old`: as version 2.95, which cannot move labels."""

    def __init__(self, project: Project, *, old: bool) -> None:
        self._rows, self._project, self._old = project.prompts, project, old

    def get(self, path: str, query: dict[str, str]) -> Row:
        """One version by number or label, or the list of names."""
        if path == ROOT:
            return self._list(query)
        name = unquote(path.removeprefix(f"{ROOT}/"))
        if version := query.get("version"):
            return self._shown(self._one(name, int(version)))
        label = query.get("label", "production")
        row = next((row for row in self._of(name) if label in row["labels"]), None)
        if row is None:
            told = f"Prompt not found: '{name}' with label '{label}'"
            raise Refused(404, told, "LangfuseNotFoundError")
        return self._shown(row)

    def create(self, asked: Row) -> Row:
        name, kind = asked["name"], asked.get("type") or "text"
        before = self._of(name)
        if before and before[-1]["type"] != kind:
            told = "Previous versions have different prompt type. Create a new prompt with a different name."
            raise Refused(400, told)
        labels = _checked(asked.get("labels") or [])
        self._take_off(name, [*labels, LATEST])
        now = self._now()
        row = {
            "id": f"prompt-{len(self._rows) + 1}",
            "createdAt": now,
            "updatedAt": now,
            "projectId": self._project.id,
            "createdBy": "API",
            "prompt": asked["prompt"],
            "name": name,
            "version": before[-1]["version"] + 1 if before else 1,
            "type": kind,
            "isActive": None,
            "config": asked.get("config") or {},
            "tags": asked.get("tags") or (before[-1]["tags"] if before else []),
            "labels": [*labels, LATEST],
            "commitMessage": asked.get("commitMessage"),
        }
        self._rows.append(row)
        return self._shown(row)

    def put_labels(self, path: str, asked: Row) -> Row | None:
        """None: there is no such route."""
        found = re.fullmatch(rf"{ROOT}/([^/]+)/versions/(\d+)", path)
        if self._old or found is None:
            return None
        labels = _checked(asked["newLabels"])
        row = self._one(unquote(found[1]), int(found[2]))
        kept = [label for label in row["labels"] if label not in labels]
        self._take_off(row["name"], labels)
        row |= {"labels": [*kept, *labels], "updatedAt": self._now()}
        return self._shown(row)

    def _list(self, query: dict[str, str]) -> Row:
        names = sorted({row["name"] for row in self._rows if query.get("name") in (None, row["name"])})
        meta = {"page": 1, "limit": int(query.get("limit", "10")), "totalPages": 1, "totalItems": len(names)}
        data = [self._summary(self._of(name)) for name in names]
        return {"data": data, "meta": meta} | ({"pagination": meta} if self._old else {})

    def _summary(self, rows: list[Row]) -> Row:
        summary: Row = {
            "name": rows[0]["name"],
            "tags": rows[-1]["tags"],
            "lastUpdatedAt": max(row["updatedAt"] for row in rows),
            "versions": [row["version"] for row in rows],
            "labels": sorted(label for row in rows for label in row["labels"]),
            "lastConfig": rows[-1]["config"],
        }
        return summary if self._old else {**summary, "type": rows[-1]["type"]}

    def _of(self, name: str) -> list[Row]:
        return sorted((row for row in self._rows if row["name"] == name), key=lambda row: int(row["version"]))

    def _one(self, name: str, version: int) -> Row:
        row = next((row for row in self._of(name) if row["version"] == version), None)
        if row is None:
            raise Refused(404, f"Prompt not found: '{name}' with version {version}", "LangfuseNotFoundError")
        return row

    def _take_off(self, name: str, labels: list[str]) -> None:
        for row in self._of(name):
            row["labels"] = [label for label in row["labels"] if label not in labels]

    def _shown(self, row: Row) -> Row:
        newer = {"commitMessage": row.get("commitMessage"), "resolutionGraph": None}
        older = {key: value for key, value in row.items() if key != "commitMessage"}
        found: Row = json.loads(json.dumps(older if self._old else older | newer))
        return found

    def _now(self) -> str:
        """A second after the last write, so that what is recorded is always the same."""
        self._project.writes += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._project.writes)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _checked(labels: list[Any]) -> list[str]:
    if LATEST in labels:
        raise Refused(400, "Label 'latest' is always assigned to the latest prompt version")
    if not all(isinstance(label, str) and _LABEL.fullmatch(label) for label in labels):
        raise Refused(400, "Invalid request data")
    return list(dict.fromkeys(labels))
