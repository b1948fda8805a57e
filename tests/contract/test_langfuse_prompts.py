"""Delivery as Langfuse's own description and its own SDK see it.

`shared/data/langfuse-openapi.yml` judges every request and answer; and after a delivery, what an agent's
`Langfuse(...).get_prompt(name)` gives is the version that was promoted.
"""

from collections import deque
from collections.abc import Iterator

import pytest
from langfuse import Langfuse
from langfuse_clients import SHARED, Contract, Wire
from pydantic import SecretStr

from ninefold.api.delivery import LabelledTexts, PromptText
from ninefold.delivery import LangfusePrompts, deliver, patiently
from ninefold.traces import TracesProblem
from standins.langfuse import Answer, Project, StandIn, serving
from standins.langfuse.answers import PUBLIC_KEY, SECRET_KEY, Generation

NAME = "support/system"
OLD, NEW = "You book rooms for {{guest}}.", "You book rooms for {{guest}}. List the rooms first."


def labelled(text: str, label: str = "production", kind: str = "Text") -> LabelledTexts:
    name = NAME if kind == "Text" else "support/chat"
    return LabelledTexts(label=label, version="v1", texts=[PromptText(name=name, type=kind, text=text)])  # type: ignore[arg-type]


# ------------------------------------------------------------------ Langfuse's own description


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(SHARED / "data" / "langfuse-openapi.yml")


@pytest.mark.recorded
@pytest.mark.parametrize("kind", ["Text", "Chat"])
def test_every_exchange_of_a_delivery_follows_langfuses_own_contract(kind: str, contract: Contract) -> None:
    wire, before = Wire(StandIn(Project()), contract), contract.checked
    for stable, canary in ((OLD, OLD), (OLD, NEW), (NEW, NEW), (OLD, OLD)):
        deliver(wire.prompts(), [labelled(stable, kind=kind), labelled(canary, "canary", kind)], "Ninefold")
    methods = {asked.method for asked in wire.stand_in.asked}
    assert methods == {"GET", "POST", "PATCH"}
    assert contract.checked - before == len(wire.stand_in.asked) > 10


@pytest.mark.recorded
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_refusals_of_prompts_follow_it_too(status: int, contract: Contract) -> None:
    wire = Wire(StandIn(Project(), faults=deque([Answer(status, {"message": "no"})])), contract)
    with pytest.raises(TracesProblem):
        deliver(wire.prompts(), [labelled(OLD)], "Ninefold")


# ------------------------------------------------------------------ Langfuse's own SDK, as an agent uses it


@pytest.fixture(scope="module")
def addressed() -> Iterator[tuple[StandIn, str, Langfuse]]:
    """One server for all: the SDK keeps one client a public key for as long as the process lives."""
    stand_in = StandIn(Project())
    with serving(stand_in) as host:
        agent = Langfuse(public_key=PUBLIC_KEY, secret_key=SECRET_KEY, base_url=host, tracing_enabled=False)
        yield stand_in, host, agent
        agent.shutdown()


@pytest.fixture(params=["v4", "v3", "v2"])
def server(
    request: pytest.FixtureRequest, addressed: tuple[StandIn, str, Langfuse]
) -> tuple[LangfusePrompts, Langfuse]:
    """Our door to a server of one generation, and the SDK of an agent that reads from it."""
    stand_in, host, agent = addressed
    generation: Generation = request.param
    stand_in.generation, stand_in.project = generation, Project()
    return LangfusePrompts(host, SecretStr(PUBLIC_KEY), SecretStr(SECRET_KEY)), agent


def test_an_agents_get_prompt_gives_what_was_promoted_and_after_a_rollback_the_old(
    server: tuple[LangfusePrompts, Langfuse],
) -> None:
    ours, agent = server

    def read(label: str | None = None) -> str:
        return agent.get_prompt(NAME, label=label, cache_ttl_seconds=0).compile(guest="Ada")

    for stable, canary in ((OLD, NEW), (NEW, NEW), (OLD, OLD)):
        patiently(lambda s=stable, c=canary: deliver(ours, [labelled(s), labelled(c, "canary")], "Ninefold"))
        assert read() == stable.replace("{{guest}}", "Ada")
        assert read("canary") == canary.replace("{{guest}}", "Ada")


def test_an_agents_chat_prompt_has_the_text_as_its_system_message(server: tuple[LangfusePrompts, Langfuse]) -> None:
    ours, agent = server
    user = {"role": "user", "content": "{{question}}"}
    agent.create_prompt(name="support/chat", type="chat", prompt=[{"role": "system", "content": OLD}, user])
    deliver(ours, [labelled(NEW, kind="Chat")], "Ninefold")
    found = agent.get_prompt("support/chat", type="chat", cache_ttl_seconds=0).compile(guest="Ada", question="When?")
    assert [m["content"] for m in found] == [NEW.replace("{{guest}}", "Ada"), "When?"]
