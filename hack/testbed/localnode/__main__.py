"""`python -m testbed.localnode`: the node as a process of its own, until SIGTERM or SIGINT.

Nothing is cleaned up on the way out, on purpose: the shims see the node's end, however it comes, and
kill the containers. One path for the clean stop and for the crash means that the crash is tested daily.
"""

import argparse
import asyncio
import json
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from testbed.localnode.api import Api
from testbed.localnode.images import DEFAULT_IMAGES, Image
from testbed.localnode.logs import ServerKeys, serve_logs
from testbed.localnode.node import LocalNodeAgent
from testbed.localnode.registration import stay_registered
from testbed.localnode.worker import NodeContext


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m testbed.localnode", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="pods' volumes, logs and homes go here")
    parser.add_argument("--name", default="local-node")
    parser.add_argument("--images", type=Path, help="JSON: image name to environment, directory, entrypoint")
    parser.add_argument("--keys", type=Path, help="directory with node.crt, node.key, ca.crt: serves kubectl logs")
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    """Run the node until it is told to stop."""
    images = DEFAULT_IMAGES
    if options.images:
        images = {name: Image.from_json(value) for name, value in json.loads(options.images.read_text()).items()}
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.connect(options.kubeconfig))
        port = None
        if options.keys:
            keys = ServerKeys(options.keys / "node.crt", options.keys / "node.key", options.keys / "ca.crt")
            port = await stack.enter_async_context(serve_logs(options.directory / "pods", keys))
        agent = LocalNodeAgent(NodeContext(options.name, api, options.directory, images))
        work = [
            asyncio.create_task(stay_registered(api, options.name, port)),
            asyncio.create_task(agent.run()),
            asyncio.create_task(stop.wait()),
        ]
        done, rest = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(arguments()))
