"""A reader of one's own, found by its entry point and held to the protocol (docs/backends/plugin.md)."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from ninefold.api.tracebackend import LOGIN_PREFIX, TraceBackendSpec
from ninefold.traces import TracesProblem, Window, open_backend
from ninefold.traces import plugin as plugin_module
from ninefold.traces.conformance import check_backend
from ninefold.traces.model import TraceRecord

EXAMPLE = Path(__file__).parents[3] / "examples/plugin"
ROWS = """trace,time,tool,args,result,ok,score
t1,1750000000,search,"{""q"": ""lamp""}",12 hits,yes,
t1,1750000001,open,"{""id"": 7}",no such page,no,0
t2,1750000060,search,"{""q"": ""K-12345""}",1 hit,yes,1
"""
WINDOW = Window(1_750_000_000 * 10**9, 1_750_000_100 * 10**9)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A volume with a file of the example's, and the example installed."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    points = [EntryPoint("csv", "ninefold_csv_traces:open_csv", plugin_module.GROUP)]
    points.append(EntryPoint("broken", "ninefold_csv_traces:nothing", plugin_module.GROUP))
    monkeypatch.setattr(plugin_module, "entry_points", lambda group: [p for p in points if p.group == group])
    (tmp_path / "traces.csv").write_text(ROWS)
    yield tmp_path
    sys.modules.pop("ninefold_csv_traces", None)


def spec(name: str = "csv", **more: Any) -> TraceBackendSpec:
    return TraceBackendSpec.model_validate({"plugin": {"name": name, "config": {"path": "traces.csv"}}, **more})


def test_the_worked_example_conforms(root: Path) -> None:
    check_backend(lambda: open_backend(spec(), root, {}), WINDOW)


def test_what_a_plugin_reads_is_redacted_too(root: Path) -> None:
    own = {"patterns": [{"name": "customer", "pattern": r"K-\d+"}]}
    traces = list(open_backend(spec(privacy=own), root, {}).read(WINDOW))
    assert traces[1].steps[0].tool_args == '{"q":"<customer>"}'


def test_a_plugin_is_given_its_settings_its_secrets_and_no_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ninefold_csv_traces  # type: ignore[import-not-found]

    given = []
    real = ninefold_csv_traces.open_csv
    monkeypatch.setattr(ninefold_csv_traces, "open_csv", lambda context: given.append(context) or real(context))
    source = {"name": "csv", "secrets": {"TOKEN": {"name": "csv", "key": "token"}}}
    secrets = {f"{LOGIN_PREFIX}PLUGIN_TOKEN": "t0ken", "NINEFOLD_REDIS_URL": "redis://"}
    open_backend(TraceBackendSpec.model_validate({"plugin": source}), root, secrets)
    assert given[0].secrets == {"TOKEN": "t0ken"}


@pytest.mark.parametrize(
    ("name", "says"),
    [("sql", "has no trace backend sql \\(it has broken, csv\\)"), ("broken", "cannot be loaded \\(AttributeError\\)")],
)
def test_a_plugin_that_is_not_there_or_broken_is_a_sentence(root: Path, name: str, says: str) -> None:
    with pytest.raises(TracesProblem, match=says):
        open_backend(spec(name), root, {})


class Broken:
    """A backend that breaks one promise."""

    def __init__(self, inner: Any, change: Any) -> None:
        self.losses, self._inner, self._change = inner.losses, inner, change

    def probe(self) -> Any:
        return self._inner.probe()

    def read(self, window: Window) -> Iterator[TraceRecord]:
        yield from self._change(list(self._inner.read(window)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rs: rs + rs[:1], "came twice"),
        (lambda rs: [replace(r, start_ts=r.start_ts + 10**12, end_ts=r.end_ts + 10**12) for r in rs], "did not start"),
        (lambda rs: [replace(r, metadata={"n": 1}) for r in rs], "metadata is text"),
        (lambda rs: [replace(r, start_ts=r.start_ts // 10**9) for r in rs], "nanoseconds"),
        (lambda rs: [replace(r, steps=r.steps[::-1]) for r in rs], "number its steps"),
        (lambda rs: rs if len(rs) != 1 else [], "two windows that follow each other"),
    ],
)
def test_the_kit_names_the_promise_that_is_broken(root: Path, change: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_backend(lambda: Broken(open_backend(spec(), root, {}), change), WINDOW)
