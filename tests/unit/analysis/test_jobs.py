"""The stages `probe` and `analyze`: from a mounted folder to artifacts, or to a sentence."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from light_parts import StoredParts
from trace_builders import attributes, request, run_inputs, wire_span, write_lines

from ninefold.api.artifacts import sha256
from ninefold.api.cases import CaseSet
from ninefold.api.inputs import ProbeInputs, RunInputs
from ninefold.api.run import ArtifactRef
from ninefold.jobs import analyze, probe
from ninefold.jobs.failures import JobFailure
from ninefold.jobs.runtime import JobContext


class Shelf:
    """Keeps artifacts in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> ArtifactRef:
        self.kept[key] = data
        return ArtifactRef(artifact=key, sha256=sha256(data), bytes=len(data))


def a_context(inputs: RunInputs | ProbeInputs, root: Path, shelf: Shelf | None = None) -> JobContext:
    store: Any = SimpleNamespace(artifacts=shelf or Shelf(), parts=StoredParts)
    return JobContext(inputs, "ninefold:a:artifact:r:analyze:1", store, traces_root=root)


def write_visits(root: Path, n: int = 60) -> None:
    """Traces of a guide as OTLP lines."""
    lines = []
    for i in range(1, n + 1):
        judged = attributes(gen_ai__evaluation__name="solved", gen_ai__evaluation__score__value=float(i % 2))
        asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"Open room {i}."}]}])
        agent = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "guide"}
        event = {"name": "gen_ai.evaluation.result", "attributes": judged}
        meta = {"app__museum": "north", "app__task": f"t{i}", "gen_ai__conversation__id": f"s{i}"}
        root_span = wire_span(0, trace=i, lasts=9, events=[event], **agent, **meta)
        chat = wire_span(1, trace=i, at=1, gen_ai__operation__name="chat", gen_ai__input__messages=asked)
        lines.append(request(root_span, chat))
    write_lines(root / "traces.jsonl", *lines)


async def test_analyze_stores_the_cases_and_refers_to_them(tmp_path: Path) -> None:
    write_visits(tmp_path)
    shelf = Shelf()
    report = await analyze.run(a_context(run_inputs(), tmp_path, shelf))
    assert report.traces == 60
    assert [(ref.bucket, ref.artifact.rsplit(":", 1)[1]) for ref in report.cases] == [
        ("selection", "cases-selection"),
        ("sealed", "cases-sealed"),
    ]
    for ref in report.cases:
        cases = CaseSet.model_validate_json(shelf.kept[ref.artifact])
        assert (cases.bucket, len(cases.cases)) == (ref.bucket, ref.cases)
        assert sha256(shelf.kept[ref.artifact]) == ref.sha256
    assert report.analysed + sum(ref.cases for ref in report.cases) == 60


async def test_probe_says_what_the_volume_holds(tmp_path: Path) -> None:
    write_visits(tmp_path, 5)
    found = (await probe.run(a_context(ProbeInputs(backend=run_inputs().backend), tmp_path))).capabilities
    assert (found.files, found.traces, found.agents, found.scores) == (1, 5, ["guide"], ["solved"])
    assert found.metadata_keys == ["app.museum", "app.task"]


async def test_what_a_user_must_mend_is_a_permanent_failure_with_a_sentence(tmp_path: Path) -> None:
    for stage, inputs in ((probe, ProbeInputs(backend=run_inputs().backend)), (analyze, run_inputs())):
        with pytest.raises(JobFailure, match="the volume is empty") as failure:
            await stage.run(a_context(inputs, tmp_path))
        assert (failure.value.reason, failure.value.permanent) == ("NoFiles", True)
    write_visits(tmp_path)
    with pytest.raises(JobFailure, match=r"'app\.city' in its metadata; seen are app\.museum, app\.task"):
        await analyze.run(a_context(run_inputs("app.city"), tmp_path))
