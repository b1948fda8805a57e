"""The stand-in behind a socket, for what a socket is needed for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standins.langfuse.answers import Request, StandIn


@contextmanager
def serving(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """The address of a server that answers until the block ends. Port 0: any that is free."""

    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Request(self.path, self.headers.get("Authorization"), self.command, body)
            with lock:
                answer = stand_in.answer(asked)
            self.send_response(answer.status)
            for name, value in (answer.headers | {"Content-Type": answer.content_type}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PATCH = do_GET  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: what was asked stands in `stand_in.asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
