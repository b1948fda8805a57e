"""A container's environment, command and arguments, as kubelet computes them.

Only `container_environment` and `referenced_data` ask the API server, and only for what the container names. What is
missing raises `ConfigError` with kubelet's sentence; the caller shows it and tries again.
"""

import asyncio
import base64
import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from kubernetes.aio.client import ApiException

from testbed.localnode.api import UNREACHABLE, Api
from testbed.localnode.objects import Object
from testbed.localnode.status import ADDRESS

CONFIG_RETRY_SECONDS = 0.5
"""Until a missing Secret or ConfigMap is looked for again. kubelet takes longer; tests are impatient."""

log = logging.getLogger("localnode")

Result = TypeVar("Result")


class ConfigError(Exception):
    """The container cannot start yet; the message is that of `CreateContainerConfigError`."""


async def until_configured(read: Callable[[], Awaitable[Result]], complain: Callable[[ConfigError], None]) -> Result:
    """What `read` returns as soon as everything that it needs exists; each miss is complained about."""
    while True:
        try:
            return await read()
        except ConfigError as error:
            complain(error)
        except (ApiException, *UNREACHABLE) as error:
            log.warning("reading a pod's configuration: %s", error)
        await asyncio.sleep(CONFIG_RETRY_SECONDS)


async def container_environment(api: Api, pod: Object, container: Object) -> dict[str, str]:
    """`envFrom` first, then `env` in order, each value seeing those before it."""
    result: dict[str, str] = {}
    for source in container.get("envFrom", []):
        prefix = source.get("prefix", "")
        for kind in ("configMapRef", "secretRef"):
            if reference := source.get(kind):
                found = await referenced_data(api, pod, kind.removesuffix("Ref"), reference)
                result |= {prefix + key: value.decode() for key, value in (found or {}).items()}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            value = await _value_from(api, pod, container, variable["valueFrom"])
        else:
            value = expand(variable.get("value", ""), result)
        if value is not None:
            result[variable["name"]] = value
    return result


async def _value_from(api: Api, pod: Object, container: Object, source: Object) -> str | None:
    if reference := source.get("fieldRef"):
        return pod_field(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        return resource_field(pod, container, reference)
    for kind, title in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if reference := source.get(f"{kind}KeyRef"):
            data = await referenced_data(api, pod, kind, reference)
            if data is None:
                return None
            if (value := data.get(reference["key"])) is not None:
                return value.decode()
            if reference.get("optional"):
                return None
            where = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise ConfigError(f"couldn't find key {reference['key']} in {title} {where}")
    raise ConfigError(f"valueFrom is not supported by the local node: {sorted(source)}")


async def referenced_data(api: Api, pod: Object, kind: str, reference: Mapping[str, Any]) -> dict[str, bytes] | None:
    """The content of a `configMap` or `secret`; None if it is absent and marked optional."""
    name = reference.get("name") or reference.get("secretName")
    plural = {"configMap": "configmaps", "secret": "secrets"}[kind]
    found = await api.find(f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{name}")
    if found is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    plain, encoded = found.get("data") or {}, found.get("binaryData") or {}
    if kind == "secret":
        plain, encoded = {}, plain
    result = {key: value.encode() for key, value in plain.items()}
    return result | {key: base64.b64decode(value) for key, value in encoded.items()}


def pod_field(pod: Object, path: str) -> str:
    """A downward-API field: `metadata.*`, `spec.*` or `status.*`, with `['key']` for maps."""
    if keyed := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        value: str = (pod["metadata"].get(keyed[1]) or {}).get(keyed[2], "")
        return value
    if path in ("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs"):
        return ADDRESS
    at: Any = pod
    for step in path.split("."):
        at = at.get(step, {}) if isinstance(at, dict) else {}
    if path in ("metadata.labels", "metadata.annotations"):
        return "\n".join(f'{key}="{value}"' for key, value in sorted(at.items()))
    return at if isinstance(at, str) else ""


def resource_field(pod: Object, container: Object, reference: Mapping[str, Any]) -> str:
    """A limit or request as a whole number of its divisor; a missing limit falls to the request."""
    if name := reference.get("containerName"):
        container = next(one for one in pod["spec"]["containers"] if one["name"] == name)
    kind, _, resource = reference["resource"].partition(".")
    resources = container.get("resources", {})
    value = resources.get(kind, {}).get(resource) or resources.get("requests", {}).get(resource) or "0"
    divisor = reference.get("divisor", "1")
    return str(math.ceil(quantity(value) / (quantity(divisor) or 1)))


_SUFFIXES: dict[str, float] = {
    "": 1,
    "m": 1e-3,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)},
}


def quantity(text: str) -> float:
    """`500m`, `2`, `512Mi`, `1G` as a number."""
    number = text.rstrip("mikKMGTPE")
    return float(number) * _SUFFIXES[text.removeprefix(number)]


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value, `$$(NAME)` the literal `$(NAME)`; unknown names stay as they are."""

    def replace(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        return environment.get(match[1], match[0])

    return re.sub(r"\$?\$\(([A-Za-z_.][A-Za-z0-9_.-]*)\)", replace, text)
