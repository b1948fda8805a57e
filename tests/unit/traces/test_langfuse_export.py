"""The blob-storage export: what its manifests list, each row once, whatever the format."""

import json
from pathlib import Path
from typing import Any

import pytest
from langfuse_clients import ALL_TIME, a_trace, shape, whole
from trace_builders import START

from ninefold.api.tracebackend import TraceBackendSpec
from ninefold.traces import Backend, TracesProblem, Window, open_backend
from standins.langfuse import ingest, write_export
from standins.langfuse.export import Format

FORMATS: list[Format] = ["parquet", "jsonl"]
FIRST = ("2025-06-15T15:00:00.000Z", "2025-06-15T15:08:40.000Z")  # START is 15:06:40
SECOND = ("2025-06-15T15:08:40.000Z", "2025-06-15T16:00:00.000Z")


def an_export(root: Path, kind: Format, path: str = "", **source: Any) -> Backend:
    volume = {"persistentVolumeClaim": {"claimName": "export"}}
    export = {"volume": volume, "format": kind, "path": path}
    return open_backend(TraceBackendSpec.model_validate({"langfuse": {"export": export, **source}}), root)


@pytest.mark.parametrize("kind", FORMATS)
def test_all_runs_of_an_export_are_read(kind: Format, tmp_path: Path) -> None:
    write_export(ingest(a_trace(n) for n in range(4)), tmp_path, [FIRST, SECOND], kind)
    backend = an_export(tmp_path, kind)
    assert shape(backend) == whole(*range(4))
    found = backend.probe()
    assert (found.api, found.files, found.traces) == (f"Langfuse export, {kind}", 4, 4)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_row_on_the_bound_of_two_runs_is_read_once(kind: Format, tmp_path: Path) -> None:
    write_export(ingest([a_trace(2)]), tmp_path, [FIRST, SECOND], kind)  # it starts on the bound
    backend = an_export(tmp_path, kind)
    assert shape(backend) == whole(2)
    assert backend.losses["duplicate_observations"] == 2


def test_a_probe_counts_all_files_and_looks_into_the_newest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ninefold.traces.langfuse.export.PROBE_BYTES", 1)
    write_export(ingest(a_trace(n) for n in range(4)), tmp_path, [FIRST, SECOND])
    found = an_export(tmp_path, "jsonl").probe()
    assert (found.files, found.traces, found.scores) == (4, 2, [])


def test_a_run_without_a_manifest_is_not_complete_and_left_alone(tmp_path: Path) -> None:
    _, second = write_export(ingest(a_trace(n) for n in range(4)), tmp_path, [FIRST, SECOND])
    second.unlink()
    backend = an_export(tmp_path, "jsonl")
    assert [trace for trace, _ in shape(backend)] == [trace for trace, _ in whole(0, 1, 2)]
    assert backend.losses["uncommitted_files"] == 2


@pytest.mark.parametrize("below", ["", "exports", "exports/stand-in"])
def test_the_path_may_be_any_folder_above_the_tables(below: str, tmp_path: Path) -> None:
    write_export(ingest([a_trace(0)]), tmp_path, [FIRST])
    assert shape(an_export(tmp_path, "jsonl", below)) == whole(0)


def test_a_volume_without_a_completed_run_is_told_as_such(tmp_path: Path) -> None:
    for manifest in write_export(ingest([a_trace(0)]), tmp_path, [FIRST]):
        manifest.unlink()
    with pytest.raises(TracesProblem) as told:
        shape(an_export(tmp_path, "jsonl"))
    assert told.value.reason == "NoCompletedExport"
    assert "a run counts once its manifest is written" in told.value.message


def test_an_export_of_another_format_is_told_as_such(tmp_path: Path) -> None:
    write_export(ingest([a_trace(0)]), tmp_path, [FIRST], "parquet")
    with pytest.raises(TracesProblem, match="files of the format jsonl"):
        shape(an_export(tmp_path, "jsonl"))


def test_only_files_that_may_hold_the_windows_traces_are_read(tmp_path: Path) -> None:
    years = [("2020-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z"), FIRST]
    old, _ = write_export(ingest([a_trace(0)]), tmp_path, years)
    (old.parent.parent / "observations_v2" / f"{old.stem}.jsonl.gz").write_bytes(b"not gzip, and not read")
    backend = an_export(tmp_path, "jsonl")
    assert shape(backend, Window(START, START + 10**9)) == whole(0)
    assert not backend.losses["unreadable_files"] and not backend.losses["malformed_lines"]


@pytest.mark.parametrize(
    ("content", "loss"),
    [
        ("{", "malformed_manifests"),
        (
            '{"version": 2, "window": {"minTimestamp": "2025-01-01", "maxTimestamp": "2025-01-02"}, "files": []}',
            "unknown_manifests",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read_is_counted(content: str, loss: str, tmp_path: Path) -> None:
    manifest, *_ = write_export(ingest([a_trace(0)]), tmp_path, [FIRST])
    (manifest.parent / "broken.json").write_text(content)
    backend = an_export(tmp_path, "jsonl")
    assert shape(backend) == whole(0)
    assert backend.losses[loss] == 1


def test_a_file_that_the_manifest_lists_and_is_gone_is_counted(tmp_path: Path) -> None:
    manifest, *_ = write_export(ingest([a_trace(0)]), tmp_path, [FIRST])
    (manifest.parent.parent / "scores" / f"{manifest.stem}.jsonl.gz").unlink()
    backend = an_export(tmp_path, "jsonl")
    assert shape(backend) == whole(0)
    assert backend.losses["missing_files"] == 1


def test_a_manifest_cannot_name_files_outside_the_volume(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}\n")
    volume = tmp_path / "volume"
    manifest, *_ = write_export(ingest([a_trace(0)]), volume, [FIRST])
    (manifest.parent.parent / "observations_v2" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    content = json.loads(manifest.read_text())
    keys = ["../../../secret.jsonl", "x/observations_v2/link.jsonl", "x/observations_v2/../../../../../secret.jsonl"]
    content["files"] += [{"key": key} for key in keys]
    manifest.write_text(json.dumps(content))
    backend = an_export(volume, "jsonl")
    assert shape(backend) == whole(0)
    assert backend.losses["missing_files"] == 1, "the link; the other two are no files of a table"


def test_a_project_in_transition_exports_its_observations_twice_and_they_are_read_once(tmp_path: Path) -> None:
    manifest, *_ = write_export(ingest([a_trace(0)]), tmp_path, [FIRST])
    home = manifest.parent.parent
    (home / "observations").mkdir()
    (home / "observations" / f"{manifest.stem}.jsonl.gz").write_bytes(b"not read")
    content = json.loads(manifest.read_text())
    content["files"].append({"key": f"exports/stand-in/observations/{manifest.stem}.jsonl.gz"})
    manifest.write_text(json.dumps(content))
    backend = an_export(tmp_path, "jsonl")
    assert shape(backend) == whole(0)
    assert not backend.losses["duplicate_observations"] and not backend.losses["unreadable_files"]


def test_the_export_of_a_project_on_version_3_is_joined_with_its_traces(tmp_path: Path) -> None:
    home = tmp_path / "p"
    times = {"start_time": "2025-06-15 15:06:40.500000", "end_time": None}
    tables = {
        "observations": {"id": "o", "trace_id": "t", "type": "GENERATION", "name": "chat", "output": "hi", **times},
        "traces": {"id": "t", "timestamp": "2025-06-15 15:06:40.000000", "name": "guide", "session_id": "s"},
    }
    for table, row in tables.items():
        (home / table).mkdir(parents=True)
        (home / table / "run.jsonl").write_text(json.dumps(row) + "\n")
    bounds = {"minTimestamp": FIRST[0], "maxTimestamp": FIRST[1]}
    files = [{"key": f"p/{table}/run.jsonl"} for table in tables]
    (home / "manifests").mkdir()
    (home / "manifests" / "run.json").write_text(json.dumps({"version": 1, "window": bounds, "files": files}))
    (record,) = an_export(tmp_path, "jsonl").read(ALL_TIME)
    assert (record.agent, record.session_id, record.steps[0].message_out) == ("guide", "s", "hi")
    assert record.start_ts == START + 500_000_000


@pytest.mark.parametrize("kind", FORMATS)
def test_only_the_environment_that_is_named_is_read(kind: Format, tmp_path: Path) -> None:
    write_export(ingest([a_trace(0)]), tmp_path, [FIRST], kind)
    assert shape(an_export(tmp_path, kind, environment="production")) == whole(0)
    assert shape(an_export(tmp_path, kind, environment="staging")) == []
