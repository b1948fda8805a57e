"""The operator as a process: how it starts, waits, takes over, stops, and what it says when it cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import an_agent_object
from integration.conftest import CRDS, MakeOperator, account_of_the_chart
from integration.loop import Loop
from integration.process import OperatorProcess, eventually

from testbed import ControlPlane, RedisServer
from testbed.paths import REPOSITORY

pytestmark = pytest.mark.integration


def holder(control_plane: ControlPlane, namespace: str) -> str:
    answer = control_plane.kubectl(
        "get", "lease", "ninefold", f"--namespace={namespace}", "--output=jsonpath={.spec.holderIdentity}"
    )
    return answer.stdout


def sentences(process: OperatorProcess) -> str:
    return "\n".join(str(line["message"]) for line in process.messages())


def test_it_leads_is_healthy_and_ends_in_peace(operator: MakeOperator, namespace: str, installed: ControlPlane) -> None:
    process = operator()
    process.start()
    assert process.probe("healthz") == "ok"
    assert "ninefold_leader 1.0" in process.metrics()
    assert holder(installed, namespace) != ""
    assert process.stop() == 0
    assert holder(installed, namespace) == ""


def test_a_second_replica_is_ready_waits_and_takes_over_when_the_first_one_stops(
    operator: MakeOperator, namespace: str, installed: ControlPlane
) -> None:
    first, second = operator(), operator()
    first.start()
    second.start(until="standby")
    assert second.probe("healthz") == "ok"
    assert "ninefold_leader 0.0" in second.metrics()
    held = holder(installed, namespace)
    assert first.stop() == 0
    eventually(lambda: second.probe("readyz") == "leading", "the handover")
    assert holder(installed, namespace) not in ("", held)


def test_a_replica_takes_over_from_one_that_was_killed(operator: MakeOperator, loop: Loop) -> None:
    first, second = operator(), operator()
    first.start()
    second.start(until="standby")
    loop.set_up()
    loop.hold("nfa", "support", "analyze")
    eventually(lambda: loop.all("nfr"), "a run")
    first.kill()
    loop.release("analyze")
    eventually(lambda: second.probe("readyz") == "leading", "the handover")
    loop.until("nfr", "nightly-g1", "Succeeded", "True", "Promoted")


def test_who_was_frozen_while_another_took_over_ends_at_once_and_writes_nothing(
    operator: MakeOperator, namespace: str, installed: ControlPlane
) -> None:
    first = operator()
    first.start()
    installed.kubectl(
        "patch", "lease", "ninefold", f"--namespace={namespace}", "--type=merge",
        '--patch={"spec": {"holderIdentity": "somebody else"}}',
    )  # fmt: skip
    assert first.exit_code() == 1
    assert "is held by somebody else now" in sentences(first)
    assert holder(installed, namespace) == "somebody else"


def test_a_standby_ends_in_peace_too(operator: MakeOperator) -> None:
    first, second = operator(), operator()
    first.start()
    second.start(until="standby")
    assert second.stop() == 0


@pytest.mark.slow
def test_a_new_cluster_first_lacks_the_crds_and_is_then_served_in_all_namespaces(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    with ControlPlane(directory=tmp_path / "empty") as empty:
        empty.kubectl("create", "namespace", "ninefold-system")
        kubeconfig = account_of_the_chart(empty, "ninefold-system")
        log = tmp_path / "operator.log"
        process = OperatorProcess(kubeconfig, redis_server.url, "ninefold-system", log, NINEFOLD_WATCH_NAMESPACES="")
        process.launch()
        assert process.exit_code() == 1
        assert "does not serve agents.ninefold.dev, optimizationpolicies.ninefold.dev" in sentences(process)
        assert "kubectl apply --server-side -f crds/" in sentences(process)

        empty.kubectl("apply", "--server-side", f"--filename={CRDS}")
        empty.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"--filename={CRDS}")
        process.start()
        for namespace in ("one", "two"):
            empty.kubectl("create", "namespace", namespace)
            agent = json.dumps(an_agent_object() | {"metadata": {"name": "support"}})
            empty.kubectl("create", f"--namespace={namespace}", "--filename=-", stdin=agent)
            eventually(lambda ns=namespace: served(empty, ns).startswith("v1-"), f"the first version in {namespace}")
        assert process.stop() == 0


def served(control_plane: ControlPlane, namespace: str) -> str:
    path = "--output=jsonpath={.status.stableVersion}"
    return control_plane.kubectl("get", "nfa", "support", f"--namespace={namespace}", path).stdout


def test_a_missing_right_is_told_by_verb_and_resource(
    installed: ControlPlane, redis_server: RedisServer, namespace: str, tmp_path: Path
) -> None:
    nobody = installed.kubeconfig("ninefold-operator")
    process = OperatorProcess(nobody, redis_server.url, namespace, tmp_path / "operator.log")
    process.launch()
    assert process.exit_code() == 1
    assert 'cannot get resource "leases" in API group "coordination.k8s.io"' in sentences(process)


def test_a_wrong_environment_is_told_and_not_tried_again(installed: ControlPlane) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "operator")}
    done = subprocess.run(
        [sys.executable, "-m", "ninefold.process"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "NINEFOLD_REDIS_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_rights_in_one_namespace_are_enough_and_others_are_left_alone(
    operator: MakeOperator, loop: Loop, installed: ControlPlane
) -> None:
    process = operator()
    process.start()
    loop.set_up()
    loop.until("nfa", "support", "Ready", "True")
    assert not [line for line in process.messages() if line["level"] in ("WARNING", "ERROR")]


def test_it_gets_over_a_restart_of_the_api_server(operator: MakeOperator, loop: Loop, installed: ControlPlane) -> None:
    process = operator()
    process.start()
    loop.set_up(suspend=True)
    loop.until("nftb", "traces", "Ready", "True")
    installed.restart_apiserver()
    loop.patch("nfp", "nightly", {"suspend": False})

    def promoted() -> bool:
        if not process.alive:
            process.launch()  # as the kubelet would: it ends when the API server was away for too long
        return loop.condition("nfr", "nightly-g2", "Succeeded")[:2] == ("True", "Promoted")

    eventually(promoted, "a promotion")


def test_it_works_without_redis_until_an_artifact_is_needed(operator: MakeOperator, loop: Loop, tmp_path: Path) -> None:
    process = operator(NINEFOLD_REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    process.start()
    loop.set_up(suspend=True)
    loop.until("nfa", "support", "Ready", "True")
    eventually(lambda: "Redis at redis://127.0.0.1:1/0 cannot be used" in sentences(process), "a sentence")
    assert "hunter2" not in process.log.read_text()
    assert process.probe("healthz") == "ok"
