"""The frame around every stage: what comes in, how the result is handed over, and how a failure is told.

A stage is `async def run(ctx: JobContext) -> Artifact`. It gets values and doors (`JobContext`), returns its artifact
or raises `JobFailure` with a sentence; it never writes a termination message and never chooses an exit code.

The hand-over has two halves that must agree: the bytes go to Redis under the key that the operator chose, then their
digest goes into the termination message. In this order, for a message without bytes would look like a loss, while
bytes without a message are simply overwritten by the next pod.

Exit codes, which the Job's podFailurePolicy reads:

- 0: the termination message is an `ArtifactRef`.
- 1: it is a `JobError` that may pass by itself; the Job starts another pod until its backoffLimit.
- 2: it is a `JobError` that another pod would only repeat; the Job fails at once. That is a failure with
  `permanent=True`, which a user must mend, and a lost or refused upstream artifact, which the operator must.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from ninefold import logs
from ninefold.api.artifacts import Artifact, canonical
from ninefold.api.base import Model
from ninefold.api.engine import ENGINE_PASSWORD
from ninefold.api.inputs import RunInputs
from ninefold.api.run import ArtifactRef
from ninefold.api.spending import Booked
from ninefold.jobs.failures import JobFailure, as_failure, secrets_of
from ninefold.store import Budget, CallCache, Store

log = logging.getLogger(__name__)

OK: Final = 0
RETRY: Final = 1
GIVE_UP: Final = 2

TERMINATION_BYTES = 4096
"""What the kubelet keeps of a container's termination message."""

AnyArtifact = TypeVar("AnyArtifact", bound=Artifact)
AnyModel = TypeVar("AnyModel", bound=Model)
Stage = Callable[["JobContext"], Awaitable[Artifact]]


@dataclass(frozen=True)
class JobContext:
    """All that a stage may know and use."""

    inputs: Model
    """What `inputs.json` holds: RunInputs for the stages of a run, ProbeInputs, DeliverInputs."""
    artifact_key: str
    store: Store
    bucket: str | None = None
    upstream: Mapping[str, ArtifactRef] = field(default_factory=dict)
    traces_root: Path | None = None
    candidate: str | None = None
    candidate_hash: str | None = None
    shard: int | None = None
    """Number of this pod in an Indexed Job, from 0."""
    cycle: int | None = None
    """Looks at this agent's sealed cases, with this one; None: not told, so that all of them are run."""
    sealed_since: str | None = None
    """Until when traces were among the sealed cases that have judged this very candidate before."""
    booked: Booked = field(default_factory=Booked)
    """What the Agent's ledger knows to be spent."""
    replay_api_key: SecretStr | None = None
    model_api_key: SecretStr | None = None
    sandbox_api_key: SecretStr | None = None
    reflection_api_key: SecretStr | None = None
    judge_api_key: SecretStr | None = None
    """Of the judge of this bucket."""
    engine_password: SecretStr | None = None
    """Of the server that the analysis is computed on."""

    @property
    def run(self) -> RunInputs:
        """The inputs of a run's stage."""
        return self.of(RunInputs)

    def of(self, model: type[AnyModel]) -> AnyModel:
        """The inputs of a Job that has inputs of this kind."""
        assert isinstance(self.inputs, model), f"this Job has no {model.__name__}"
        return self.inputs

    @property
    def calls(self) -> CallCache:
        """Answers that this Agent has paid for, by request."""
        return self.store.calls(self.run.agent_uid)

    def budget(self, name: str) -> Budget:
        """What this run may still spend of one thing, such as `replay-calls`."""
        return self.store.budget(self.run.agent_uid, self.run.run_uid, name)

    def traces(self) -> Path | None:
        """The folder with the mounted traces; None for a backend without a volume. JobFailure when it is not there."""
        if self.traces_root is not None and not self.traces_root.is_dir():
            raise JobFailure(
                "TracesNotMounted",
                "the volume of the TraceBackend is not mounted in the pod: check that the volume in its spec exists",
                permanent=False,
            )
        return self.traces_root

    async def upstream_artifact(self, stage: str, model: type[AnyArtifact]) -> AnyArtifact:
        """The verified artifact of an earlier stage, such as `analyze`."""
        if stage not in self.upstream:
            raise JobFailure(
                "BadEnvironment", f"NINEFOLD_UPSTREAM has no artifact of the stage {stage}", permanent=True
            )
        return await self.artifact(self.upstream[stage], model)

    async def artifact(self, ref: ArtifactRef, model: type[AnyArtifact]) -> AnyArtifact:
        """The artifact behind a reference (one that stands in an upstream artifact), checked against its digest."""
        data = await self.store.artifacts.get(ref)
        try:
            return model.from_bytes(data)
        except ValueError as error:
            raise JobFailure("ArtifactUnreadable", f"artifact {ref.artifact}: {error}", permanent=True) from None

    async def store_extra(self, name: str, artifact: Artifact) -> ArtifactRef:
        """Store a further artifact beside the stage's own; its reference belongs into the stage's own."""
        return await self.store.artifacts.put(f"{self.artifact_key}:{name}", artifact.to_bytes())


def read_context(
    environment: Mapping[str, str], store: Store, bucket: str | None, model: type[Model] = RunInputs
) -> JobContext:
    """Build the context from the Job's environment. JobFailure names the variable that is missing or wrong."""
    traces = environment.get("NINEFOLD_TRACES_ROOT")
    key, index = _required(environment, "NINEFOLD_ARTIFACT"), environment.get("JOB_COMPLETION_INDEX")
    return JobContext(
        inputs=_read_inputs(Path(_required(environment, "NINEFOLD_INPUTS")), model),
        artifact_key=f"{key}:{index}" if index else key,  # every pod of an Indexed Job leaves its own
        store=store,
        bucket=bucket,
        upstream=_read_upstream(environment.get("NINEFOLD_UPSTREAM", "{}")),
        traces_root=Path(traces) if traces else None,
        shard=int(index) if index else None,
        candidate=environment.get("NINEFOLD_CANDIDATE") or None,
        candidate_hash=environment.get("NINEFOLD_CANDIDATE_HASH") or None,
        cycle=int(environment.get("NINEFOLD_CYCLE") or 0) or None,
        sealed_since=environment.get("NINEFOLD_SEALED_SINCE") or None,
        booked=_read_booked(environment.get("NINEFOLD_BOOKED", "{}")),
        replay_api_key=_secret(environment, "NINEFOLD_REPLAY_API_KEY"),
        model_api_key=_secret(environment, "NINEFOLD_MODEL_API_KEY"),
        sandbox_api_key=_secret(environment, "NINEFOLD_SANDBOX_API_KEY"),
        reflection_api_key=_secret(environment, "NINEFOLD_REFLECTION_API_KEY"),
        judge_api_key=_secret(environment, "NINEFOLD_JUDGE_API_KEY"),
        engine_password=_secret(environment, ENGINE_PASSWORD),
    )


async def execute(
    stage: Stage, environment: Mapping[str, str], *, bucket: str | None = None, inputs: type[Model] = RunInputs
) -> int:
    """Run one stage from environment to termination message; returns the exit code and raises nothing.

    `inputs`: what the stage's `inputs.json` is.
    """
    message: BaseModel
    try:
        message = await _produce(stage, environment, bucket, inputs)
        code = OK
    except BaseException as raised:  # whatever it was, the operator must be told
        message = error = as_failure(raised, secrets_of(environment)).error
        code = GIVE_UP if error.permanent or error.reason in ("ArtifactLost", "ArtifactForged") else RETRY
        log.error("%s: %s", error.reason, error.message, extra={"trail": logs.where(raised), "exit": code})
    told = write_termination_message(Path(environment.get("NINEFOLD_TERMINATION_LOG", "/dev/termination-log")), message)
    return code if told else RETRY


async def _produce(
    stage: Stage, environment: Mapping[str, str], bucket: str | None, inputs: type[Model]
) -> ArtifactRef:
    url = _required(environment, "NINEFOLD_REDIS_URL")
    try:
        store = Store(url)
    except ValueError as error:
        raise JobFailure("BadEnvironment", f"NINEFOLD_REDIS_URL: {error}", permanent=True) from None
    async with store:
        # Before the work, not after it: a pod that cannot hand over its result should not buy one.
        await store.ping()
        context = read_context(environment, store, bucket, inputs)
        artifact = await stage(context)
        ref = await store.artifacts.put(context.artifact_key, artifact.to_bytes())
        log.info("stored", extra={"artifact": ref.artifact, "bytes": ref.bytes, "sha256": ref.sha256})
        return ref


# ---------------------------------------------------------------- termination message


def write_termination_message(path: Path, message: BaseModel) -> bool:
    """Write the message in one piece, for nobody may see half of it, and a rename cannot replace a mounted file.

    Returns False, and logs why, when it could not be written.
    """
    data = _fit(message)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.error("cannot write the termination message to %s: %s", path, error.strerror)
        return False
    return True


def _fit(message: BaseModel) -> bytes:
    """Canonical JSON within the kubelet's limit, which counts bytes: a long sentence may have to be shortened."""
    wire = message.model_dump(mode="json", by_alias=True, exclude_none=True)
    data = canonical(wire)
    while len(data) > TERMINATION_BYTES:
        # No character takes more than six bytes, so this many are too many in any script.
        excess = 1 + (len(data) - TERMINATION_BYTES) // 6
        wire["message"] = wire["message"][:-excess]
        data = canonical(wire)
    return data


# ---------------------------------------------------------------- environment


def _required(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise JobFailure("BadEnvironment", f"{name} is not set: Jobs are made by the operator, not by hand", permanent=True)


def _secret(environment: Mapping[str, str], name: str) -> SecretStr | None:
    value = environment.get(name)
    return SecretStr(value) if value else None


def _read_inputs(path: Path, model: type[AnyModel]) -> AnyModel:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise JobFailure(
            "BadEnvironment", f"the inputs at {path} cannot be read: {error.strerror}", permanent=False
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise JobFailure(
            "BadInputs", f"the inputs at {path} are not this release's: {place}: {first['msg']}", permanent=True
        ) from None


def _read_upstream(text: str) -> dict[str, ArtifactRef]:
    try:
        return TypeAdapter(dict[str, ArtifactRef]).validate_json(text)
    except ValidationError:
        raise JobFailure(
            "BadEnvironment", "NINEFOLD_UPSTREAM is not a JSON object of artifact references", permanent=True
        ) from None


def _read_booked(text: str) -> Booked:
    try:
        return Booked.model_validate_json(text)
    except ValidationError:
        raise JobFailure("BadEnvironment", "NINEFOLD_BOOKED is no account of the ledger", permanent=True) from None
