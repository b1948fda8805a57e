"""Words of the Kubernetes API that need no client: importing one takes a second, and most readers don't."""

from typing import Any

Object = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
"""Where nodes renew their leases."""
