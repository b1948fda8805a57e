"""TraceBackend: where traces live."""

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from ninefold.api.base import Conditions, ConfigMapName, Model, Name, SecretKeyRef, ShortText, Url, sentence

LOGIN_PREFIX = "NINEFOLD_TRACES_SECRET_"
"""Begins the names of the environment variables by which a Job is given the secrets of its trace backend."""
USER_HASH_KEY = f"{LOGIN_PREFIX}USER_HASH_KEY"

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


BucketUrl = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^s3://[a-z0-9][-.a-z0-9]{1,62}(/[^\s]*)?$",
        json_schema_extra=sentence("write s3://<bucket>/<prefix>, such as s3://telemetry/traces"),
    ),
]


class ObjectStore(Model):
    """Objects of an S3-compatible store, below one prefix."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.accessKeyIdSecretRef) == has(self.secretAccessKeySecretRef)",
                    "message": "write accessKeyIdSecretRef and secretAccessKeySecretRef, or neither of them",
                }
            ]
        }
    )

    url: BucketUrl = Field(description="Bucket and prefix, such as s3://telemetry/traces.")
    endpoint: Url | None = Field(None, description="Address of a store that is not AWS, such as http://minio:9000.")
    region: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Region of the bucket. Absent: what the store says."
    )
    access_key_id_secret_ref: SecretKeyRef | None = Field(
        None, description="Access key id. Absent: the identity of the Job's service account, or of the node."
    )
    secret_access_key_secret_ref: SecretKeyRef | None = Field(None, description="Secret access key.")


class OtlpSource(Model):
    """OTLP files of the OpenTelemetry collector, JSON or protobuf, plain or compressed; the format is recognised."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.volume) != has(self.objectStore)",
                    "message": "write volume or objectStore: one place where the files are",
                }
            ]
        }
    )

    volume: VolumeSource | None = Field(None, description="Volume that holds the files.")
    object_store: ObjectStore | None = Field(None, description="Object store that holds the files.")
    path: RelativePath = Field(
        "",
        description="File, folder or glob below the volume's root or the prefix, such as traces/*.jsonl. "
        "Empty: every file.",
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
    agent_version: Column | None = Field(None, description="Column with the agent's version.")
    environment: Column | None = Field(None, description="Column with the deployment environment.")
    user_id: Column | None = Field(None, description="Column with the user's id, which is kept as a keyed hash only.")
    parent_id: Column | None = Field(None, description="Column with the id of the step that this one is part of.")
    system_prompt: Column | None = Field(None, description="Column with the system prompt, where input is without it.")
    model: Column | None = Field(None, description="Column with the model's name.")
    tokens_in: Column | None = Field(None, description="Column with the number of tokens that went into the model.")
    tokens_out: Column | None = Field(None, description="Column with the number of tokens that came out of it.")
    cost: Column | None = Field(None, description="Column with the step's cost in USD.")
    prompt_name: Column | None = Field(None, description="Column with the name of the prompt that was used.")
    prompt_version: Column | None = Field(None, description="Column with the version of that prompt.")
    tool_call_id: Column | None = Field(None, description="Column with the id that the model gave to the tool call.")
    error_type: Column | None = Field(None, description="Column with the error's kind, such as an exception's name.")
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


class ClickHouseSource(Model):
    """The table of spans that the OpenTelemetry collector's ClickHouse exporter writes, read over HTTP."""

    url: Url = Field(description="HTTP address of the server, such as http://clickhouse:8123.")
    database: Annotated[str, Field(min_length=1, max_length=128)] = Field("default", description="Database.")
    table: Annotated[str, Field(min_length=1, max_length=128)] = Field("otel_traces", description="Table of spans.")
    username: Annotated[str, Field(min_length=1, max_length=128)] = Field("default", description="User to read as.")
    password_secret_ref: SecretKeyRef | None = Field(None, description="The user's password. Absent: none.")


class ServerLogin(Model):
    """How to be let in: a bearer token, or a user and a password. Empty: no login."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.username) == has(self.passwordSecretRef)",
                    "message": "write username and passwordSecretRef, or neither of them",
                },
                {
                    "rule": "!(has(self.tokenSecretRef) && has(self.username))",
                    "message": "write tokenSecretRef, or username and passwordSecretRef: one way to log in",
                },
            ]
        }
    )

    token_secret_ref: SecretKeyRef | None = Field(None, description="Bearer token.")
    username: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(None, description="User.")
    password_secret_ref: SecretKeyRef | None = Field(None, description="Password of the user.")


class TempoSource(Model):
    """Grafana Tempo: traces are searched in slices of time, then fetched by id."""

    url: Url = Field(description="Address of Tempo's HTTP API, such as http://tempo-query-frontend:3200.")
    query: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        "{}", description='Which traces, in TraceQL, such as {resource.service.name="support"}.'
    )
    tenant: Annotated[str, Field(min_length=1, max_length=150)] | None = Field(
        None, description="Tenant, sent as X-Scope-OrgID."
    )
    login: ServerLogin = Field(default_factory=ServerLogin, description="How to be let in.")


class JaegerSource(Model):
    """Jaeger, by its query API of version 3: traces are searched by service in slices of time."""

    url: Url = Field(description="Address of Jaeger's query service, such as http://jaeger-query:16686.")
    services: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=50)] = Field(
        default_factory=list, description="Services to read. Empty: all that Jaeger knows."
    )
    login: ServerLogin = Field(default_factory=ServerLogin, description="How to be let in.")


class PluginSource(Model):
    """A reader of one's own: a Python entry point of the group ninefold.trace_backends in the Jobs' image."""

    name: Name = Field(description="Name of the entry point.")
    config: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] = Field(
        default_factory=dict, description="Settings that the plugin is given, as they stand here."
    )
    secrets: Annotated[dict[Annotated[str, Field(max_length=63)], SecretKeyRef], Field(max_length=8)] = Field(
        default_factory=dict, description="Secrets that the plugin is given, by its own names for them."
    )
    volume: VolumeSource | None = Field(None, description="Volume that the plugin reads from, if any.")


RedactionRule = Literal["Mail", "Phone", "Card", "Iban", "Ip", "Token"]


class RedactionPattern(Model):
    """A pattern of one's own: what it matches becomes <name>."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=40,
            pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
            json_schema_extra=sentence("write a name of lower-case letters, digits and '-', such as customer-number"),
        ),
    ] = Field(description="What stands in the place of a match, between < and >.")
    pattern: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="Regular expression in Python's syntax."
    )


class Privacy(Model):
    """What is taken out of traces before anything is stored or sent to a model."""

    redact: Annotated[list[RedactionRule], Field(max_length=6, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(
            default_factory=lambda: list(get_args(RedactionRule)),
            description="Built-in rules that apply: mail addresses, phone numbers, cards and IBANs with right check "
            "digits, IP addresses, bearer tokens and API keys. Absent: all. An empty list: none.",
        )
    )
    patterns: Annotated[list[RedactionPattern], Field(max_length=32)] = Field(
        default_factory=list, description="Further patterns."
    )
    user_hash_key_secret_ref: SecretKeyRef | None = Field(
        None, description="Key with which user ids are hashed. Absent: user ids are left out."
    )


_BACKENDS = ("langfuse", "otlp", "clickhouse", "tempo", "jaeger", "files", "plugin")


class TraceBackendSpec(Model):
    """Exactly one source of traces."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"[{', '.join(f'has(self.{name})' for name in _BACKENDS)}].filter(x, x).size() == 1",
                    "message": f"name exactly one backend: {', '.join(_BACKENDS[:-1])} or {_BACKENDS[-1]}",
                }
            ]
        }
    )

    langfuse: LangfuseSource | None = Field(None, description="A Langfuse project.")
    otlp: OtlpSource | None = Field(None, description="OTLP files, on a volume or in an object store.")
    clickhouse: ClickHouseSource | None = Field(None, description="The OpenTelemetry exporter's table in ClickHouse.")
    tempo: TempoSource | None = Field(None, description="Grafana Tempo.")
    jaeger: JaegerSource | None = Field(None, description="Jaeger.")
    files: FilesSource | None = Field(None, description="JSONL or Parquet files with a column mapping.")
    plugin: PluginSource | None = Field(None, description="A reader of one's own.")
    privacy: Privacy = Field(default_factory=Privacy, description="What is taken out before anything is stored.")


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
