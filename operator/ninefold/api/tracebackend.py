"""TraceBackend: where traces live."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ninefold.api.base import Conditions, ConfigMapName, Model, SecretKeyRef, ShortText, Url, sentence

Column = Annotated[str, Field(min_length=1, max_length=128)]


class PersistentVolumeClaim(Model):
    """A PersistentVolumeClaim in the same namespace, mounted read-only."""

    claim_name: ConfigMapName = Field(description="Name of the claim.")


class HostPath(Model):
    """A directory of the node, mounted read-only. Refused unless the operator was started with allowHostPath."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            pattern=r"^(/[^/.][^/]*|/\.[^/.][^/]*)+/?$",
            json_schema_extra=sentence("write an absolute path below / without '..', such as /var/lib/traces"),
        ),
    ] = Field(description="Absolute path of the directory on the node.")


class ConfigMapVolume(Model):
    """A ConfigMap in the same namespace whose keys are the files; for examples and tests."""

    name: ConfigMapName = Field(description="Name of the ConfigMap.")


class VolumeSource(Model):
    """Where the files come from: exactly one source."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.persistentVolumeClaim), has(self.hostPath), has(self.configMap)]"
                    ".filter(x, x).size() == 1",
                    "message": "name exactly one volume: persistentVolumeClaim, hostPath or configMap",
                }
            ]
        }
    )

    persistent_volume_claim: PersistentVolumeClaim | None = Field(None, description="A claim in the same namespace.")
    host_path: HostPath | None = Field(None, description="A directory of the node, where the operator allows it.")
    config_map: ConfigMapVolume | None = Field(None, description="A ConfigMap in the same namespace.")


RelativePath = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^([^/.][^/]*|\.[^./][^/]*)?$|^([^/.][^/]*|\.[^./][^/]*)(/([^/.][^/]*|\.[^./][^/]*))*/?$",
        json_schema_extra=sentence(
            "write a path below the volume's root, without a leading '/' and without '.' or '..', such as 2026/*.jsonl"
        ),
    ),
]


class OtlpSource(Model):
    """OTLP-JSON lines (one ExportTraceServiceRequest a line), as the OpenTelemetry collector's file exporter writes."""

    volume: VolumeSource = Field(description="Volume that holds the files.")
    path: RelativePath = Field(
        "", description="File, folder or glob below the volume's root, such as traces/*.jsonl. Empty: every file."
    )


class FilesMapping(Model):
    """Which column (or dotted path) of a row holds what. A row is one step; rows of one trace share `traceId`."""

    trace_id: Column = Field(description="Column with the trace's id.")
    session_id: Column | None = Field(None, description="Column with the session's id. Absent: the trace's id.")
    step_id: Column | None = Field(None, description="Column with the step's id. Absent: made from the row's place.")
    kind: Column | None = Field(None, description="Column with llm, tool or agent. Absent: tool where toolName is set.")
    name: Column | None = Field(None, description="Column with the step's name.")
    tool_name: Column | None = Field(None, description="Column with the tool's name.")
    tool_args: Column | None = Field(None, description="Column with the tool's arguments, as JSON or text.")
    tool_result: Column | None = Field(None, description="Column with the tool's result, as JSON or text.")
    input: Column | None = Field(None, description="Column with the user's message or the model's input.")
    output: Column | None = Field(None, description="Column with the model's output.")
    start_time: Column = Field(description="Column with the start: RFC 3339 text, or seconds, ms, us or ns since 1970.")
    end_time: Column | None = Field(None, description="Column with the end. Absent: the start.")
    status: Column | None = Field(None, description="Column with ok or error.")
    error_message: Column | None = Field(None, description="Column with the error's text.")
    outcome: Column | None = Field(None, description="Column with the trace's score, a number or true/false.")
    agent: Column | None = Field(None, description="Column with the agent's name.")
    environment: Column | None = Field(None, description="Column with the deployment environment.")
    metadata: Annotated[list[Column], Field(max_length=32)] = Field(
        default_factory=list, description="Columns that become metadata of the trace, under their own names."
    )


class FilesSource(Model):
    """JSONL or Parquet files of one's own, with a column mapping."""

    volume: VolumeSource = Field(description="Volume that holds the files.")
    path: RelativePath = Field("", description="File, folder or glob below the volume's root. Empty: every file.")
    format: Literal["jsonl", "parquet"] = Field("jsonl", description="Format of the files.")
    mapping: FilesMapping = Field(description="Which column holds what.")


class LangfuseExport(Model):
    """Langfuse's scheduled blob-storage export, in a volume (a bucket mounted by a CSI driver, or a copy)."""

    volume: VolumeSource = Field(description="Volume that holds the export.")
    path: RelativePath = Field(
        "", description="Folder with observations_v2, scores and manifests, or one above it. Empty: the volume's root."
    )
    format: Literal["parquet", "jsonl"] = Field("parquet", description="File type that the export was set to.")


class LangfuseSource(Model):
    """A Langfuse project: by its public API (host and keys), or by its blob-storage export."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.host) != has(self.export)",
                    "message": "write one of host, to read the API, and export, to read the blob-storage export",
                },
                {
                    "rule": "!has(self.host) || (has(self.publicKeySecretRef) && has(self.secretKeySecretRef))",
                    "message": "host needs publicKeySecretRef and secretKeySecretRef: an API key pair of the project",
                },
            ]
        }
    )

    host: Url | None = Field(
        None, description="Address of the server, as LANGFUSE_HOST, such as https://langfuse.example.com."
    )
    public_key_secret_ref: SecretKeyRef | None = Field(None, description="Public key (pk-lf-...) of the project.")
    secret_key_secret_ref: SecretKeyRef | None = Field(None, description="Secret key (sk-lf-...) of the project.")
    environment: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="Only traces of this Langfuse environment. Absent: all."
    )
    page_size: int = Field(
        100,
        ge=1,
        le=1000,
        description="Rows to ask for at once; fewer where the server demands it.",
    )
    api: Literal["Auto", "V4", "V1"] = Field(
        "Auto",
        description="V4: the reads of Langfuse 4. V1: the pages of older servers. Auto: V4 where it answers, else V1.",
    )
    export: LangfuseExport | None = Field(None, description="Read the blob-storage export instead of the API.")


class TraceBackendSpec(Model):
    """Exactly one source of traces."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.otlp), has(self.files), has(self.langfuse)].filter(x, x).size() == 1",
                    "message": "name exactly one backend: otlp, files or langfuse",
                }
            ]
        }
    )

    otlp: OtlpSource | None = Field(None, description="OTLP-JSON files.")
    files: FilesSource | None = Field(None, description="JSONL or Parquet files with a column mapping.")
    langfuse: LangfuseSource | None = Field(None, description="A Langfuse project.")


class Capabilities(Model):
    """What the probe found at the backend."""

    api: ShortText | None = Field(
        None, description="Which way of reading the probe chose, such as Langfuse V4; absent where there is but one."
    )
    files: int = Field(ge=0, description="Files that match; 0 where traces are read from a server.")
    bytes: int = Field(ge=0, description="Their size in bytes.")
    traces: int = Field(ge=0, description="Traces in the part that the probe read.")
    agents: Annotated[list[ShortText], Field(max_length=50)] = Field(
        default_factory=list, description="Agent names seen."
    )
    scores: Annotated[list[ShortText], Field(max_length=50)] = Field(
        default_factory=list, description="Names of scores seen."
    )
    metadata_keys: Annotated[list[ShortText], Field(max_length=100)] = Field(
        default_factory=list, description="Metadata keys seen."
    )
    malformed: int = Field(0, ge=0, description="Lines or rows that could not be read.")


class TraceBackendStatus(Model):
    """What the operator last saw."""

    observed_generation: int | None = Field(None, ge=0, description="Generation of the spec that this is about.")
    conditions: Conditions = Field(default_factory=list, description="Ready, Reconciling, Stalled.")
    capabilities: Capabilities | None = Field(None, description="What the last good probe found.")
    last_probe_time: ShortText | None = Field(
        None, description="When the last probe ended.", json_schema_extra={"format": "date-time"}
    )
    probed_generation: int | None = Field(None, ge=0, description="Generation of the spec that the last probe read.")
    failed_probes: int | None = Field(
        None, ge=0, description="Probes of this generation that failed since the last good one; pauses grow with it."
    )
