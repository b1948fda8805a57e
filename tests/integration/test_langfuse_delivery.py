"""Langfuse prompts on the real API server: the operator, real deliver Jobs, and the stand-in behind a socket."""

import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from builders import a_langfuse_object, an_agent_object
from integration.conftest import MakeOperator
from integration.loop import Loop
from integration.process import eventually

from standins.langfuse import Answer, Project, Request, StandIn, serving
from standins.langfuse.answers import PUBLIC_KEY, SECRET_KEY

pytestmark = pytest.mark.integration

OLD, NEW = "You book rooms for {{guest}}.", "You book rooms for {{guest}}. List them first."


@dataclass
class Gated(StandIn):
    """Holds the next write back, after it was done and before it is answered, until the test lets it go."""

    gate: threading.Event = field(default_factory=threading.Event)
    holds: bool = False

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if self.holds and request.method != "GET":
            self.holds = False
            self.gate.wait(60)
        return answer

    def text(self, label: str = "production") -> tuple[int, str] | None:
        """Version and text of the system prompt, as `get_prompt` would give it."""
        rows = [row for row in self.project.prompts if label in row["labels"]]
        return (rows[0]["version"], rows[0]["prompt"]) if rows else None


@pytest.fixture
def langfuse() -> Iterator[tuple[Gated, str]]:
    stand_in = Gated(Project())
    with serving(stand_in) as host:
        yield stand_in, host


def a_secret(key: str = SECRET_KEY, name: str = "langfuse") -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {
            "public-key": base64.b64encode(PUBLIC_KEY.encode()).decode(),
            "secret-key": base64.b64encode(key.encode()).decode(),
        },
    }


def set_up(loop: Loop, host: str, key: str = SECRET_KEY) -> None:
    prompt = {"backendRef": {"name": "langfuse"}, "prefix": "support", "canaryLabel": "canary"}
    agent = an_agent_object(
        components=[{"name": "system", "text": OLD}],
        traces={"backendRef": {"name": "langfuse"}},
        delivery={"mode": "Mount", "langfusePrompt": prompt},
    )
    loop.apply(a_secret(key), a_langfuse_object(host=host), agent)


def delivered(loop: Loop) -> str:
    """The version that the status says, once the condition is true for what is stable."""

    def told() -> str | None:
        status = loop.one("nfa", "support").get("status") or {}
        version = (status.get("delivered") or {}).get("version")
        true = loop.condition("nfa", "support", "Delivered")[0] == "True"
        return version if true and version == status.get("stableVersion") else None

    return str(eventually(told, "delivered"))


def test_the_stable_version_is_what_get_prompt_gives_and_a_pin_brings_the_old_one_back(
    loop: Loop, operator: MakeOperator, langfuse: tuple[Gated, str]
) -> None:
    stand_in, host = langfuse
    process = operator()
    process.start()
    set_up(loop, host)
    first = delivered(loop)
    assert stand_in.text() == stand_in.text("canary") == (1, OLD)

    loop.patch("nfa", "support", {"components": [{"name": "system", "text": NEW}]})
    eventually(lambda: stand_in.text() == (2, NEW), "the label is on the new text")
    assert delivered(loop).startswith("v2-")
    assert loop.condition("nfa", "support", "Delivered")[2].endswith("label production: support/system version 2")
    assert "ninefold_agent_delivered" in process.metrics()

    loop.patch("nfa", "support", {"version": first})
    eventually(lambda: stand_in.text() == (1, OLD), "the label is on the old text")
    assert delivered(loop) == first
    assert len(stand_in.project.prompts) == 2, "a rollback writes nothing"

    jobs = loop.all("job", "ninefold.dev/job-stage=deliver")
    assert len(jobs) == 1, "those before it are gone"
    before = stand_in.project.writes, loop.state_at_rest()
    assert (stand_in.project.writes, loop.state_at_rest()) == before


def test_a_wrong_key_is_told_in_a_sentence_without_the_key_and_heals(
    loop: Loop, operator: MakeOperator, langfuse: tuple[Gated, str]
) -> None:
    stand_in, host = langfuse
    process = operator()
    process.start()
    set_up(loop, host, key="sk-lf-wrong")
    message = loop.until("nfa", "support", "Delivered", "False", "WrongKeys")
    assert message.startswith(f"{host} refuses the keys (HTTP 401)")
    assert loop.condition("nfa", "support", "Stalled")[1] == "WrongKeys"
    assert stand_in.project.prompts == [] and loop.data("support-prompts")["system"] == OLD
    everything = loop.kubectl("get", "nfa,jobs,pods,events,configmaps", "--output=yaml").stdout
    assert "sk-lf-wrong" not in everything + process.log.read_text()
    # Another Secret is another target: it is tried at once, and not when the pause is over.
    keys = {f"{side}KeySecretRef": {"name": "mended", "key": f"{side}-key"} for side in ("public", "secret")}
    loop.apply(a_secret(name="mended"), a_langfuse_object(host=host, **keys))
    delivered(loop)
    assert stand_in.text() == (1, OLD)


def test_a_job_that_is_killed_in_mid_write_writes_nothing_twice(
    loop: Loop, operator: MakeOperator, langfuse: tuple[Gated, str]
) -> None:
    stand_in, host = langfuse
    stand_in.holds = True
    operator().start()
    set_up(loop, host)
    eventually(lambda: stand_in.project.writes == 1, "the first write")
    (pod,) = loop.all("pod", "ninefold.dev/job-stage=deliver")
    loop.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    stand_in.gate.set()
    delivered(loop)
    assert [(row["version"], row["prompt"]) for row in stand_in.project.prompts] == [(1, OLD)]
    assert stand_in.text() == stand_in.text("canary") == (1, OLD)


def test_a_label_that_a_person_has_moved_is_left_until_it_is_moved_back(
    loop: Loop, operator: MakeOperator, langfuse: tuple[Gated, str]
) -> None:
    stand_in, host = langfuse
    operator().start()
    set_up(loop, host)
    delivered(loop)
    prompts = stand_in.project.prompts
    prompts[0]["labels"].remove("production")
    prompts.append({**prompts[0], "version": 2, "prompt": "Hot fix.", "labels": ["production"]})
    loop.patch("nfa", "support", {"components": [{"name": "system", "text": NEW}]})
    message = loop.until("nfa", "support", "Delivered", "False", "LabelMoved")
    assert "to version 2; Ninefold had put it on version 1" in message
    assert stand_in.text() == (2, "Hot fix.") and loop.data("support-prompts")["system"] == NEW
