"""What the servers of the test bed have in common: a directory, and a life as a context manager."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Server:
    """A server with a directory for its data, logs and keys; a temporary one, removed at the end, where none is given.

    A subclass adds `start`, and ends its processes in a `stop` that calls this one.
    """

    def __init__(self, directory: Path | None, name: str) -> None:
        self._scratch = None if directory else tempfile.TemporaryDirectory(prefix=f"ninefold-{name}-")
        self.directory = directory or Path(self._scratch.name if self._scratch else "")
        self.directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        if self._scratch:
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
