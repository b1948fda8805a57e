"""`kubectl logs` for the local node: the one kubelet endpoint that it needs.

The API server forwards `pods/log` to `GET /containerLogs/{namespace}/{pod}/{container}` of the node,
over TLS and with its own client certificate. Without a certificate for the server and an authority
for its clients, nothing is served: logs are not for everybody on the machine.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from testbed.localnode.process import PID_FILE
from testbed.localnode.status import ADDRESS

FOLLOW_SECONDS = 0.2
"""Between two looks at a log that is being followed."""


@dataclass(frozen=True)
class ServerKeys:
    """Files of the node's own certificate and of the authority that signed the API server's."""

    certificate: Path
    key: Path
    client_authority: Path


@asynccontextmanager
async def serve_logs(pods: Path, keys: ServerKeys) -> AsyncIterator[int]:
    """Serve the logs below the directory `pods`; yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys.client_authority))
    context.load_cert_chain(keys.certificate, keys.key)
    context.verify_mode = ssl.CERT_REQUIRED
    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", _Logs(pods))
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, ADDRESS, 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class _Logs:
    """The request handler. `previous`, `tailLines` and `follow` are honoured, other options are not."""

    def __init__(self, pods: Path) -> None:
        self._pods = pods

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        pattern = f"{where['namespace']}_{where['pod']}_*/containers/{where['container']}"
        directories = sorted(self._pods.glob(pattern), key=lambda path: path.stat().st_mtime)
        runs = sorted(directories[-1].glob("*.log"), key=lambda path: int(path.stem)) if directories else []
        if request.query.get("previous") == "true":
            runs = runs[:-1]
        if not runs:
            raise web.HTTPNotFound(text=f"no such log: {pattern}")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await self._send(response, runs[-1], request)
        return response

    async def _send(self, response: web.StreamResponse, log: Path, request: web.Request) -> None:
        lines = request.query.get("tailLines")
        follow = request.query.get("follow") == "true"
        with log.open("rb") as file:
            await response.write(b"".join(deque(file, int(lines)) if lines else file))
            while follow:
                running = (log.parent / PID_FILE).exists()
                if more := file.read():
                    await response.write(more)
                elif not running:
                    return
                else:
                    await asyncio.sleep(FOLLOW_SECONDS)
