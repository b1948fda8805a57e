"""The verbs' view of a cluster: runs and version ConfigMaps, through the official client, as the user of kubectl."""

from typing import Any

from ninefold.api import labels
from ninefold.api.base import GROUP, VERSION
from ninefold.cli.failure import CliFailure


class Cluster:
    """One namespace, with the credentials and the current context of kubectl."""

    def __init__(self, namespace: str | None) -> None:
        try:
            # Here, because only verbs that need a cluster need the library.
            from kubernetes import client, config  # noqa: PLC0415
            from urllib3.exceptions import HTTPError  # noqa: PLC0415
        except ImportError:
            raise CliFailure(
                "this verb talks to a cluster and needs the kubernetes library: pip install 'ninefold[operator,cli]'."
            ) from None
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise CliFailure(f"no cluster is configured ({error}): set KUBECONFIG, as for kubectl.") from None
        self._client: Any = client
        self._unreachable: tuple[type[Exception], ...] = (OSError, HTTPError)
        self.namespace = namespace or _namespace_of_context(config)

    def run(self, name: str) -> dict[str, Any]:
        """An OptimizationRun."""
        found: dict[str, Any] = self._ask(
            f"OptimizationRun {name}",
            lambda: self._client.CustomObjectsApi().get_namespaced_custom_object(
                GROUP, VERSION, self.namespace, "optimizationruns", name
            ),
        )
        return found

    def approve(self, name: str, candidate: str) -> None:
        """Set `spec.approval` of a run."""
        self._ask(
            f"OptimizationRun {name}",
            lambda: self._client.CustomObjectsApi().patch_namespaced_custom_object(
                GROUP,
                VERSION,
                self.namespace,
                "optimizationruns",
                name,
                {"spec": {"approval": candidate}},
                _content_type="application/merge-patch+json",
            ),
        )

    def versions(self, agent: str) -> list[dict[str, Any]]:
        """The version ConfigMaps of an Agent."""
        selector = f"{labels.AGENT}={agent},{labels.ROLE}=version"
        api = self._client
        found = self._ask(
            f"the versions of {agent}",
            lambda: api.CoreV1Api().list_namespaced_config_map(self.namespace, label_selector=selector),
        )
        return list(api.ApiClient().sanitize_for_serialization(found)["items"])

    def _ask(self, what: str, call: Any) -> Any:
        try:
            return call()
        except self._client.ApiException as error:
            reasons = {403: "you may not do this", 404: "it is not there", 422: "the API server refused it"}
            why = reasons.get(error.status, f"the API server answered with status {error.status}")
            raise CliFailure(f"{what} in namespace {self.namespace}: {why}.") from None
        except self._unreachable as error:
            raise CliFailure(f"the cluster cannot be reached ({type(error).__name__}).") from None


def _namespace_of_context(config: Any) -> str:
    try:
        _, current = config.list_kube_config_contexts()
    except config.ConfigException:
        return "default"
    return str((current or {}).get("context", {}).get("namespace") or "default")
