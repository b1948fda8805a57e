"""Ports for servers on the loopback interface, for many test processes at once."""

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import TextIO

PORTS = range(20_000, 32_768)
"""Below those that Linux and macOS hand out by themselves: no client's connection takes one between two starts."""


def free_port() -> int:
    """A TCP port on the loopback interface that nobody listens on, and that is ours until this process ends.

    A daemon binds it seconds later, and again after each restart. So a port is reserved among the processes of this
    user (tests run in several at once): each locks the byte of that number in one file, which the kernel unlocks when
    the process is gone.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if port not in _reserved and _lock_byte(port) and _is_free(port):
            _reserved.add(port)
            return port
    raise RuntimeError(f"no free TCP port from {PORTS[0]} to {PORTS[-1]}")


_reserved: set[int] = set()


def _lock_byte(number: int) -> bool:
    """Whether this process now has, or had, the lock of that byte."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        return False
    return True


@cache
def _reservations() -> TextIO:
    """One open file for the life of the process: the locks go when any handle of it in this process is closed."""
    return (Path(tempfile.gettempdir()) / f"ninefold-ports-{os.getuid()}").open("a")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
