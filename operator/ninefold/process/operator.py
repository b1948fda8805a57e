"""The operator as a process: it waits for the lease, fills the cache, listens, and lets the workers reconcile.

In this order, for each step relies on the one before: only the holder of the lease may write; only a primed cache makes
absence a fact; only then may workers plan. From then on the parts know each other by three values: the watch and our
own writes change the *cache*, every change names *keys* (`wakes`), and the *queue* runs each key's `gather`, `plan`,
writes.

How it ends:

- Told to stop (SIGTERM): workers finish the write that they are at, the lease is given back, exit code 0.
- The lease is lost, the watch breaks, the CRDs are missing: at once, with exit code 1. Starting anew is a normal path:
  plans need nothing that the process remembers.
"""

import asyncio
import logging
import signal
from datetime import UTC, datetime

from ninefold import logs
from ninefold.api.base import API_VERSION, GROUP, VERSION
from ninefold.controllers.actions import Action, Create, Manifest
from ninefold.controllers.kinds import controllers
from ninefold.controllers.ports import Key
from ninefold.controllers.wakes import affected
from ninefold.kube.apply import ClusterWriter
from ninefold.kube.cache import WatchCache
from ninefold.kube.client import KubeClient, load_configuration
from ninefold.kube.errors import KubeError
from ninefold.kube.lease import Lease, LeaseLostError
from ninefold.kube.reader import ClusterReader
from ninefold.kube.resources import AGENT, RECONCILED
from ninefold.kube.watch import watch
from ninefold.process.environment import Options
from ninefold.process.health import LagMeter, Servers, Vitals
from ninefold.process.metrics import Metrics
from ninefold.process.queue import STOP_SECONDS, Queue
from ninefold.store import Store, StoreError

log = logging.getLogger(__name__)


class CannotRunError(Exception):
    """The operator has to end, with a sentence that says why."""


class NotNowError(Exception):
    """A reconcile stops between two writes, because the process is stopping or may no longer act."""


class Operator:
    """One replica. `run` returns when it was told to stop, and raises what it has to end for."""

    def __init__(self, options: Options, client: KubeClient, store: Store) -> None:
        self._options = options
        self._client = client
        self._state = "starting"
        self._lag = LagMeter()
        self._changes: asyncio.Queue[Manifest] = asyncio.Queue()
        self._metrics = Metrics()
        self._cache = WatchCache(options.namespaces, self._changes.put_nowait)
        self._reader = ClusterReader(self._cache, client, store.artifacts)
        self._writer = ClusterWriter(client, self._cache, options.identity, self._metrics.wrote)
        self._lease = Lease(client, options.lease_namespace, options.lease_name, options.identity)
        self._queue = Queue(self._reconcile, options.workers)
        self._controllers = controllers(options.settings)
        self._servers = Servers(self._vitals, self._metrics.text)
        self._observe()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises CannotRunError, KubeError or LeaseLostError."""
        told = asyncio.Event()
        self._obey_signals(told)
        ports = await self._listen()
        log.info("serving probes on port %d and metrics on port %d", *ports)
        tasks = [asyncio.create_task(work) for work in (self._lead(told), told.wait(), self._lag.run())]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            # Without the lease another one may act already: then nothing is finished, and nothing given back.
            await self._queue.stop(STOP_SECONDS if self._lease.is_held else 0)
            await self._lease.release()
            await self._servers.stop()

    # ------------------------------------------------------------------ life

    async def _lead(self, told: asyncio.Event) -> None:
        await require_crds(self._client)
        self._state = "standby"
        await self._lease.acquire()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lease.keep())
            await self._cache.prime(self._client)
            self._queue.add(*self._cache.keys(RECONCILED))
            group.create_task(self._route())
            group.create_task(self._resync())
            group.create_task(self._audit())
            self._queue.start()
            group.create_task(self._watch(told))
            self._state = "leading"
            self._metrics.leader.set(1)
            log.info("leading", extra={"objects": len(self._cache.keys(RECONCILED))})

    async def _watch(self, told: asyncio.Event) -> None:
        listening = asyncio.Event()
        ears = asyncio.create_task(
            watch(self._cache, self._client.configuration, self._options.namespaces, listening), name="watch"
        )
        up = asyncio.create_task(listening.wait())
        await asyncio.wait([ears, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        self._obey_signals(told)  # kopf has taken the signals for itself
        # Cancelled, kopf would end every task that was started after it, and take its time; it goes with the process.
        await asyncio.shield(ears)
        told.set()  # it ends without an error only on a signal, which it got before we took them back

    async def _route(self) -> None:
        """From changed objects to keys."""
        while True:
            changed = await self._changes.get()
            try:
                self._queue.add(*await affected(self._reader, changed))
            except Exception as error:
                # One odd object must not end the operator; the resync finds who is affected.
                log.error("%s in the operator itself", type(error).__name__, extra={"trail": logs.where(error)})
            await asyncio.sleep(0)  # all is read from the cache: without this, a burst of changes holds up the lease

    async def _resync(self) -> None:
        """Now and then, look at everything: for what no event tells."""
        while True:
            await asyncio.sleep(self._options.resync_seconds)
            self._queue.resync(self._cache.keys(RECONCILED), spread=self._options.resync_seconds)

    async def _audit(self) -> None:
        """As often, hear whether events still arrive."""
        while True:
            await asyncio.sleep(self._options.resync_seconds)
            try:
                await self._cache.audit(self._client)
            except KubeError as error:
                log.warning("cannot compare the cache with the cluster: %s", error.message)
            if self._cache.deaf:
                log.error("%s", self._cache.deaf)

    # ------------------------------------------------------------------ work

    async def _reconcile(self, key: Key) -> datetime | None:
        clock = asyncio.get_running_loop().time
        started, result = clock(), "done"
        try:
            return await self._act(key)
        except NotNowError:
            result = "stopped"
            raise
        except (KubeError, StoreError) as error:
            passing = isinstance(error, KubeError) and (error.conflict or error.not_found or error.namespace_ends)
            result = "conflict" if passing else "refused"
            # What is passing is over at the next look; it would only fill the log.
            log.log(logging.DEBUG if passing else logging.WARNING, "%s %s/%s: %s", *_parts(key), error.message)
            raise
        except Exception as error:
            result = "failed"
            # The message of an unknown exception may quote the object, which may quote a trace.
            log.error(
                "%s %s/%s: %s in the operator itself",
                *_parts(key),
                type(error).__name__,
                extra={"trail": logs.where(error)},
            )
            raise
        finally:
            self._metrics.reconcile_seconds.labels(key.kind, result).observe(clock() - started)
            if result in ("refused", "failed"):
                self._metrics.reconcile_errors.labels(key.kind).inc()

    async def _act(self, key: Key) -> datetime | None:
        plan = await self._controllers[key.kind].plan(self._reader, key, datetime.now(UTC))
        for action in plan.actions:
            if self._queue.stopping or not self._lease.is_held:
                raise NotNowError
            before = self._cache.get(*_parts(key))
            try:
                written = await self._writer.perform(action)
            except KubeError as error:
                await self._tell(key, action, error)
                raise
            if written is not None and written["kind"] == "OptimizationRun":
                self._metrics.run_changed(before, written)
        return plan.again_at

    async def _tell(self, key: Key, action: Action, error: KubeError) -> None:
        """A refusal that does not pass by itself becomes a condition. Only of what holds no prompts: the API server
        quotes what it refuses."""
        kind = action.manifest["kind"] if isinstance(action, Create) else ""
        if kind not in ("Job", "OptimizationRun") or error.status not in (403, 422) or error.namespace_ends:
            return
        plan = await self._controllers[key.kind].refused(self._reader, key, error.message, datetime.now(UTC))
        for telling in plan.actions:
            await self._writer.perform(telling)

    # ------------------------------------------------------------------ parts

    def _observe(self) -> None:
        for resource in RECONCILED:
            depth = self._metrics.queue_depth.labels(resource.kind)
            depth.set_function(lambda kind=resource.kind: self._queue.depth(kind))  # type: ignore[misc]
        self._metrics.watch_agents(lambda: self._cache.everything(AGENT))

    def _vitals(self) -> Vitals:
        return Vitals(self._queue.oldest(), self._lag.worst, self._cache.deaf, self._state)

    async def _listen(self) -> tuple[int, int]:
        try:
            return await self._servers.start(self._options.health_port, self._options.metrics_port)
        except OSError as error:
            raise CannotRunError(f"cannot listen for probes and metrics: {error.strerror}") from error

    def _obey_signals(self, told: asyncio.Event) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)


def _parts(key: Key) -> tuple[str, str, str]:
    return key.kind, key.namespace, key.name


async def require_crds(client: KubeClient) -> None:
    """Raise CannotRunError when one of our kinds is not served."""
    try:
        served = await client.request("GET", f"/apis/{API_VERSION}", f"look for the kinds of {API_VERSION}")
    except KubeError as error:
        if not error.not_found:
            raise
        served = {"resources": []}
    there = {resource["name"] for resource in served["resources"]}
    missing = sorted(f"{r.plural}.{GROUP}" for r in RECONCILED if r.plural not in there)
    if missing:
        raise CannotRunError(
            f"the API server does not serve {', '.join(missing)} in version {VERSION}: install Ninefold's CRDs "
            "(kubectl apply --server-side -f crds/, or crds.install in the chart), then the operator starts"
        )


async def serve(options: Options) -> int:
    """Run one replica; returns the exit code."""
    try:
        configuration = await load_configuration()
        store = Store(options.redis_url.get_secret_value())
    except ValueError as error:
        log.error("%s", error)
        return 2
    async with KubeClient(configuration) as client, store:
        try:
            await Operator(options, client, store).run()
        except BaseExceptionGroup as group:
            return _tell(_first(group))
        except (CannotRunError, KubeError, LeaseLostError) as error:
            return _tell(error)
    log.info("stopped")
    return 0


def _tell(error: BaseException) -> int:
    if isinstance(error, CannotRunError | KubeError | LeaseLostError):
        log.error("%s", error)
    else:
        log.error("%s ended the operator", type(error).__name__, extra={"trail": logs.where(error)})
    return 1


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
