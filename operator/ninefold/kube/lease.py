"""Who of several operators acts: the holder of a Lease (`coordination.k8s.io/v1`), as client-go's leader election does.

The rules, and why nobody ever acts beside the holder:

- The holder renews every two seconds (`retry`), and gives up when no renewal has succeeded for ten (`renew_deadline`).
  The others take over when they have seen no renewal for fifteen (`duration`): so there are five seconds for the old
  holder to be gone, and it goes by ending its process.
- Nobody compares clocks. A candidate measures with its own monotonic clock how long the Lease has not changed; the
  times in the Lease are for people to read.
- Taking over and renewing replace the Lease at the resource version that was read, so of two who try one fails.
- A request has a timeout well below the deadline: a renewal that hangs must not outlive the Lease.
- Who ends in peace gives the Lease back, and the next one takes it at its next look.

The `leaderelection` package of the Kubernetes client is not used: a renewal there may hang for five minutes (the
client's default timeout), a refused connection ends the election with a traceback instead of being tried again until
the deadline, deadlines are read from the wall clock, local time is written with a `Z`, and a Lease is never given back.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ninefold.controllers.actions import Manifest
from ninefold.kube.client import KubeClient
from ninefold.kube.errors import KubeError
from ninefold.kube.resources import LEASE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds. client-go's values: bearable for the API server, and a crash costs a quarter of a minute."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    request: float = 4.0
    """Two tries fit into the deadline, whatever the first one does."""


class LeaseLostError(Exception):
    """We may no longer act: the process must end now. The message says who holds the Lease, or that nobody answers."""


class Lease:
    """One candidate for one Lease. `identity` must be unique among all processes that ever ran."""

    def __init__(
        self, client: KubeClient, namespace: str, name: str, identity: str, timing: Timing | None = None
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing or Timing()
        self._seen: tuple[str, float] = ("", 0.0)
        """Resource version of the Lease when it was last seen to change, and when that was."""
        self._held: Manifest | None = None
        """The Lease as we last wrote it."""
        self._renewed = 0.0

    @property
    def is_held(self) -> bool:
        """Whether we may act now: also after a pause (a frozen process) in which `keep` could not notice anything."""
        return self._held is not None and _clock() - self._renewed < self._timing.duration

    async def acquire(self) -> None:
        """Wait until the Lease is ours. Raises KubeError only for what waiting does not mend, such as a right."""
        while True:
            started = _clock()
            try:
                self._held = await self._take()
            except KubeError as error:
                if error.status in (401, 403, 404, 422):
                    raise
                log.debug("lease: %s", error.message)
            if self._held is not None:
                self._renewed = started
                log.info("acquired the lease %s/%s", self._namespace, self._name)
                return
            await asyncio.sleep(self._timing.retry * random.uniform(1.0, 1.2))  # noqa: S311 - jitter

    async def keep(self) -> None:
        """Renew until that fails for good; then the Lease is not held and LeaseLostError is raised. Never returns."""
        try:
            await self._keep()
        except LeaseLostError:
            self._held = None
            raise

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._timing.retry)
            started = _clock()
            left = self._renewed + self._timing.renew_deadline - started
            if left <= 0:
                raise LeaseLostError(
                    f"the lease {self._namespace}/{self._name} could not be renewed for {started - self._renewed:.0f} s"
                )
            try:
                async with asyncio.timeout(min(left, self._timing.request)):
                    await self._renew()
                # The time before the request: the others may count from when the server had it.
                self._renewed = started
            except (KubeError, TimeoutError) as error:
                log.warning("cannot renew the lease: %s", error)

    async def release(self) -> None:
        """Give the Lease back, if it is ours. Failing is no harm: the next one waits for it to run out."""
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            async with asyncio.timeout(self._timing.request):
                await self._client.replace(LEASE, held | {"spec": held["spec"] | {"holderIdentity": ""}})
            log.info("released the lease %s/%s", self._namespace, self._name)
        except (KubeError, TimeoutError) as error:
            log.warning("cannot release the lease: %s", error)

    # ------------------------------------------------------------------ steps

    async def _take(self) -> Manifest | None:
        """Create the Lease, or replace one that nobody holds. None: it is somebody's."""
        lease = await self._client.get(LEASE, self._namespace, self._name)
        if lease is None:
            metadata = {"namespace": self._namespace, "name": self._name}
            new = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": self._spec({})}
            return await self._client.create(LEASE, new)
        if not self._is_free(lease):
            return None
        return await self._client.replace(LEASE, lease | {"spec": self._spec(lease.get("spec") or {})})

    def _is_free(self, lease: Manifest) -> bool:
        """Given back, ours, or unchanged for as long as its holder promised to renew it."""
        spec, version, now = lease.get("spec") or {}, lease["metadata"]["resourceVersion"], _clock()
        if version != self._seen[0]:
            self._seen = (version, now)
        promised = float(spec.get("leaseDurationSeconds") or self._timing.duration)
        return _holder(lease) in ("", self._identity) or now - self._seen[1] > promised

    async def _renew(self) -> None:
        assert self._held is not None, "only a held lease is renewed"
        try:
            self._held = await self._client.replace(LEASE, self._held | {"spec": self._spec(self._held["spec"])})
        except KubeError as error:
            if not (error.conflict or error.not_found):
                raise
            lease = await self._client.get(LEASE, self._namespace, self._name)
            if lease is None or _holder(lease) != self._identity:
                holder = _holder(lease) if lease else ""
                raise LeaseLostError(
                    f"the lease {self._namespace}/{self._name} is held by {holder or 'nobody'} now"
                ) from None
            # An earlier renewal had arrived after all; only its answer was lost.
            self._held = lease

    def _spec(self, old: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, int(self._timing.duration)),
            "acquireTime": old["acquireTime"] if ours else now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if ours else 1),
        }


def _holder(lease: Manifest) -> str:
    return (lease.get("spec") or {}).get("holderIdentity") or ""


def _clock() -> float:
    return asyncio.get_running_loop().time()
