"""What is known of an Agent's Langfuse prompts, gathered once for a plan (`prompts`)."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from ninefold.api import labels
from ninefold.api.artifacts import canonical, sha256
from ninefold.api.delivery import DeliverInputs, DeliveryReport, LabelledTexts
from ninefold.api.prompts import Delivered, LangfusePrompt
from ninefold.api.tracebackend import LangfuseSource
from ninefold.controllers.actions import Manifest
from ninefold.controllers.artifacts import Refused, read_artifact
from ninefold.controllers.conditions import Verdict, false
from ninefold.controllers.jobs import artifact_key, job_name
from ninefold.controllers.jobstate import Absent, Done, JobState, pods_of, state_of
from ninefold.controllers.objects import Agent, TraceBackend, backend_of, owned_by
from ninefold.controllers.ports import Reader
from ninefold.controllers.settings import OperatorSettings
from ninefold.controllers.turns import Turn, next_turn
from ninefold.versions import Version, VersionError, prompt_texts

DELIVERED = "Delivered"
STAGE = "deliver"
LONGEST_PAUSE = timedelta(minutes=30)
"""Between deliveries that fail: a label is moved back, or a key mended, by somebody who waits for it."""


@dataclass(frozen=True)
class Target:
    """What shall be delivered."""

    version: str
    inputs: DeliverInputs

    @property
    def hash(self) -> str:
        return sha256(canonical(self.inputs.wire()))[:10]


@dataclass(frozen=True)
class PromptsSnapshot:
    """What is known of an Agent's prompts. `target` None: nothing is to be delivered now."""

    settings: OperatorSettings
    agent: Agent
    jobs: tuple[Manifest, ...]
    inputs: tuple[Manifest, ...]
    problem: Verdict | None = None
    """Why there is no target, where a user must mend it."""
    target: Target | None = None
    turn: Turn | None = None
    state: JobState = field(default_factory=Absent)
    report: DeliveryReport | Refused | None = None
    pods: tuple[Manifest, ...] = ()
    """Of Jobs before this one, where they were told something else."""

    @property
    def last(self) -> Delivered | None:
        """What the last Job found, if it was told the same."""
        last = self.agent.status.delivered
        return last if last is not None and self.target is not None and last.target == self.target.hash else None

    @property
    def job(self) -> str | None:
        return job_name(self.agent.ref, STAGE, self.turn.id) if self.turn is not None else None


async def gather_prompts(
    reader: Reader, agent: Agent, version: Version | None, settings: OperatorSettings
) -> PromptsSnapshot | None:
    """The snapshot; None for an Agent whose prompts are nowhere else and never were. `version`: to be served."""
    names = agent.spec.delivery.langfuse_prompt
    if names is None and agent.status.delivered is None:
        return None
    mine = {labels.AGENT: agent.name, labels.JOB_STAGE: STAGE}
    jobs = [job for job in await reader.list("Job", agent.namespace, mine) if owned_by(job, agent.uid)]
    inputs = [cm for cm in await reader.list("ConfigMap", agent.namespace, mine) if owned_by(cm, agent.uid)]
    bare = PromptsSnapshot(settings, agent, tuple(jobs), tuple(inputs))
    if names is None or version is None:
        return bare
    backend = await reader.get("TraceBackend", agent.namespace, names.backend_ref.name)
    target = _target(agent, names, version, backend_of(backend) if backend is not None else None)
    if isinstance(target, Verdict):
        return replace(bare, problem=target)
    turn = _turn(agent, target, settings)
    job = await reader.get("Job", agent.namespace, job_name(agent.ref, STAGE, turn.id))
    state = state_of(job, await pods_of(reader, job), agent.uid, artifact_of(agent, turn))
    report = await read_artifact(reader, state.ref, DeliveryReport) if isinstance(state, Done) else None
    found = replace(bare, target=target, turn=turn, state=state, report=report)
    if found.last is None and isinstance(state, Absent):
        return replace(found, pods=tuple(await reader.list("Pod", agent.namespace, mine)))
    return found


def _target(agent: Agent, names: LangfusePrompt, version: Version, backend: TraceBackend | None) -> Target | Verdict:
    name = names.backend_ref.name
    if backend is None:
        sentence = f"delivery.langfusePrompt names the TraceBackend {name}, which is not in this namespace: create it"
        return false(DELIVERED, "TraceBackendNotFound", sentence)
    source = backend.spec.langfuse
    if source is None or source.host is None:
        sentence = (
            f"the TraceBackend {name} names no Langfuse server: write another one in "
            "delivery.langfusePrompt.backendRef, with langfuse.host and a key pair"
        )
        return false(DELIVERED, "BackendNotLangfuse", sentence)
    try:
        texts = prompt_texts(version.content, names)
    except VersionError as error:
        return false(DELIVERED, error.reason, str(error))
    # There is no canary yet beside the stable version: its label waits where agents find something.
    tags = [names.label, *([names.canary_label] if names.canary_label else [])]
    login = LangfuseSource(
        host=source.host,
        public_key_secret_ref=source.public_key_secret_ref,
        secret_key_secret_ref=source.secret_key_secret_ref,
    )
    told = [LabelledTexts(label=tag, version=version.name, texts=texts) for tag in tags]
    return Target(version.name, DeliverInputs(agent=agent.name, langfuse=login, labels=told))


def _turn(agent: Agent, target: Target, settings: OperatorSettings) -> Turn:
    last = agent.status.delivered
    if last is None or last.target != target.hash:
        return Turn(target.hash, agent.created)
    return next_turn(target.hash, last.last_time, last.failed, settings.probe_interval, LONGEST_PAUSE)


def artifact_of(agent: Agent, turn: Turn) -> str:
    """The only key under which the result of this turn is taken."""
    return artifact_key(agent.uid, STAGE, turn.id, 1)
