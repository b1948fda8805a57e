"""One namespace in which the loop is set up, as its user sees it: manifests in, conditions and ConfigMaps out."""

import difflib
import json
import re
from typing import Any
from urllib.parse import quote

import redis
from builders import a_backend_object, a_policy_object, an_agent_object
from integration.process import PATIENCE, eventually

from testbed import ControlPlane, RedisServer
from testbed.fixtures import Kubectl

Manifest = dict[str, Any]

OURS = "apis/ninefold.dev/v1alpha1"
PATHS = {
    "nftb": (OURS, "tracebackends"),
    "nfa": (OURS, "agents"),
    "nfp": (OURS, "optimizationpolicies"),
    "nfr": (OURS, "optimizationruns"),
    "configmap": ("api/v1", "configmaps"),
    "pod": ("api/v1", "pods"),
    "job": ("apis/batch/v1", "jobs"),
}
"""Where the API server keeps what a test looks at, by its short name."""

TRACES = {"configMap": {"name": "trace-files"}}


def differences(one: Manifest, other: Manifest) -> list[str]:
    """The lines in which two states differ."""
    texts = [json.dumps(state, indent=1, sort_keys=True).splitlines() for state in (one, other)]
    return list(difflib.unified_diff(*texts, lineterm="", n=2))


class Loop:
    """Objects of one namespace, and the scripted stages' holds through Redis.

    Writes go through kubectl, as a user's do. Reads are requests: a process for each look, many times a second, would
    take the machine from what is waited for.
    """

    def __init__(self, control_plane: ControlPlane, namespace: str, kubectl: Kubectl, server: RedisServer) -> None:
        self.control_plane = control_plane
        self.namespace = namespace
        self.kubectl = kubectl
        self.server = server
        self.redis = redis.Redis.from_url(server.url)

    # ------------------------------------------------------------------ what the user does

    def set_up(self, **policy: Any) -> None:
        """A TraceBackend, an Agent and a policy; fields of the policy's spec by keyword."""
        files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trace-files"}, "data": {"a.jsonl": ""}}
        self.apply(files, a_backend_object(volume=TRACES), an_agent_object(), a_policy_object(**policy))

    def apply(self, *manifests: Manifest) -> None:
        items = [{**m, "metadata": {k: v for k, v in m["metadata"].items() if k != "namespace"}} for m in manifests]
        self.kubectl(
            "apply",
            "--server-side",
            "--filename=-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )

    def patch(self, kind: str, name: str, spec: Manifest) -> None:
        self.kubectl("patch", kind, name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    # ------------------------------------------------------------------ what the test does

    def hold(self, kind: str, name: str, *stages: str) -> None:
        """Let these stages of this Agent's or TraceBackend's Jobs wait in their pods."""
        for stage in stages:
            self.redis.set(f"hold:{self.one(kind, name)['metadata']['uid']}:{stage}", "1")

    def release(self, stage: str) -> None:
        for key in self.redis.keys(f"hold:*:{stage}"):
            self.redis.delete(key)

    def forget_lease(self) -> None:
        """As if fifteen seconds had passed since the holder died."""
        self.kubectl("delete", "lease", "ninefold", "--ignore-not-found")

    # ------------------------------------------------------------------ what is seen

    def one(self, kind: str, name: str) -> Manifest:
        found = self._get(kind, f"/{name}")
        assert found, f"there is no {kind}/{name}"
        return found

    def all(self, kind: str, selector: str = "") -> list[Manifest]:
        """Also while the API server restarts: then there is nothing to be seen."""
        found: list[Manifest] = self._get(kind, f"?labelSelector={quote(selector)}").get("items", [])
        return found

    def condition(self, kind: str, name: str, type_: str) -> tuple[str, str, str]:
        """Status, reason and message; three empty strings while there is none."""
        conditions = self._get(kind, f"/{name}").get("status", {}).get("conditions", [])
        found = next((c for c in conditions if c["type"] == type_), None)
        return (found["status"], found["reason"], found["message"]) if found else ("", "", "")

    def _get(self, kind: str, what: str) -> Manifest:
        """What the API server says; nothing where there is nothing, and while it is away."""
        api, plural = PATHS[kind]
        answer = self.control_plane.get(f"/{api}/namespaces/{self.namespace}/{plural}{what}")
        return json.loads(answer) if answer else {}

    def until(self, kind: str, name: str, type_: str, status: str, reason: str = "", seconds: float = PATIENCE) -> str:
        """Wait for a condition; returns its message."""
        last: list[tuple[str, str, str]] = []

        def seen() -> bool:
            last[:] = [self.condition(kind, name, type_)]
            return last[0][0] == status and reason in ("", last[0][1])

        eventually(seen, f"{kind}/{name} {type_}={status} {reason}", seconds)
        return last[0][2]

    def data(self, config_map: str) -> dict[str, str]:
        found: dict[str, str] = self.one("configmap", config_map)["data"]
        return found

    def state_at_rest(self) -> Manifest:
        """The state when two looks at it are the same."""
        looks: list[Manifest] = [{}]

        def settled() -> Manifest | None:
            looks.append(self.state())
            return looks[-1] if looks[-1] == looks[-2] else None

        found: Manifest = eventually(settled, "rest")
        return found

    def state(self) -> Manifest:
        """All that the operator made and said, without what differs between two equal histories: times and UIDs."""
        objects = {
            f"{kind}/{o['metadata']['name']}": {
                "labels": o["metadata"].get("labels", {}),
                "data": o.get("data", {}),
                "status": o.get("status", {}) if kind != "job" else {},
            }
            for kind, selector in (
                ("nftb", ""),
                ("nfa", ""),
                ("nfp", ""),
                ("nfr", ""),
                ("configmap", "app.kubernetes.io/managed-by=ninefold"),
                ("job", "app.kubernetes.io/managed-by=ninefold"),
            )
            for o in self.all(kind, selector)
        }
        return _timeless(json.loads(_anonymous(json.dumps(objects))))  # type: ignore[no-any-return]


_TIMES = {
    "completionTime",
    "inputsHash",  # the inputs carry the window
    "lastProbeTime",
    "lastRunTime",
    "lastTransitionTime",
    "startTime",
    "windowEnd",
    "windowStart",
}


def _anonymous(text: str) -> str:
    """UIDs, what is hashed over UIDs (names of Jobs, digests of artifacts that name others), and namespaces."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    text = re.sub(r"(-(?:probe|read|analyze|propose|replay-selection|replay-sealed))-[0-9a-f]{8}\b", r"\1-HASH", text)
    return re.sub(r"test-[0-9a-f]{8}", "NAMESPACE", text)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [_timeless(inner) for inner in value]
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(_timeless(json.loads(value)), sort_keys=True)
    return value
