"""Which cluster is chosen: wishes are kept or refused, never replaced; without a wish, what is there."""

import pytest

from testbed.cluster import ClusterError, choose


@pytest.mark.parametrize(
    ("environment", "docker", "kind", "expected"),
    [
        ({}, False, False, "local"),
        ({}, True, False, "local"),
        ({}, False, True, "local"),
        ({}, True, True, "kind"),
        ({"KUBECONFIG": "/some/file"}, True, True, "kubeconfig"),
        ({"KUBECONFIG": "/some/file", "CLUSTER": "local"}, True, True, "local"),
        ({"KUBECONFIG": "/some/file", "CLUSTER": "kind"}, True, True, "kind"),
        ({"KUBECONFIG": "/some/file", "CLUSTER": "kubeconfig"}, False, False, "kubeconfig"),
        ({"CLUSTER": ""}, False, False, "local"),
    ],
)
def test_choose(environment: dict[str, str], docker: bool, kind: bool, expected: str) -> None:
    choice = choose(environment, lambda: docker, lambda program: kind and program == "kind")
    assert choice.kind == expected
    assert choice.sentence.startswith("using ")


@pytest.mark.parametrize(
    ("environment", "docker", "kind", "sentence"),
    [
        ({"CLUSTER": "minikube"}, True, True, "use kind, kubeconfig or local"),
        ({"CLUSTER": "kubeconfig"}, True, True, "needs KUBECONFIG"),
        ({"CLUSTER": "kind"}, True, False, "needs the program kind"),
        ({"CLUSTER": "kind"}, False, True, "needs a running Docker"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(
    environment: dict[str, str], docker: bool, kind: bool, sentence: str
) -> None:
    with pytest.raises(ClusterError, match=sentence):
        choose(environment, lambda: docker, lambda _: kind)
