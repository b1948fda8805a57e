"""One container of a pod: image, configuration, process, end, and again as its policy says."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.localnode.api import Api
from testbed.localnode.environment import ConfigError, container_environment, expand, until_configured
from testbed.localnode.images import SEARCH_PATH, Image, find_image
from testbed.localnode.mounts import Mounts, normal, rewrite
from testbed.localnode.objects import Object
from testbed.localnode.process import ContainerProcess, log_file, termination_message
from testbed.localnode.status import ContainerRecord, running, terminated, timestamp, waiting
from testbed.localnode.volumes import Volumes

BACKOFF_SECONDS, BACKOFF_LIMIT = 1.0, 30.0
"""First and longest wait before a restart: a tenth of kubelet's."""

START_ERROR = 128
"""Exit code of a container whose command does not exist."""


@dataclass(frozen=True)
class PodContext:
    """What the containers of one pod share. `changed` is called after every change of a record."""

    api: Api
    images: dict[str, Image]
    pod: Object
    directory: Path
    volumes: Volumes
    changed: Callable[[], None]


class ContainerRunner:
    """Runs one container; its `record` is what the pod's status is computed from."""

    def __init__(self, context: PodContext, record: ContainerRecord, restart_policy: str) -> None:
        self.record = record
        self._context = context
        self._policy = restart_policy
        self._spec = record.spec
        self._directory = context.directory / "containers" / self._spec["name"]
        self._process: ContainerProcess | None = None

    async def run(self) -> None:
        """Run until the restart policy is satisfied. Cancelled, it waits for its process, then ends."""
        image = await self._pull()
        while True:
            await self._execute(image, await self._configure())
            if self._policy == "Never" or (self._policy == "OnFailure" and self.record.succeeded):
                return
            await self._back_off()

    def terminate(self) -> None:
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        if self._process:
            self._process.kill()

    async def _pull(self) -> Image:
        """The image from the mapping; an unknown one is waited for until the pod is stopped."""
        reference = self._spec["image"]
        if image := find_image(self._context.images, reference):
            return image
        message = f'failed to pull image "{reference}": the local node has no such image'
        self._set(waiting("ErrImagePull", message))
        await asyncio.sleep(BACKOFF_SECONDS)
        self._set(waiting("ImagePullBackOff", f'Back-off pulling image "{reference}": {message}'))
        never: asyncio.Future[Image] = asyncio.get_running_loop().create_future()
        return await never

    async def _configure(self) -> dict[str, str]:
        """The environment that the pod asks for, as soon as all that it names exists."""

        async def read() -> dict[str, str]:
            return await container_environment(self._context.api, self._context.pod, self._spec)

        def complain(error: ConfigError) -> None:
            self._set(waiting("CreateContainerConfigError", str(error)))

        return await until_configured(read, complain)

    async def _execute(self, image: Image, pod_environment: dict[str, str]) -> None:
        """Start the process, wait for it, record its end, whatever happens in between."""
        record, started = self.record, timestamp()
        self._directory.mkdir(parents=True, exist_ok=True)
        message_file = self._directory / f"{record.restarts}.termination"
        message_file.touch()
        message_path = normal(self._spec.get("terminationMessagePath", "/dev/termination-log"))
        mounts = self._context.volumes.mounts(self._spec) | {message_path: message_file}
        environment = self._environment(image, pod_environment, mounts)
        command = command_line(self._spec, image, pod_environment, mounts)
        record.container_id = f"local://{self._context.pod['metadata']['uid']}/{self._spec['name']}/{record.restarts}"
        executable = shutil.which(command[0], path=environment["PATH"]) if command else None
        if executable is None:
            message = f'exec: "{" ".join(command[:1])}": executable file not found in $PATH'
            self._set(terminated(START_ERROR, started, message, record.container_id, "StartError"))
            return
        self._process = await ContainerProcess.start(
            [executable, *command[1:]],
            environment,
            self._working_directory(image, mounts),
            self._directory,
            record.restarts,
        )
        self._set(running(started))
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.shield(ended)
        finally:
            code = await ended
            self._process = None
            log = log_file(self._directory, record.restarts)
            message = termination_message(self._spec, message_file, log, code)
            self._set(terminated(code, started, message, record.container_id))

    async def _back_off(self) -> None:
        record = self.record
        seconds = min(BACKOFF_SECONDS * 2**record.restarts, BACKOFF_LIMIT)
        record.last_state = record.state
        message = f"back-off {seconds:.0f}s restarting failed container={self._spec['name']}"
        self._set(waiting("CrashLoopBackOff", message))
        await asyncio.sleep(seconds)
        record.restarts += 1

    def _environment(self, image: Image, pod_environment: dict[str, str], mounts: Mounts) -> dict[str, str]:
        """Nothing of the caller's environment: see the package's docstring."""
        home = self._context.directory / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": SEARCH_PATH, "HOME": str(home), "LANG": "C.UTF-8"}
        if "/tmp" in mounts:
            base["TMPDIR"] = str(mounts["/tmp"])
        return base | dict(image.environment) | {key: rewrite(value, mounts) for key, value in pod_environment.items()}

    def _working_directory(self, image: Image, mounts: Mounts) -> Path:
        """`workingDir` if it exists here, which only a mount or the machine can make true."""
        wanted = rewrite(self._spec.get("workingDir", ""), mounts) or image.directory
        if wanted and Path(wanted).is_dir():
            return Path(wanted)
        return self._context.directory / "home"

    def _set(self, state: Object) -> None:
        self.record.state = state
        self._context.changed()


def command_line(spec: Object, image: Image, environment: dict[str, str], mounts: Mounts) -> list[str]:
    """`command`, else the image's entrypoint, and `args`: expanded, then with real paths."""
    words = [*(spec.get("command") or image.entrypoint), *spec.get("args", [])]
    return [rewrite(expand(word, environment), mounts) for word in words]
