"""What Prometheus reads. The names are a contract: dashboards and alerts stand on them.

What an object's status says (success, nines) is read from the cache at the moment of the scrape: so no series outlives
its Agent, and a restart forgets nothing. What happens (reconciles, writes, ended runs) is counted as it happens.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ninefold.controllers.actions import Manifest
from ninefold.controllers.conditions import is_true
from ninefold.controllers.objects import Agent, agents_of, runs_of
from ninefold.controllers.prompt_snapshot import DELIVERED
from ninefold.controllers.runfacts import end_reason

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One set of metrics in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leader = Gauge("ninefold_leader", "1 while this replica holds the lease.", registry=self.registry)
        self.queue_depth = Gauge(
            "ninefold_queue_depth", "Keys that wait for a worker.", ["kind"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "ninefold_reconcile_seconds",
            "Time of one reconcile, by how it ended: done, conflict, refused or failed.",
            ["kind", "result"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.reconcile_errors = Counter(
            "ninefold_reconcile_errors_total", "Reconciles that will be tried again.", ["kind"], registry=self.registry
        )
        self.runs = Counter("ninefold_runs_total", "Runs that ended, by result.", ["result"], registry=self.registry)
        self.writes = Counter(
            "ninefold_writes_total", "Requests that write, by kind and verb.", ["kind", "verb"], registry=self.registry
        )

    def watch_agents(self, agents: Callable[[], list[Manifest]]) -> None:
        """Show success and nines of these Agents at every scrape."""
        self.registry.register(_AgentCollector(agents))

    def wrote(self, kind: str, verb: str) -> None:
        """Count one write."""
        self.writes.labels(kind, verb).inc()

    def run_changed(self, before: Manifest | None, after: Manifest) -> None:
        """Count a run that has just ended."""
        old = end_reason(run) if before is not None and (run := next(iter(runs_of([before])), None)) else None
        new = end_reason(run) if (run := next(iter(runs_of([after])), None)) else None
        if old is None and new is not None:
            self.runs.labels(new).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _delivered(agents: list[Agent]) -> GaugeMetricFamily:
    told = GaugeMetricFamily(
        "ninefold_agent_delivered",
        "1 while the label in Langfuse is on the stable version, else 0.",
        labels=["namespace", "agent", "version"],
    )
    for agent in agents:
        if agent.spec.delivery.langfuse_prompt is not None:
            marks = [agent.namespace, agent.name, agent.status.stable_version or ""]
            told.add_metric(marks, float(is_true(agent.status.conditions, DELIVERED)))
    return told


class _AgentCollector(Collector):
    def __init__(self, agents: Callable[[], list[Manifest]]) -> None:
        self._agents = agents

    def collect(self) -> Iterator[Metric]:
        yield _delivered(agents_of(self._agents()))
        names = ["namespace", "agent", "version"]
        ratio = GaugeMetricFamily(
            "ninefold_agent_success_ratio", "Share of judged traces that succeeded, as last analysed.", labels=names
        )
        nines = GaugeMetricFamily(
            "ninefold_agent_nines", "-log10(1 - lower bound of success), as last analysed.", labels=names
        )
        by_version = GaugeMetricFamily(
            "ninefold_agent_version_success_ratio",
            "Share of judged traces of one version, as the traces name it, that succeeded.",
            labels=names,
        )
        nines_by_version = GaugeMetricFamily(
            "ninefold_agent_version_nines", "-log10(1 - lower bound of success) of one version.", labels=names
        )
        plateau = GaugeMetricFamily(
            "ninefold_agent_plateaued",
            "1 when the agent no longer gets better by itself, 0 when it does; absent: not known.",
            labels=names[:2],
        )
        losses = GaugeMetricFamily(
            "ninefold_agent_trace_losses",
            "How often traces were left out, mended or late, by how, in the window that was analysed last.",
            labels=["namespace", "agent", "loss"],
        )
        for agent in agents_of(self._agents()):
            for loss in agent.status.losses or ():
                losses.add_metric([agent.namespace, agent.name, loss.name], loss.count)
            standing = agent.status.standing
            for seen in standing.versions if standing is not None else ():
                marks = [agent.namespace, agent.name, seen.version]
                by_version.add_metric(marks, seen.success.rate)
                nines_by_version.add_metric(marks, seen.success.nines)
            if standing is not None and standing.trend is not None and standing.trend.state != "TooFewTraces":
                plateau.add_metric([agent.namespace, agent.name], float(standing.trend.state == "Plateaued"))
            if (success := agent.status.success) is not None:
                marks = [agent.namespace, agent.name, agent.status.stable_version or ""]
                ratio.add_metric(marks, success.rate)
                nines.add_metric(marks, success.nines)
        yield from (ratio, nines, by_version, nines_by_version, plateau, losses)
