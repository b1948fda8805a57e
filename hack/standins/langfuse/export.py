"""The blob-storage export of a project: a folder a table, a file a run, and last the run's manifest.

Source: langfuse/langfuse, `worker/src/features/blobstorage/manifest.ts`, and the export's field reference: names in
snake case, absent text empty, times `YYYY-MM-DD HH:MM:SS.ffffff` in UTC. Bounds of a run are included on both sides.
"""

import gzip
import json
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from standins.langfuse.project import Project, Row

Format = Literal["parquet", "jsonl"]
_TIMES = ("start_time", "end_time", "completion_start_time", "created_at", "updated_at", "timestamp")
_MAPS = ("metadata", "usage_details", "cost_details")
_TEXTS = pa.map_(pa.string(), pa.string())


def write_export(
    project: Project, folder: Path, bounds: Iterable[tuple[str, str]], kind: Format = "jsonl", prefix: str = "exports/"
) -> list[Path]:
    """Write a run for each of the bounds (ISO 8601); returns the manifests, in order."""
    return [_run(project, folder / prefix / project.id, run, kind, prefix) for run in bounds]


def _run(project: Project, home: Path, bounds: tuple[str, str], kind: Format, prefix: str) -> Path:
    since, until = bounds
    stem = until.replace(":", "-")[:19]
    observations = [_exported(row) for row in project.observations if since <= row["startTime"] <= until]
    scores = [_exported(_flat(row)) for row in project.scores if since <= row["timestamp"] <= until]
    files = []
    for table, rows in (("scores", scores), ("observations_v2", observations)):
        path = home / table / f"{stem}.{'parquet' if kind == 'parquet' else 'jsonl.gz'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "parquet":
            _write_parquet(path, rows)
        else:
            path.write_bytes(gzip.compress("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()))
        files.append({"key": f"{prefix}{project.id}/{table}/{path.name}", "table": table, "sizeBytes": 0})
    manifest = {
        "version": 1,
        "projectId": project.id,
        "exportSource": "EVENTS",
        "window": {"minTimestamp": since, "maxTimestamp": until},
        "maxTimestamp": until,
        "createdAt": until,
        "tables": ["scores", "observations_v2"],
        "files": files,
    }
    path = home / "manifests" / f"{stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest))
    return path


def _flat(score: Row) -> Row:
    own = {k: v for k, v in score.items() if k != "subject"}
    return own | {"traceId": score["subject"]["id"], "observationId": None, "stringValue": None}


def _exported(row: Row) -> Row:
    out: Row = {re.sub("([A-Z])", lambda m: "_" + m[1].lower(), key): value for key, value in row.items()}
    for key, value in out.items():
        if key in _TIMES and value is not None:
            out[key] = value.replace("T", " ").replace("Z", "000")
        elif value is None and key not in (*_TIMES, "prompt_version", "observation_id", "string_value", "latency"):
            out[key] = ""
    return {k: v for k, v in out.items() if k not in ("model_parameters", "usage_pricing_tier_name", "total_cost")}


def _write_parquet(path: Path, rows: list[Row]) -> None:
    names = list(rows[0]) if rows else ["id", "trace_id"]
    columns: dict[str, Any] = {}
    for name in names:
        values = [row[name] for row in rows]
        if name in _TIMES:
            moments = [datetime.fromisoformat(v) if v else None for v in values]
            columns[name] = pa.array(moments, pa.timestamp("us"))
        elif name in _MAPS:
            kind = {"usage_details": pa.int64(), "cost_details": pa.float64()}.get(name, pa.string())
            columns[name] = pa.array([list(v.items()) for v in values], pa.map_(pa.string(), kind))
        else:
            columns[name] = pa.array(values, pa.list_(pa.string()) if name == "tags" else None)
    pq.write_table(pa.table(columns), path)
