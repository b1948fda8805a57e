"""OTLP's JSON encoding as protobuf messages, by protobuf's own reader of JSON (which wants ids in base64)."""

import base64
import json
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

_IDS = ("traceId", "spanId", "parentSpanId")


def as_protobuf(line: str) -> TracesData:
    """The message of one line."""
    return json_format.Parse(json.dumps(_base64(json.loads(line))), TracesData())


def _base64(value: Any) -> Any:
    if isinstance(value, list):
        return [_base64(item) for item in value]
    if isinstance(value, dict):
        return {
            k: base64.b64encode(bytes.fromhex(v)).decode() if k in _IDS and v else _base64(v) for k, v in value.items()
        }
    return value
