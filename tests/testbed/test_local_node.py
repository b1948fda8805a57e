"""Pods on the local node: what they see, how they start, how they end."""

import json
import os
from pathlib import Path

import pytest

from testbed import ControlPlane, LocalNode
from testbed.fixtures import Kubectl
from testbed.waiting import eventually
from testbed.workloads import Workloads, container_state

pytestmark = pytest.mark.integration

SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


# ---------------------------------------------------------------------- what they see


def test_the_environment_is_clean(workloads: Workloads, monkeypatch: pytest.MonkeyPatch) -> None:
    workloads.pod("clean", "python", "-c", SHOW_ENVIRONMENT, container={"env": [{"name": "MINE", "value": "1"}]})
    workloads.ended("clean")
    environment = json.loads(workloads.logs("clean"))
    assert environment.keys() - {"LC_CTYPE"} == {"PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONUNBUFFERED", "MINE"}
    assert environment["HOME"] != os.environ["HOME"]


def test_environment_from_everywhere(workloads: Workloads, kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "keys", "--from-literal=token=s3cret")
    workloads.config_map("settings", mode="fast", level="3")
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "S_"}],
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "BOTH", "value": "$(POD)-$(S_mode)"},
        ],
        "resources": {"limits": {"memory": "64Mi"}},
        "args": ["$(BOTH)"],
    }
    show = "import os, sys; print(sys.argv[1], *(os.environ.get(key) for key in 'TOKEN ABSENT S_level MEMORY'.split()))"
    workloads.pod("seer", "python", "-c", show, container=container)
    workloads.ended("seer")
    assert workloads.logs("seer").split() == ["seer-fast", "s3cret", "None", "3", "64"]


def test_volumes_are_where_the_arguments_say(workloads: Workloads, kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_text("a trace\n")
    kubectl("create", "secret", "generic", "keys", "--from-literal=token=s3cret")
    workloads.config_map("settings", mode="fast")
    labels = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "traces", "hostPath": {"path": str(tmp_path)}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "keys"}}, {"downwardAPI": {"items": [labels]}}]}},
    ]
    mounts = [
        {"name": "settings", "mountPath": "/etc/app"},
        {"name": "traces", "mountPath": "/traces", "readOnly": True},
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "all", "mountPath": "/all"},
    ]
    script = "cat /etc/app/mode /traces/traces.jsonl /all/token /all/name > /scratch/out; cat /scratch/out"
    workloads.pod("reader", "sh", "-c", script, container={"volumeMounts": mounts}, volumes=volumes)
    workloads.ended("reader")
    assert workloads.logs("reader") == "fasta trace\ns3cretreader"


def test_a_claim_on_a_host_path_volume(workloads: Workloads, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the claim")
    size = {"storage": "1Mi"}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": namespace}
    workloads.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": common | {"capacity": size, "hostPath": {"path": str(tmp_path)}},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "claim"},
            "spec": common | {"resources": {"requests": size}},
        },
    )
    workloads.pod(
        "claimant",
        "cat",
        "/data/file",
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "claim"}}],
    )
    workloads.ended("claimant")
    assert workloads.logs("claimant") == "from the claim"


@pytest.mark.parametrize(("automount", "code"), [(True, 0), (False, 1)])
def test_a_token_is_there_only_when_asked_for(workloads: Workloads, automount: bool, code: int) -> None:
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    workloads.pod("holder", "test", "-s", token, automountServiceAccountToken=automount)
    assert container_state(workloads.ended("holder"), "terminated")["exitCode"] == code


def test_a_changed_config_map_reaches_a_running_pod(workloads: Workloads) -> None:
    workloads.config_map("prompts", system="old")
    script = "until grep -q new /prompts/system; do sleep 0.1; done; cat /prompts/system"
    workloads.pod(
        "agent",
        "sh",
        "-c",
        script,
        container={"volumeMounts": [{"name": "prompts", "mountPath": "/prompts"}]},
        volumes=[{"name": "prompts", "configMap": {"name": "prompts"}}],
    )
    workloads.running("agent")
    workloads.config_map("prompts", system="new")
    workloads.ended("agent")
    assert workloads.logs("agent") == "new"


# ---------------------------------------------------------------------- how they start


def test_init_containers_run_first_and_in_order(workloads: Workloads) -> None:
    mounts = [{"name": "work", "mountPath": "/scratch"}]

    def step(name: str) -> dict[str, object]:
        command = ["sh", "-c", f"echo {name} >> /scratch/steps"]
        return {"name": name, "image": "python", "command": command, "volumeMounts": mounts}

    workloads.pod(
        "stepwise",
        "cat",
        "/scratch/steps",
        container={"volumeMounts": mounts},
        initContainers=[step("first"), step("second")],
        volumes=[{"name": "work", "emptyDir": {}}],
    )
    assert workloads.ended("stepwise")["status"]["phase"] == "Succeeded"
    assert workloads.logs("stepwise").split() == ["first", "second"]


def test_a_failed_init_container_fails_the_pod(workloads: Workloads) -> None:
    workloads.pod("stuck", "true", initContainers=[{"name": "init", "image": "python", "command": ["false"]}])
    pod = workloads.ended("stuck")
    assert pod["status"]["phase"] == "Failed"
    assert container_state(pod, "terminated") == {}


def test_a_missing_secret_is_waited_for(workloads: Workloads, kubectl: Kubectl) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "token"}}
    workloads.pod("patient", "sh", "-c", "echo $T", container={"env": [{"name": "T", "valueFrom": reference}]})
    assert workloads.waiting("patient", "CreateContainerConfigError") == 'secret "late" not found'
    kubectl("create", "secret", "generic", "late", "--from-literal=other=1")
    where = workloads.get("pod", "patient")["metadata"]["namespace"]
    expected = f"couldn't find key token in Secret {where}/late"
    eventually(lambda: workloads.waiting("patient", "CreateContainerConfigError") == expected, expected)
    kubectl("patch", "secret", "late", "--patch", '{"stringData": {"token": "here"}}')
    workloads.ended("patient")
    assert workloads.logs("patient") == "here\n"


def test_a_missing_config_map_volume_keeps_the_pod_pending(workloads: Workloads) -> None:
    volumes = [{"name": "prompts", "configMap": {"name": "late"}}]
    mounts = [{"name": "prompts", "mountPath": "/prompts"}]
    workloads.pod("patient", "cat", "/prompts/system", container={"volumeMounts": mounts}, volumes=volumes)
    workloads.waiting("patient", "ContainerCreating")
    workloads.config_map("late", system="here")
    workloads.ended("patient")
    assert workloads.logs("patient") == "here"


def test_an_unknown_image_is_never_pulled(workloads: Workloads) -> None:
    workloads.pod("stranger", "true", container={"image": "registry.example/nobody/knows:1"})
    message = workloads.waiting("stranger", "ImagePullBackOff")
    assert message.startswith('Back-off pulling image "registry.example/nobody/knows:1"')


def test_a_pod_that_waits_can_be_deleted(workloads: Workloads, kubectl: Kubectl) -> None:
    workloads.pod("patient", "true", container={"envFrom": [{"secretRef": {"name": "never"}}]})
    workloads.waiting("patient", "CreateContainerConfigError")
    kubectl("delete", "pod", "patient", "--timeout=60s")
    assert workloads.get("pod", "patient") == {}


def test_an_unknown_command_is_a_start_error(workloads: Workloads) -> None:
    workloads.pod("confused", "no-such-command")
    end = container_state(workloads.ended("confused"), "terminated")
    assert (end["exitCode"], end["reason"]) == (128, "StartError")


# ---------------------------------------------------------------------- how they end


def test_deleting_a_pod_stops_its_processes(workloads: Workloads, kubectl: Kubectl) -> None:
    """SIGTERM to the first process, which may say goodbye; its stubborn child goes with it."""
    script = "sleep 1000 & echo $! $$; trap 'exit 0' TERM; wait"
    workloads.pod("sleeper", "sh", "-c", script)
    workloads.running("sleeper")
    pids = [int(word) for word in eventually(lambda: workloads.logs("sleeper").split(), "the pids are logged")]
    assert not any(gone(pid) for pid in pids)
    kubectl("delete", "pod", "sleeper", "--timeout=60s")
    assert workloads.get("pod", "sleeper") == {}
    assert all(gone(pid) for pid in pids)


def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace(workloads: Workloads, kubectl: Kubectl) -> None:
    script = "trap '' TERM; echo $$; while :; do sleep 0.1; done"
    workloads.pod("stubborn", "sh", "-c", script, terminationGracePeriodSeconds=1)
    workloads.running("stubborn")
    [pid] = [int(word) for word in eventually(lambda: workloads.logs("stubborn").split(), "the pid is logged")]
    kubectl("delete", "pod", "stubborn", "--timeout=60s")
    assert gone(pid)


def test_restart_policy_on_failure_tries_again(workloads: Workloads) -> None:
    mounts = [{"name": "work", "mountPath": "/scratch"}]
    script = "echo try; test -e /scratch/tried || { touch /scratch/tried; exit 1; }"
    workloads.pod(
        "trier",
        "sh",
        "-c",
        script,
        restartPolicy="OnFailure",
        container={"volumeMounts": mounts},
        volumes=[{"name": "work", "emptyDir": {}}],
    )
    assert "back-off 1s restarting" in workloads.waiting("trier", "CrashLoopBackOff")
    pod = workloads.ended("trier")
    [status] = pod["status"]["containerStatuses"]
    assert (pod["status"]["phase"], status["restartCount"]) == ("Succeeded", 1)
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert workloads.logs("trier", "--previous") == "try\n"


def test_a_pods_own_deadline(workloads: Workloads) -> None:
    workloads.pod("late", "sleep", "1000", activeDeadlineSeconds=1)
    pod = workloads.ended("late")
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")


def test_the_termination_message_falls_back_to_the_log(workloads: Workloads) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    workloads.pod("talker", "sh", "-c", "echo the backend said no; exit 3", container=policy)
    end = container_state(workloads.ended("talker"), "terminated")
    assert (end["exitCode"], end["message"]) == (3, "the backend said no\n")


def test_a_long_termination_message_is_cut(workloads: Workloads) -> None:
    telling = {"env": [{"name": "MESSAGE", "value": "/dev/termination-log"}]}
    write = "import os; open(os.environ['MESSAGE'], 'w').write('x' * 5000)"
    workloads.pod("chatty", "python", "-c", write, container=telling)
    assert len(container_state(workloads.ended("chatty"), "terminated")["message"]) == 4096


def test_logs_tail_and_follow(workloads: Workloads) -> None:
    workloads.pod("counter", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    workloads.until("pod", "counter", lambda pod: pod["status"]["phase"] != "Pending")
    assert workloads.logs("counter", "--follow").split() == ["1", "2", "3"]
    assert workloads.logs("counter", "--tail=1") == "3\n"


# ---------------------------------------------------------------------- chaos


def test_a_killed_pod_fails_with_137(workloads: Workloads, local_node: LocalNode, namespace: str) -> None:
    workloads.pod("victim", "sleep", "1000")
    workloads.running("victim")
    assert local_node.kill_pod(namespace, "victim") == 1
    pod = workloads.ended("victim")
    assert (pod["status"]["phase"], container_state(pod, "terminated")["exitCode"]) == ("Failed", 137)


def test_pods_run_on_while_the_api_server_is_away(
    workloads: Workloads, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """The pod ends during the outage; its status and the next pod's start follow when the server is back."""
    flag = tmp_path / "flag"
    workloads.pod(
        "survivor",
        "sh",
        "-c",
        "until test -e /flags/flag; do sleep 0.05; done; echo on; touch /flags/seen",
        container={"volumeMounts": [{"name": "flags", "mountPath": "/flags"}]},
        volumes=[{"name": "flags", "hostPath": {"path": str(tmp_path)}}],
    )
    workloads.running("survivor")
    control_plane.stop_apiserver()
    flag.touch()
    eventually((tmp_path / "seen").exists, "the pod has gone on")
    control_plane.start_apiserver()
    assert workloads.ended("survivor")["status"]["phase"] == "Succeeded"
    workloads.pod("next", "true")
    assert workloads.ended("next")["status"]["phase"] == "Succeeded"


def test_a_restarted_node_fails_the_pods_it_lost(workloads: Workloads, local_node: LocalNode) -> None:
    workloads.pod("lost", "sh", "-c", "echo $$; sleep 1000")
    workloads.pod("again", "sh", "-c", "echo $$; sleep 1000", restartPolicy="Always")
    workloads.running("lost")
    workloads.running("again")
    [pid] = [int(word) for word in eventually(lambda: workloads.logs("lost").split(), "the pid is logged")]
    local_node.kill()
    eventually(lambda: gone(pid), "the process died with the node")
    local_node.start()
    pod = workloads.ended("lost")
    assert (pod["status"]["reason"], container_state(pod, "terminated")["exitCode"]) == ("NodeLost", 137)
    eventually(lambda: len(workloads.logs("again").split()) == 2, "the pod that may restart has")
