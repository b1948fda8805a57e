"""A container's command line from its spec and its image."""

from pathlib import Path

import pytest

from testbed.localnode.container import command_line
from testbed.localnode.images import Image
from testbed.localnode.objects import Object

IMAGE = Image(entrypoint=("python", "-m", "agent"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["python", "-m", "agent"]),
        ({"args": ["serve"]}, ["python", "-m", "agent", "serve"]),
        ({"command": ["sh"]}, ["sh"]),
        ({"command": ["sh"], "args": ["-c", "true"]}, ["sh", "-c", "true"]),
        ({"args": ["--in=/data/$(NAME)"]}, ["python", "-m", "agent", "--in=/real/x"]),
        ({"args": ["$(FOLDER)/x"]}, ["python", "-m", "agent", "/real/x"]),
    ],
)
def test_command_line(spec: Object, expected: list[str]) -> None:
    environment = {"NAME": "x", "FOLDER": "/data"}
    assert command_line(spec, IMAGE, environment, {"/data": Path("/real")}) == expected
