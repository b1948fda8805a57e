"""Find, build and run the real servers of the contract tests.

Each is one Go module beside this file. Like the control plane's (`testbed.binaries`), a binary is compiled from pinned,
checksummed modules into the user's cache, under a hash of what decides its content; about five minutes each when all
caches are empty. `python -m contract.servers` builds what is missing.

Jaeger is 1.62, the newest release whose modules the checksum database vouches for; its query API is version 3 as well.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from testbed.paths import HACK, cache_directory
from testbed.ports import free_port
from testbed.waiting import eventually

PACKAGES = {"collector": ".", "jaeger": "github.com/jaegertracing/jaeger/cmd/all-in-one"}
"""Go module beside this file to the package in it that is compiled."""


def cached(name: str) -> Path | None:
    """The binary of a server, or None when it has not been built yet."""
    path = _place(name)
    return path if path.is_file() else None


def build(name: str) -> Path:
    """The binary of a server, compiled first where it is missing. CalledProcessError when Go cannot."""
    path = _place(name)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        go = shutil.which("go") or "go"
        flags = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
        command = [go, "build", "-ldflags", "-s -w", "-o", str(scratch), PACKAGES[name]]
        subprocess.run(command, cwd=HACK / "contract" / name, env=os.environ | flags, check=True)
        scratch.rename(path)
    return path


def _place(name: str) -> Path:
    module = HACK / "contract" / name
    digest = hashlib.sha256(PACKAGES[name].encode())
    for file in sorted(module.glob("*")):
        digest.update(file.read_bytes())
    return cache_directory() / "contract" / f"{name}-{digest.hexdigest()[:16]}"


@contextmanager
def running(binary: Path, arguments: Sequence[str], ready: str, log: Path) -> Iterator[None]:
    """A server, until the block ends; `ready` is a URL that answers (whatever it answers) when it is."""
    environment = os.environ | {"COLLECTOR_OTLP_ENABLED": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen([binary, *arguments], stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            eventually(lambda: process.poll() is not None or _answers(ready), f"an answer from {ready}")
            if process.poll() is not None:
                raise RuntimeError(f"{binary.name} has stopped: {log.read_text()[-2000:]}")
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def collector(folder: Path, clickhouse: str | None = None, *, json_columns: bool = False) -> Iterator[str]:
    """A collector that writes below `folder` in four wrappings; gives the address for OTLP over HTTP.

    The files are complete when the block has ended. With the address of a ClickHouse the spans go there as well,
    before a request is answered; `json_columns` makes the attributes JSON columns instead of maps.
    """
    port = free_port()
    exporters = {
        "file/json": "{path: %s/traces.json}",
        "file/proto": "{path: %s/traces.binpb, format: proto}",
        "file/json-zstd": "{path: %s/traces.json.zst, compression: zstd}",
        "file/proto-zstd": "{path: %s/traces.binpb.zst, format: proto, compression: zstd}",
    }
    written = {name: text % folder for name, text in exporters.items()}
    if clickhouse is not None:
        written["clickhouse"] = (
            f"{{endpoint: '{clickhouse}', compress: none, json: {str(json_columns).lower()}, "
            "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}"
        )
    config = folder / "collector.yaml"
    config.write_text(
        f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n"
        "exporters:\n"
        + "".join(f"  {name}: {text}\n" for name, text in written.items())
        + "service:\n  telemetry: {metrics: {level: none}}\n"
        f"  pipelines: {{traces: {{receivers: [otlp], exporters: [{', '.join(written)}]}}}}\n"
    )
    url = f"http://127.0.0.1:{port}"
    with running(build("collector"), ["--config", f"file:{config}"], url, folder / "collector.log"):
        yield url


@contextmanager
def jaeger(folder: Path) -> Iterator[tuple[str, str]]:
    """A Jaeger with its store in memory; gives its addresses for OTLP over HTTP and for queries."""
    names = (
        "collector.otlp.http", "collector.otlp.grpc", "query.http-server", "query.grpc-server",
        "admin.http", "collector.http-server", "collector.grpc-server",
    )  # fmt: skip
    ports = {name: free_port() for name in names}
    arguments = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in ports.items()]
    arguments += [f"--http-server.host-port=127.0.0.1:{free_port()}"]
    arguments += [f"--processor.{p}.server-host-port=127.0.0.1:{free_port()}" for p in _AGENT]
    query = f"http://127.0.0.1:{ports['query.http-server']}"
    with running(build("jaeger"), arguments, f"{query}/api/v3/services", folder / "jaeger.log"):
        yield f"http://127.0.0.1:{ports['collector.otlp.http']}", query


_AGENT = ("jaeger-binary", "jaeger-compact", "zipkin-compact")
"""The agent's UDP ports: nothing is sent there, and two runs must not want the same."""


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=1)
    except httpx.TransportError:
        return False
    return True


if __name__ == "__main__":
    for wanted in PACKAGES:
        print(f"{wanted}: {build(wanted)}", file=sys.stderr)
