"""The delivered prompts as a pod sees them: the pointer ConfigMap in a directory, read by `ninefold.client`."""

from pathlib import Path

from harness.kubectl import Kubectl
from ninefold.client import Prompts
from testbed.localnode.volumes import publish


def mounted(kubectl: Kubectl, config_map: str, directory: Path) -> Prompts:
    """Mount the ConfigMap the way kubelet does, and open it the way an agent does."""
    directory.mkdir(parents=True, exist_ok=True)
    data = kubectl.get("configmap", config_map).get("data", {})
    publish(directory, {name: text.encode() for name, text in data.items()})
    return Prompts(directory)
