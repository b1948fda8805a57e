"""Where the API server keeps each kind that the operator touches. There are few, so no discovery at run time."""

from dataclasses import dataclass

from ninefold.api import labels
from ninefold.api.base import GROUP, VERSION


@dataclass(frozen=True)
class Resource:
    """One namespaced resource. `selector`: only objects with these labels are watched and kept."""

    kind: str
    group: str
    version: str
    plural: str
    selector: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, an object or its subresource; `namespace` None is all of them."""
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        return "/" + "/".join([*parts, self.plural, *filter(None, (name, subresource))])


OURS = f"{labels.MANAGED_BY}={labels.MANAGER}"
"""A cluster holds far more Jobs and ConfigMaps than ours; none of the others may cost us memory."""

AGENT = Resource("Agent", GROUP, VERSION, "agents")
TRACE_BACKEND = Resource("TraceBackend", GROUP, VERSION, "tracebackends")
POLICY = Resource("OptimizationPolicy", GROUP, VERSION, "optimizationpolicies")
RUN = Resource("OptimizationRun", GROUP, VERSION, "optimizationruns")
JOB = Resource("Job", "batch", "v1", "jobs", OURS)
CONFIG_MAP = Resource("ConfigMap", "", "v1", "configmaps", OURS)
POD = Resource("Pod", "", "v1", "pods")
EVENT = Resource("Event", "events.k8s.io", "v1", "events")
LEASE = Resource("Lease", "coordination.k8s.io", "v1", "leases")

RECONCILED = (TRACE_BACKEND, AGENT, POLICY, RUN)
"""Kinds that have a plan of their own."""
WATCHED = (*RECONCILED, JOB, CONFIG_MAP)
"""Kinds that are kept in the cache."""

BY_KIND = {resource.kind: resource for resource in (*WATCHED, POD, EVENT, LEASE)}
