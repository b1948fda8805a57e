"""The environment as values; a wrong variable is named with what to write instead."""

import pytest

from ninefold.controllers.settings import RedisAddress
from ninefold.process.environment import EnvironmentProblem, read_options

LEAST = {
    "NINEFOLD_REDIS_URL": "redis://:secret@redis:6379/0",
    "NINEFOLD_JOB_IMAGE": "ninefold/jobs:1",
    "NINEFOLD_JOB_REDIS_SECRET": "ninefold-redis/url",
}


def test_the_least_that_must_be_said() -> None:
    options = read_options(LEAST)
    assert options.settings.job_image == "ninefold/jobs:1"
    assert options.settings.redis == RedisAddress(secret_name="ninefold-redis", secret_key="url")
    assert options.settings.allow_host_path is False
    assert options.namespaces == ()
    assert (options.workers, options.resync_seconds) == (4, 600.0)
    assert (options.health_port, options.metrics_port) == (8081, 8080)


def test_secrets_do_not_show_when_options_are_printed() -> None:
    assert "secret@" not in repr(read_options(LEAST))


def test_an_empty_variable_is_an_absent_one() -> None:
    options = read_options(LEAST | {"NINEFOLD_WORKERS": "", "NINEFOLD_WATCH_NAMESPACES": "", "NINEFOLD_LEASE_NAME": ""})
    assert (options.workers, options.namespaces, options.lease_name) == (4, (), "ninefold")


def test_namespaces_are_a_list_with_commas() -> None:
    assert read_options(LEAST | {"NINEFOLD_WATCH_NAMESPACES": "a, b,,a"}).namespaces == ("a", "b")


def test_two_processes_never_have_the_same_identity() -> None:
    assert read_options(LEAST).identity != read_options(LEAST).identity


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NINEFOLD_REDIS_URL": ""}, "NINEFOLD_REDIS_URL is not set"),
        ({"NINEFOLD_JOB_IMAGE": ""}, "NINEFOLD_JOB_IMAGE is not set: it must be the image"),
        ({"NINEFOLD_JOB_REDIS_SECRET": ""}, "set either NINEFOLD_JOB_REDIS_URL"),
        ({"NINEFOLD_JOB_REDIS_URL": "redis://r"}, "set either NINEFOLD_JOB_REDIS_URL"),
        (
            {"NINEFOLD_JOB_REDIS_SECRET": "", "NINEFOLD_JOB_REDIS_URL": "redis://:pw@r"},
            "put the URL into a Secret and name that in NINEFOLD_JOB_REDIS_SECRET",
        ),
        ({"NINEFOLD_JOB_REDIS_SECRET": "name-only"}, "must be <name>/<key>"),
        ({"NINEFOLD_JOB_IMAGE_PULL_POLICY": "Sometimes"}, "one of IfNotPresent, Always, Never"),
        ({"NINEFOLD_ALLOW_HOST_PATH": "yes"}, "one of true, false"),
        ({"NINEFOLD_WORKERS": "0"}, "a whole number from 1 to 64"),
        ({"NINEFOLD_RESYNC_SECONDS": "1.5"}, "NINEFOLD_RESYNC_SECONDS is '1.5': it must be a whole number"),
        ({"NINEFOLD_METRICS_PORT": "http"}, "a whole number from 0 to 65535"),
        ({"NINEFOLD_LOG_LEVEL": "verbose"}, "one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_write(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        read_options(LEAST | change)
    assert sentence in str(caught.value)
    assert ":pw@" not in str(caught.value)
