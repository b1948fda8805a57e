"""Baseline + edits -> rendered components, hash, manifest, diff; and which version is served. Pure: values only.

Start with `version.Version` and `serve.serve`. The controllers read ConfigMaps with `adopt`, decide with `serve`,
and write what `to_configmap`, `pointer` and `ledger_configmap` return.
"""

from ninefold.versions.content import (
    check_delivery,
    content_hash,
    edit_hash,
    edit_key,
    estimate_tokens,
    extended,
    largest_prompt,
    plain_edit,
    rendered,
    strata,
)
from ninefold.versions.diff import diff
from ninefold.versions.errors import (
    ConditionalEdit,
    PromptTooLarge,
    SealedAlreadyOpened,
    TamperedVersion,
    UnknownComponent,
    VersionError,
)
from ninefold.versions.ledger import Ledger, ledger_configmap, ledger_name, next_number, read_ledger
from ninefold.versions.pointer import named_versions, pointer, pointer_drifted, pointer_problem, served_version
from ninefold.versions.prompts import check_carried, prompt_texts
from ninefold.versions.prune import surplus
from ninefold.versions.rebase import Rebased, rebase
from ninefold.versions.restore import Adopted, adopt
from ninefold.versions.serve import Serving, serve, stage_of
from ninefold.versions.version import (
    Lineage,
    Stage,
    Version,
    configmap_name,
    from_configmap,
    hash_of,
    new_version,
    number_of,
    restaged,
    to_configmap,
)

__all__ = [
    "Adopted",
    "ConditionalEdit",
    "Ledger",
    "Lineage",
    "PromptTooLarge",
    "Rebased",
    "SealedAlreadyOpened",
    "Serving",
    "Stage",
    "TamperedVersion",
    "UnknownComponent",
    "Version",
    "VersionError",
    "adopt",
    "check_carried",
    "check_delivery",
    "configmap_name",
    "content_hash",
    "diff",
    "edit_hash",
    "edit_key",
    "estimate_tokens",
    "extended",
    "from_configmap",
    "hash_of",
    "largest_prompt",
    "ledger_configmap",
    "ledger_name",
    "named_versions",
    "new_version",
    "next_number",
    "number_of",
    "plain_edit",
    "pointer",
    "pointer_drifted",
    "pointer_problem",
    "prompt_texts",
    "read_ledger",
    "rebase",
    "rendered",
    "restaged",
    "serve",
    "served_version",
    "stage_of",
    "strata",
    "surplus",
    "to_configmap",
]
