"""Texts become prompts of a Langfuse project, and labels move: on the stand-in, through the SDK, without a socket."""

from collections import deque
from dataclasses import dataclass

import httpx
import pytest
from langfuse_clients import Wire
from pydantic import SecretStr

from ninefold.api.delivery import DeliveryReport, LabelledTexts, PromptText
from ninefold.delivery import LangfusePrompts, deliver, patiently
from ninefold.traces import TracesProblem
from standins.langfuse import Answer, Project, StandIn
from standins.langfuse.answers import Generation

SYSTEM, TOOL = "You book rooms for {{guest}}.", "find_room finds rooms."
NAMES = ("support/system", "support/tool.find_room")


def texts(system: str = SYSTEM, tool: str = TOOL, label: str = "production", version: str = "v1-0a1b2c3d4e"):
    found = [PromptText(name=name, text=text) for name, text in zip(NAMES, (system, tool), strict=True)]
    return LabelledTexts(label=label, version=version, texts=found)


def chat(text: str) -> LabelledTexts:
    return LabelledTexts(label="production", version="v1", texts=[PromptText(name="chat", type="Chat", text=text)])


def a_server(generation: Generation = "v4") -> Wire:
    return Wire(StandIn(Project(), generation))


def give(wire: Wire, *labels: LabelledTexts, pauses: list[float] | None = None) -> DeliveryReport:
    door = wire.prompts()
    return patiently(lambda: deliver(door, labels, "Ninefold: v1"), [].append if pauses is None else pauses.append)


def person(wire: Wire, name: str, prompt, labels=(), **more) -> int:
    """Somebody writes a version in Langfuse; returns its number."""
    body = {"name": name, "prompt": prompt, "labels": list(labels), **more}
    return send(wire, "POST", "", body)["version"]


def move(wire: Wire, name: str, version: int, *labels: str) -> None:
    send(wire, "PATCH", f"/{name.replace('/', '%2F')}/versions/{version}", {"newLabels": list(labels)})


def send(wire: Wire, method: str, path: str, body):
    login = httpx.BasicAuth("pk-lf-stand-in", "sk-lf-stand-in")
    with httpx.Client(transport=httpx.MockTransport(wire), auth=login) as client:
        answer = client.request(method, f"https://langfuse.example.com/api/public/v2/prompts{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def read(wire: Wire, name: str = NAMES[0], label: str = "production"):
    found = wire.prompts().find(name, label)
    return None if found is None else (found.version, found.content)


def versions(wire: Wire) -> int:
    return len(wire.stand_in.project.prompts)


GENERATIONS = pytest.mark.parametrize("generation", ["v4", "v3", "v2"])


@GENERATIONS
def test_a_version_becomes_a_prompt_for_each_component_with_the_label_on_it(generation: Generation) -> None:
    wire = a_server(generation)
    report = give(wire, texts())
    assert [(p.name, p.version) for p in report.prompts] == [(NAMES[0], 1), (NAMES[1], 1)]
    assert read(wire) == (1, SYSTEM), "a template stays as it stands"
    assert read(wire, NAMES[1]) == (1, TOOL)
    assert wire.stand_in.project.prompts[0]["commitMessage"] == "Ninefold: v1"


@GENERATIONS
def test_what_is_there_is_not_written_again(generation: Generation) -> None:
    wire = a_server(generation)
    give(wire, texts())
    before = wire.stand_in.project.writes
    report = give(wire, texts())
    assert (report.written, report.moved, wire.stand_in.project.writes) == (0, 0, before)
    assert report.prompts[0].version == 1


@GENERATIONS
def test_only_the_component_that_changed_gets_a_version(generation: Generation) -> None:
    wire = a_server(generation)
    give(wire, texts())
    assert give(wire, texts("Look first.")).written == 1
    assert read(wire) == (2, "Look first.") and read(wire, NAMES[1]) == (1, TOOL)


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_a_rollback_moves_the_label_and_writes_nothing(generation: Generation) -> None:
    wire = a_server(generation)
    for system in (SYSTEM, "Look first.", "Look twice."):
        give(wire, texts(system))
    report = give(wire, texts())
    assert (report.written, report.moved, versions(wire)) == (0, 1, 4)
    assert read(wire) == (1, SYSTEM)


def test_a_rollback_on_a_server_that_cannot_move_labels_writes_the_old_text_once_more() -> None:
    wire = a_server("v2")
    give(wire, texts())
    give(wire, texts("Look first."))
    give(wire, texts())
    assert read(wire) == (3, SYSTEM)
    before = wire.stand_in.project.writes
    give(wire, texts())
    assert wire.stand_in.project.writes == before


def test_a_prompt_that_people_kept_is_taken_over_with_its_config_and_without_a_copy() -> None:
    wire = a_server()
    config = {"model": "large-1", "temperature": 0}
    person(wire, NAMES[0], SYSTEM, ["production"], config=config)
    report = give(wire, texts())
    assert report.prompts[0].version == 1 and report.written == 1, "only the tool's prompt was missing"
    give(wire, texts("Look first."))
    assert wire.stand_in.project.prompts[-1]["config"] == config


def test_the_newest_version_is_used_where_it_carries_the_text_already() -> None:
    wire = a_server()
    person(wire, NAMES[0], "Old.", ["production"])
    person(wire, NAMES[0], SYSTEM)
    assert give(wire, texts()).prompts[0].version == 2
    assert read(wire) == (2, SYSTEM)


def test_a_label_that_a_person_moved_is_left_and_nothing_is_written_to_any_prompt() -> None:
    wire = a_server()
    give(wire, texts())
    hotfix = person(wire, NAMES[1], "Do not use find_room today.", ["production"])
    before = wire.stand_in.project.writes
    with pytest.raises(TracesProblem) as caught:
        give(wire, texts("Look first."))
    assert (caught.value.reason, caught.value.permanent) == ("LabelMoved", True)
    told = f"somebody has moved the label production of the prompt {NAMES[1]} to version {hotfix}; Ninefold had put it "
    assert caught.value.message.startswith(told)
    assert wire.stand_in.project.writes == before


def test_a_person_who_goes_back_to_one_of_our_versions_is_not_fought_either() -> None:
    wire = a_server()
    give(wire, texts())
    give(wire, texts("Look first."))
    move(wire, NAMES[0], 1, "production")
    with pytest.raises(TracesProblem, match="to version 1; Ninefold had put it on version 2"):
        give(wire, texts("Look first."))
    assert read(wire) == (1, SYSTEM)


@pytest.mark.parametrize("way", ["back", "over"])
def test_both_ways_out_of_a_moved_label(way: str) -> None:
    wire = a_server()
    give(wire, texts())
    person(wire, NAMES[0], "Hot fix.", ["production"])
    if way == "back":
        move(wire, NAMES[0], 1, "production")
    else:
        rows = wire.stand_in.project.prompts
        rows[0]["labels"].remove("ninefold-production")
    give(wire, texts("Look first."))
    assert read(wire) == (3, "Look first.")


def test_a_label_that_was_taken_off_is_put_on_again() -> None:
    wire = a_server()
    give(wire, texts())
    wire.stand_in.project.prompts[0]["labels"].remove("production")
    assert read(wire) is None
    assert give(wire, texts()).moved == 1
    assert read(wire) == (1, SYSTEM)


def test_the_canary_label_follows_its_own_texts_and_comes_home() -> None:
    wire = a_server()
    give(wire, texts(), texts(label="canary"))
    assert read(wire, label="canary") == (1, SYSTEM)
    report = give(wire, texts(), texts("Look first.", label="canary", version="v2-0a1b2c3d4e"))
    assert [p.version for p in report.prompts] == [1, 1]
    assert (read(wire), read(wire, label="canary")) == ((1, SYSTEM), (2, "Look first."))
    give(wire, texts("Look first."), texts("Look first.", label="canary"))
    assert read(wire) == read(wire, label="canary") == (2, "Look first.")


def test_a_chat_prompt_keeps_its_other_messages() -> None:
    wire = a_server()
    user = {"role": "user", "content": "{{question}}"}
    history = {"type": "placeholder", "name": "history"}
    person(wire, "chat", [{"role": "system", "content": "Old."}, history, user], ["production"], type="chat")
    give(wire, chat("New."))
    _, messages = read(wire, "chat")
    assert [m.get("content") for m in messages] == ["New.", None, "{{question}}"]
    assert messages[1] == history
    assert give(wire, chat("New.")).written == 0


def test_a_chat_prompt_that_is_not_there_begins_with_the_system_message() -> None:
    wire = a_server()
    give(wire, chat("New."))
    assert [m["role"] for m in read(wire, "chat")[1]] == ["system"]


def test_a_chat_prompt_without_a_system_message_has_no_place_for_the_text() -> None:
    wire = a_server()
    person(wire, "chat", [{"role": "user", "content": "{{question}}"}], ["production"], type="chat")
    with pytest.raises(TracesProblem, match="has not exactly one system message"):
        give(wire, chat("New."))


def test_a_prompt_of_the_other_type_is_told_before_anything_is_written() -> None:
    wire = a_server()
    person(wire, NAMES[1], [{"role": "system", "content": "Old."}], type="chat")
    with pytest.raises(TracesProblem) as caught:
        give(wire, texts())
    assert caught.value.reason == "PromptTypeDiffers" and "write type: Chat for it" in caught.value.message
    assert versions(wire) == 1


# ------------------------------------------------------------------ killed, busy, refused


class Killed(BaseException):
    """The pod is gone."""


@dataclass
class Mortal(Wire):
    """The client is killed behind this many writes; or the answer to its first write is lost on the way."""

    writes_left: int = -1
    loses_answer: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.writes_left == 0:
            raise Killed
        answer = super().__call__(request)
        if request.method != "GET":
            self.writes_left -= 1
            if self.loses_answer:
                self.loses_answer = False
                raise httpx.ReadTimeout("no answer")
        return answer


@pytest.mark.parametrize("generation", ["v4", "v2"])
@pytest.mark.parametrize("first", ["Look first.", SYSTEM], ids=["a new version", "a rollback"])
def test_a_job_that_is_killed_behind_any_write_repeats_harmlessly(generation: Generation, first: str) -> None:
    labels = texts(first, "v2"), texts(first, "v3", label="canary")
    uninterrupted = a_server(generation)
    give(uninterrupted, texts(), texts("Look twice.", label="canary"))
    give(uninterrupted, *labels)
    for writes in (1, 2):
        wire = Mortal(StandIn(Project(), generation))
        give(wire, texts(), texts("Look twice.", label="canary"))
        wire.writes_left = writes
        with pytest.raises(Killed):
            give(wire, *labels)
        wire.writes_left = -1
        give(wire, *labels)
        assert [read(wire, name, label) for name in NAMES for label in ("production", "canary")] == [
            read(uninterrupted, name, label) for name in NAMES for label in ("production", "canary")
        ]
        assert versions(wire) == versions(uninterrupted), "no version twice"


def test_an_answer_that_was_lost_is_looked_for_before_anything_is_written_again() -> None:
    wire = Mortal(StandIn(Project()), loses_answer=True)
    give(wire, texts())
    assert versions(wire) == 2 and read(wire) == (1, SYSTEM)


def test_a_busy_server_is_waited_for_as_long_as_it_asks() -> None:
    wire, pauses = a_server(), []
    wire.stand_in.faults = deque([Answer(429, {}, {"Retry-After": "7"}), Answer(503, {}), Answer(502, "bad gateway")])
    give(wire, texts(), pauses=pauses)
    assert pauses[0] == 7.0 and len(pauses) == 3
    assert read(wire) == (1, SYSTEM)


@pytest.mark.parametrize(
    "status, body, reason, permanent",
    [
        (401, {"message": "Invalid credentials"}, "WrongKeys", True),
        (403, {"message": "Access denied"}, "Forbidden", True),
        (404, {"message": "The prompts API is switched off.", "error": "LangfuseNotFoundError"}, "ApiNotServed", True),
        (404, "<html>404</html>", "NotLangfuse", True),
        (200, {"hello": "world"}, "NotLangfuse", True),
        (200, "<html>log in</html>", "NotLangfuse", True),
        (302, "", "Redirected", True),
        (400, {"message": "Invalid request data"}, "PromptRefused", True),
        (429, {"message": "Rate limit exceeded"}, "RateLimited", False),
        (500, {"message": "Internal Server Error"}, "BackendUnavailable", False),
    ],
)
def test_what_a_refusal_means(status: int, body, reason: str, permanent: bool) -> None:
    wire = a_server()
    wire.stand_in.faults = deque([Answer(status, body)] * 20)
    with pytest.raises(TracesProblem) as caught:
        give(wire, texts())
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)
    assert "https://langfuse.example.com" in caught.value.message


def test_a_server_that_is_not_there() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    door = LangfusePrompts("http://l", SecretStr("pk"), SecretStr("sk"), transport=httpx.MockTransport(nobody))
    pauses: list[float] = []
    with pytest.raises(TracesProblem) as caught:
        patiently(lambda: deliver(door, [texts()], ""), pauses.append)
    assert (caught.value.reason, caught.value.permanent, len(pauses)) == ("Unreachable", False, 2)
