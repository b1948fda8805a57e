"""The control plane is a real one: users, rights, audit, restarts."""

import datetime

import pytest
from kubernetes.aio.client import ApiClient, CoreV1Api

from testbed import ControlPlane
from testbed.fixtures import OPERATOR, Kubectl

pytestmark = pytest.mark.integration


def test_it_says_the_pinned_version(control_plane: ControlPlane) -> None:
    assert "Server Version: v1.35.4" in control_plane.kubectl("version").stdout


async def test_the_python_client_trusts_it(kube: ApiClient, namespace: str) -> None:
    listing = await CoreV1Api(kube).list_namespace()
    assert namespace in {one.metadata.name for one in listing.items}


def test_a_user_has_no_rights_but_those_bound_to_it(kubectl: Kubectl) -> None:
    refused = kubectl("get", "configmaps", user=OPERATOR.name, check=False)
    assert f'User "{OPERATOR.name}" cannot list resource "configmaps"' in refused.stderr
    kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--user={OPERATOR.name}")
    assert kubectl("get", "configmaps", user=OPERATOR.name).returncode == 0
    assert kubectl("get", "secrets", user=OPERATOR.name, check=False).returncode != 0


def test_a_service_account_logs_in_with_its_own_token(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    kubectl("create", "serviceaccount", "walker")
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "walker")
    who = control_plane.kubectl(f"--kubeconfig={kubeconfig}", "auth", "whoami").stdout
    assert f"system:serviceaccount:{namespace}:walker" in who


def test_the_audit_log_counts_writes_by_user(control_plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    since = datetime.datetime.now(datetime.UTC)
    kubectl("create", "configmap", "counted", "--from-literal=a=1")
    kubectl("annotate", "configmap", "counted", "x=y")
    kubectl("get", "configmap", "counted")
    kubectl("create", "configmap", "refused", user=OPERATOR.name, check=False)
    mine = [
        (event["verb"], event["objectRef"]["name"])
        for event in control_plane.audit_writes(user="admin", since=since)
        if event["objectRef"].get("namespace") == namespace
    ]
    assert mine == [("create", "counted"), ("patch", "counted")]
    [refused] = control_plane.audit_writes(user=OPERATOR.name, since=since)
    assert refused["responseStatus"]["code"] == 403


def test_a_restarted_api_server_still_has_everything(control_plane: ControlPlane, kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "kept")
    control_plane.restart_apiserver()
    assert kubectl("get", "configmap", "kept").returncode == 0
