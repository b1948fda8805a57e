"""Mount paths become real paths wherever they stand as whole paths, and nowhere else."""

from pathlib import Path

import pytest

from testbed.localnode.mounts import normal, rewrite

MOUNTS = {"/data": Path("/real/data"), "/data/inner": Path("/real/inner"), "/etc/app": Path("/real/app")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", "/real/data"),
        ("/data/x.json", "/real/data/x.json"),
        ("/data/inner/x", "/real/inner/x"),
        ("--config=/etc/app/c.yaml", "--config=/real/app/c.yaml"),
        ("cat /etc/app/a /data/b > /data/inner/c", "cat /real/app/a /real/data/b > /real/inner/c"),
        ('{"path": "/data"}', '{"path": "/real/data"}'),
        ("a:/data:/etc/app", "a:/real/data:/real/app"),
        ("/database", "/database"),
        ("/data.bak", "/data.bak"),
        ("/data-2", "/data-2"),
        ("/mnt/data", "/mnt/data"),
        ("http://host/data", "http://host/data"),
        ("~/data", "~/data"),
        ("./data", "./data"),
    ],
)
def test_rewrite(text: str, expected: str) -> None:
    assert rewrite(text, MOUNTS) == expected


def test_a_real_path_that_contains_a_mount_path_is_not_rewritten_twice() -> None:
    assert rewrite("/data", {"/data": Path("/tmp/data"), "/tmp": Path("/real")}) == "/tmp/data"


def test_without_mounts_nothing_changes() -> None:
    assert rewrite("/data", {}) == "/data"


def test_trailing_slashes_do_not_matter() -> None:
    assert normal("/data/") == normal("/data") == "/data"
