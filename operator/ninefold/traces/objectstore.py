"""Objects of an S3-compatible store, through Arrow's filesystem, which the table of steps has brought along anyway."""

import re
from collections.abc import Mapping
from typing import IO, Any, cast
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from ninefold.api.tracebackend import LOGIN_PREFIX, ObjectStore
from ninefold.traces.problem import TracesProblem
from ninefold.traces.stored import Stored

_TIMEOUT = 20.0
"""Seconds to connect and to wait for bytes. A wrong address is to be told, not waited for."""


def objects(source: ObjectStore, pattern: str, secrets: Mapping[str, str]) -> list[Stored]:
    """The objects below the prefix that `pattern` names (file, folder or glob; empty: all), in the order of their keys.

    Raises TracesProblem when the store does not let us in, or has no such bucket or prefix.
    """
    store = _filesystem(source, secrets)
    base = source.url.removeprefix("s3://").rstrip("/")
    try:
        found = store.get_file_info(fs.FileSelector(base, recursive=True))
    except (pa.ArrowException, OSError) as error:
        raise _problem(source, str(error)) from None
    wanted = _pattern(pattern)
    files = [info for info in found if info.type == fs.FileType.File and info.size]
    names = {info.path: info.path.removeprefix(base).lstrip("/") for info in files}
    return [
        Stored(names[info.path], info.size, _opener(store, info.path), info.mtime_ns or 0)
        for info in sorted(files, key=lambda info: info.path)
        if wanted.fullmatch(names[info.path]) and not any(p.startswith(".") for p in names[info.path].split("/"))
    ]


def _opener(store: Any, path: str) -> Any:
    return lambda: cast(IO[bytes], store.open_input_stream(path))


def _filesystem(source: ObjectStore, secrets: Mapping[str, str]) -> Any:
    options: dict[str, Any] = {
        "connect_timeout": _TIMEOUT,
        "request_timeout": _TIMEOUT,
        "force_virtual_addressing": False,
    }
    if source.endpoint is not None:
        parts = urlsplit(source.endpoint)
        options |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if source.region is not None or source.endpoint is not None:
        options["region"] = source.region or "us-east-1"
    if source.access_key_id_secret_ref is not None:
        options["access_key"] = _secret(secrets, "ACCESS_KEY_ID")
        options["secret_key"] = _secret(secrets, "SECRET_ACCESS_KEY")
    try:
        return fs.S3FileSystem(**options)
    except (pa.ArrowException, OSError) as error:
        raise _problem(source, str(error)) from None


def _secret(secrets: Mapping[str, str], name: str) -> str:
    value = secrets.get(LOGIN_PREFIX + name, "").strip()
    if not value:
        raise TracesProblem("SecretEmpty", f"the Secret key for {name} is empty: write the object store's key into it")
    return value


def _problem(source: ObjectStore, said: str) -> TracesProblem:
    """A sentence for what the store said; its own words may carry a request's headers, and are left out."""
    where = source.endpoint or "AWS"
    if re.search(r"ACCESS_DENIED|FORBIDDEN|INVALID_ACCESS_KEY|SIGNATURE|HTTP status 40[13]", said, re.I):
        return TracesProblem(
            "Unauthorized",
            f"{where} refuses to list {source.url}: give the key s3:ListBucket on the bucket and s3:GetObject below it",
        )
    if re.search(r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist", said, re.I):
        return TracesProblem("NoSuchBucket", f"{where} has no bucket of this name: check objectStore.url {source.url}")
    if re.search(r"not found|does not exist|NO_SUCH_KEY|Path does not exist", said, re.I):
        return TracesProblem(
            "NoTraces",
            f"nothing is below {source.url} at {where}: check the prefix, and that objectStore.endpoint is the "
            "store's API and not its web page",
        )
    if re.search(r"SSL|TLS|certificate", said, re.I):
        return TracesProblem(
            "TlsFailed", f"{where} did not prove who it is: use a certificate that the Jobs' image trusts"
        )
    return TracesProblem(
        "Unreachable", f"{where} does not answer for {source.url}: check objectStore.endpoint", permanent=False
    )


def _pattern(pattern: str) -> re.Pattern[str]:
    """A glob over the whole key as a regular expression: `**` crosses folders, `*` and `?` do not."""
    if not any(c in pattern for c in "*?["):
        exact = re.escape(pattern.rstrip("/"))
        return re.compile(f"{exact}(/.*)?" if exact else ".*", re.S)
    parts = re.split(r"(\*\*/?|\*|\?|\[[^\]]+\])", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(p, p if p.startswith("[") else re.escape(p)) for p in parts), re.S)
