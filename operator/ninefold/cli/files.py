"""Reading version ConfigMaps from files or standard input, and writing YAML that people can review."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ninefold.api.base import API_VERSION
from ninefold.cli.failure import CliFailure
from ninefold.versions import TamperedVersion, Version, from_configmap


def read_configmap(path: str) -> Mapping[str, Any]:
    """The one ConfigMap in a YAML or JSON file; `-` is standard input."""
    where = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        document = yaml.safe_load(text)
    except OSError as error:
        raise CliFailure(f"{where} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CliFailure(
            f"{where} is not one YAML document: write kubectl get configmap NAME -o yaml into it."
        ) from None
    if (
        not isinstance(document, dict)
        or document.get("kind") != "ConfigMap"
        or "name" not in (document.get("metadata") or {})
    ):
        raise CliFailure(f"{where} does not hold a ConfigMap: write kubectl get configmap NAME -o yaml into it.")
    return document


def read_version(path: str) -> Version:
    """The version in a file, checked against its own hash."""
    return checked(read_configmap(path))


def checked(configmap: Mapping[str, Any]) -> Version:
    try:
        return from_configmap(configmap)
    except TamperedVersion as error:
        raise CliFailure(str(error)) from None


def edits_patch(agent_name: str, namespace: str | None, version: Version) -> str:
    """A patch (kustomize, or `kubectl patch --type merge`) that makes a version's edits those of Git."""
    metadata = {"name": agent_name} | ({"namespace": namespace} if namespace else {})
    edits = [edit.wire() for edit in version.content.edits]
    patch = {"apiVersion": API_VERSION, "kind": "Agent", "metadata": metadata, "spec": {"edits": edits}}
    return yaml.dump(patch, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=120)


class _Readable(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a reviewer reads them as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
