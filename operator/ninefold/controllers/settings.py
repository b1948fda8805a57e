"""What the operator was started with, as far as plans depend on it. A value: the environment is read elsewhere."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class RedisAddress:
    """Where Jobs find Redis: a URL, or (with a password in it) a key of a Secret in the Job's namespace."""

    url: str | None = None
    secret_name: str | None = None
    secret_key: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.secret_name is None or self.secret_key is None):
            raise ValueError("give Jobs the address of Redis by url, or by secret_name and secret_key: one of the two")


@dataclass(frozen=True)
class OperatorSettings:
    """Settings that plans depend on; they come from the chart's values."""

    job_image: str
    redis: RedisAddress
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    allow_host_path: bool = False
    job_service_account: str | None = None
    probe_deadline: timedelta = timedelta(minutes=10)
    """A probe looks at a part of the traces; one that takes longer hangs."""
    probe_interval: timedelta = timedelta(hours=6)
    """Between good probes, and the longest pause between failed ones."""
    job_requests: dict[str, str] = field(default_factory=lambda: {"cpu": "250m", "memory": "512Mi"})
    job_limits: dict[str, str] = field(default_factory=lambda: {"memory": "2Gi"})
    """Defaults for what `spec.jobs.resources` does not name; the engine takes 65 % of the memory limit."""
