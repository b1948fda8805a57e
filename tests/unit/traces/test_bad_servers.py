"""What stands between a Job and a server, with real sockets: wrong key, wrong host, TLS, an empty project.

Each row is a kind of backend that is reached over the network, and the reason that its sentence comes with.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from holding import KINDS
from trace_builders import SECOND, START, a_table, run_inputs

from ninefold.api.tracebackend import LOGIN_PREFIX, TraceBackendSpec
from ninefold.traces import Backend, StepTable, TracesProblem, Window, check, open_backend
from ninefold.traces.langfuse.client import PUBLIC_KEY, SECRET_KEY

WINDOW = Window(START, START + 3600 * SECOND)
SECRETS = {
    PUBLIC_KEY: "pk", SECRET_KEY: "t0p-private",
    f"{LOGIN_PREFIX}PASSWORD": "t0p-private", f"{LOGIN_PREFIX}TOKEN": "t0p-private",
    f"{LOGIN_PREFIX}ACCESS_KEY_ID": "id", f"{LOGIN_PREFIX}SECRET_ACCESS_KEY": "t0p-private",
}  # fmt: skip
REF = {"name": "s", "key": "k"}
LOGIN = {"login": {"tokenSecretRef": REF}}
SERVERS: dict[str, Any] = {
    "langfuse": lambda url: {"langfuse": {"host": url, "publicKeySecretRef": REF, "secretKeySecretRef": REF}},
    "clickhouse": lambda url: {"clickhouse": {"url": url, "passwordSecretRef": REF}},
    "tempo": lambda url: {"tempo": {"url": url, **LOGIN}},
    "jaeger": lambda url: {"jaeger": {"url": url, **LOGIN}},
    "object store": lambda url: {
        "otlp": {
            "objectStore": {
                "url": "s3://telemetry/otel", "endpoint": url, "accessKeyIdSecretRef": REF,
                "secretAccessKeySecretRef": REF,
            }
        }
    },
}  # fmt: skip
DENIED = b'<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>'


@contextmanager
def serving(status: int, body: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers everything with this."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its own."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust us hangs up."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """For the right name, by nobody whom anybody trusts."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    path: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def problem(kind: str, url: str) -> TracesProblem:
    backend: Backend = open_backend(TraceBackendSpec.model_validate(SERVERS[kind](url)), None, SECRETS)
    hurry(backend)
    with pytest.raises(TracesProblem) as told:
        list(backend.read(WINDOW))
    assert "t0p-private" not in told.value.message
    return told.value


def hurry(backend: Any) -> None:
    inner = backend._inner
    for client in (getattr(inner, "_server", None), getattr(inner, "_client", None)):
        if client is not None:
            client._sleep = lambda seconds: None


@pytest.mark.parametrize("kind", SERVERS)
def test_a_wrong_key(kind: str) -> None:
    status, body = (403, DENIED) if kind == "object store" else (401, b'{"message": "no"}')
    with serving(status, body) as url:
        told = problem(kind, url)
    assert told.reason == ("WrongKeys" if kind == "langfuse" else "Unauthorized")
    assert told.permanent


@pytest.mark.parametrize("kind", SERVERS)
def test_a_port_at_which_nobody_listens(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        told = problem(kind, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (told.reason, told.permanent) == ("Unreachable", False)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_name_that_nobody_has(kind: str) -> None:
    told = problem(kind, "http://tracing.invalid")
    assert (told.reason, told.permanent) == ("Unreachable", False)


@pytest.mark.parametrize("kind", SERVERS)
def test_another_server_than_the_one_that_is_meant(kind: str) -> None:
    with serving(200, b"<html>Welcome</html>") as url:
        told = problem(kind, url)
    wanted = {"langfuse": "NotLangfuse", "object store": "NoTraces"}  # S3's client takes any page for an empty list
    assert told.reason == wanted.get(kind, "WrongServer")
    assert told.permanent


@pytest.mark.parametrize("kind", SERVERS)
def test_a_certificate_that_nobody_signed(kind: str, self_signed: ssl.SSLContext) -> None:
    with serving(200, b"{}", self_signed) as url:
        told = problem(kind, url)
    assert (told.reason, told.permanent) == ("TlsFailed", True)


EMPTY = {
    "clickhouse": ({"clickhouse": {"url": "http://c"}}, r"exporter writes into default\.otel_traces"),
    "tempo": ({"tempo": {"url": "http://t", "tenant": "shop"}}, "the query {} and tenant shop in Grafana"),
    "jaeger": ({"jaeger": {"url": "http://j"}}, "Jaeger's own page finds traces of the services"),
    "langfuse v4": (SERVERS["langfuse"]("https://l"), "keys are those of the agent's project"),
    "langfuse v1": (SERVERS["langfuse"]("https://l"), "keys are those of the agent's project"),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_project_without_a_trace_says_what_to_check(kind: str, tmp_path: Path) -> None:
    source, says = EMPTY[kind]
    with KINDS[kind]([], tmp_path) as backend:
        assert not list(backend.read(WINDOW))
        losses = dict(+backend.losses)
        assert backend.probe().traces == 0
    empty = a_table([])
    table = StepTable(empty.traces, empty.steps, empty.scores, empty.messages, losses, empty.seen)
    inputs = run_inputs().model_validate({**run_inputs().wire(), "backend": source})
    with pytest.raises(TracesProblem, match=says) as told:
        check(table, inputs)
    assert told.value.reason == "NoTraces"
