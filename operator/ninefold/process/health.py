"""What the kubelet and Prometheus ask: `/healthz`, `/readyz` and `/metrics`.

Alive is not the same as answering: a worker may hang, the event loop may be blocked, a watch may have gone deaf while
the process looks well. `/healthz` knows these three and turns red with a sentence; restarting mends each of them.
`/readyz` is about standing ready, which a replica does that waits for the lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from ninefold.controllers.ports import Key
from ninefold.process.metrics import CONTENT_TYPE

STUCK_SECONDS = 300.0
"""A reconcile makes a few dozen requests at most, of which each ends within half a minute."""
LAG_SECONDS = 15.0
"""Something computes in the event loop that does not belong there; the lease would be lost soon."""


@dataclass(frozen=True)
class Vitals:
    """What the probes judge by, at one moment."""

    oldest: tuple[Key, float] | None = None
    """The reconcile that has run for longest, and for how many seconds."""
    lag: float = 0.0
    """Seconds by which the event loop was late at worst within the last minute."""
    deaf: str | None = None
    """A sentence while the watch is known not to deliver."""
    state: str = "starting"
    """`starting`, `standby` or `leading`."""


def health(vitals: Vitals) -> str | None:
    """None when all is well, else what is wrong."""
    if vitals.oldest is not None and vitals.oldest[1] > STUCK_SECONDS:
        key, seconds = vitals.oldest
        return f"the reconcile of {key.kind} {key.namespace}/{key.name} has been running for {seconds:.0f} s"
    if vitals.lag > LAG_SECONDS:
        return f"the event loop was blocked for {vitals.lag:.0f} s"
    return vitals.deaf


class LagMeter:
    """Measures by how much the event loop is late; remembers the worst of the last `WINDOW` measurements."""

    PERIOD = 1.0
    WINDOW = 60

    def __init__(self) -> None:
        self._lags = [0.0]

    @property
    def worst(self) -> float:
        return max(self._lags)

    async def run(self) -> None:
        """Measure forever."""
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(self.PERIOD)
            self._lags = [*self._lags, clock() - before - self.PERIOD][-self.WINDOW :]


class Servers:
    """The two small HTTP servers: probes on one port, metrics on the other (0: a free one)."""

    def __init__(self, vitals: Callable[[], Vitals], metrics: Callable[[], bytes]) -> None:
        self._vitals = vitals
        self._metrics = metrics
        self._runners: list[web.AppRunner] = []

    async def start(self, health_port: int, metrics_port: int) -> tuple[int, int]:
        """Listen on all interfaces; returns the ports. OSError when one of them is taken."""
        probes = {"/healthz": self._healthz, "/readyz": self._readyz}
        return await self._serve(probes, health_port), await self._serve({"/metrics": self._scrape}, metrics_port)

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(
        self, routes: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]], port: int
    ) -> int:
        app = web.Application()
        app.add_routes([web.get(path, handler) for path, handler in routes.items()])
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, None, port)
        await site.start()
        # A free port is another one for IPv6, whose addresses have more parts; a given one is the same for both.
        return int(min(runner.addresses, key=len)[1])

    async def _healthz(self, request: web.Request) -> web.Response:
        wrong = health(self._vitals())
        return web.Response(text=wrong or "ok", status=500 if wrong else 200)

    async def _readyz(self, request: web.Request) -> web.Response:
        state = self._vitals().state
        return web.Response(text=state, status=503 if state == "starting" else 200)

    async def _scrape(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})
