"""`ninefold analyze` on a laptop: the Job's own way of reading, and a folder that keeps what was read."""

import sys
from pathlib import Path

import pytest
import yaml
from trace_builders import run_inputs
from unit.analysis.test_jobs import write_visits

from ninefold.api.findings import AnalysisReport
from ninefold.cli import main
from ninefold.traces.otlp import OtlpFiles


def manifests(folder: Path) -> Path:
    wire = run_inputs().wire()
    policy = {"agentRef": {"name": "guide"}, "analysis": wire["policy"]["analysis"]}
    specs = {"TraceBackend": wire["backend"], "Agent": wire["agent"], "OptimizationPolicy": policy}
    path = folder / "manifests.yaml"
    path.write_text(yaml.safe_dump_all([{"kind": kind, "spec": spec} for kind, spec in specs.items()]))
    return path


def test_a_second_analysis_opens_no_file_that_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_visits(tmp_path / "traces")
    given = ["--backend", str(manifests(tmp_path)), "--traces", str(tmp_path / "traces")]
    given += ["--keep", str(tmp_path / "kept")]

    def analyze(out: str) -> AnalysisReport:
        monkeypatch.setattr(sys, "argv", ["ninefold", "analyze", *given, "--out", str(tmp_path / out)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, capsys.readouterr().err
        return AnalysisReport.from_bytes((tmp_path / out).read_bytes())

    first = analyze("first.json")
    assert first.traces == 60
    assert "60 traces, success 50.0%" in capsys.readouterr().out
    monkeypatch.setattr(OtlpFiles, "rows", lambda *given: pytest.fail("a file was opened again"))
    assert analyze("second.json") == first
