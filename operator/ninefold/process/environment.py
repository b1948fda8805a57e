"""What the operator was started with: its environment, as values, or a sentence that says which variable is wrong."""

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from ninefold.controllers.settings import OperatorSettings, RedisAddress

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class EnvironmentProblem(ValueError):
    """A variable is missing or wrong; the message names it and says what to write."""


@dataclass(frozen=True)
class Options:
    """All that the environment says."""

    settings: OperatorSettings
    redis_url: SecretStr
    namespaces: tuple[str, ...]
    """Namespaces to watch; empty: all."""
    lease_namespace: str
    lease_name: str
    identity: str
    """Of this process, among all that ever ran: the pod's name and a random part."""
    metrics_port: int
    health_port: int
    workers: int
    resync_seconds: float
    log_level: str


def read_options(environment: Mapping[str, str] = os.environ) -> Options:
    """Raises EnvironmentProblem."""
    redis_url = _required(environment, "NINEFOLD_REDIS_URL", "the URL of Redis, such as redis://redis:6379/0")
    return Options(
        settings=OperatorSettings(
            job_image=_required(environment, "NINEFOLD_JOB_IMAGE", "the image that Jobs run"),
            redis=_job_redis(environment),
            image_pull_policy=_one_of(
                environment, "NINEFOLD_JOB_IMAGE_PULL_POLICY", ("IfNotPresent", "Always", "Never"), "IfNotPresent"
            ),
            image_pull_secrets=_words(environment, "NINEFOLD_JOB_IMAGE_PULL_SECRETS"),
            job_service_account=environment.get("NINEFOLD_JOB_SERVICE_ACCOUNT") or None,
            allow_host_path=_one_of(environment, "NINEFOLD_ALLOW_HOST_PATH", ("true", "false"), "false") == "true",
        ),
        redis_url=SecretStr(redis_url),
        namespaces=_words(environment, "NINEFOLD_WATCH_NAMESPACES"),
        lease_namespace=environment.get("NINEFOLD_LEASE_NAMESPACE") or _own_namespace(),
        lease_name=environment.get("NINEFOLD_LEASE_NAME") or "ninefold",
        identity=f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}",
        metrics_port=_number(environment, "NINEFOLD_METRICS_PORT", 8080, 0, 65535),
        health_port=_number(environment, "NINEFOLD_HEALTH_PORT", 8081, 0, 65535),
        workers=_number(environment, "NINEFOLD_WORKERS", 4, 1, 64),
        resync_seconds=float(_number(environment, "NINEFOLD_RESYNC_SECONDS", 600, 1, 86400)),
        log_level=_one_of(environment, "NINEFOLD_LOG_LEVEL", _LEVELS, "INFO"),
    )


def _job_redis(environment: Mapping[str, str]) -> RedisAddress:
    """A password must not stand in a Job's manifest, which more people can read than a Secret."""
    url = environment.get("NINEFOLD_JOB_REDIS_URL") or None
    secret = environment.get("NINEFOLD_JOB_REDIS_SECRET") or None
    if (url is None) == (secret is None):
        raise EnvironmentProblem(
            "set either NINEFOLD_JOB_REDIS_URL (a URL without a password), or NINEFOLD_JOB_REDIS_SECRET "
            "(<name>/<key> of a Secret in the namespaces of the Jobs)"
        )
    if url is not None:
        if "@" in url:
            raise EnvironmentProblem(
                "NINEFOLD_JOB_REDIS_URL carries credentials, which would stand in every Job's manifest: put the URL "
                "into a Secret and name that in NINEFOLD_JOB_REDIS_SECRET"
            )
        return RedisAddress(url=url)
    name, _, key = (secret or "").partition("/")
    if not name or not key:
        raise EnvironmentProblem("NINEFOLD_JOB_REDIS_SECRET must be <name>/<key>, such as ninefold-redis/url")
    return RedisAddress(secret_name=name, secret_key=key)


def _required(environment: Mapping[str, str], name: str, what: str) -> str:
    if value := environment.get(name):
        return value
    raise EnvironmentProblem(f"{name} is not set: it must be {what}")


def _one_of(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environment.get(name) or default
    if value not in allowed:
        raise EnvironmentProblem(f"{name} is {value!r}: it must be one of {', '.join(allowed)}")
    return value


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or not least <= int(value) <= most:
        raise EnvironmentProblem(f"{name} is {value!r}: it must be a whole number from {least} to {most}")
    return int(value)


def _words(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """A comma-separated list; the same twice counts once."""
    return tuple(dict.fromkeys(word.strip() for word in environment.get(name, "").split(",") if word.strip()))


def _own_namespace() -> str:
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else "default"
