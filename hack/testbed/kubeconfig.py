"""Kubeconfig files: one cluster, one user, the authority inside."""

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "testbed"
"""Of the cluster, the user and the context alike: there is one of each."""


def write_kubeconfig(path: Path, server: str, authority: Path, credentials: Mapping[str, Any]) -> Path:
    """Write the file as JSON, which is YAML, readable by its owner, in one step: others may be reading the last one."""
    certificate = base64.b64encode(authority.read_bytes()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [{"name": NAME, "cluster": {"server": server, "certificate-authority-data": certificate}}],
        "users": [{"name": NAME, "user": dict(credentials)}],
    }
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document, default=str, indent=1))
    return draft.replace(path)
