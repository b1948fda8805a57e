"""A version and its ConfigMap: `<agent>-v<N>-<hash10>`, immutable, checked against its own name when it is read.

`data` holds a key per component, as rendered without conditions (what a person reads, what `Mount` serves), and
`manifest.json` with the texts that edits start from, the edits with receipts, the lineage and the gate's figures.
The data is immutable; labels and owner references are not, and the stage of a version lives in its label.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from ninefold.api import labels
from ninefold.api.artifacts import canonical
from ninefold.api.base import Hash10, Model, ShortText, VersionName
from ninefold.api.edits import Edit
from ninefold.api.inputs import VersionContent
from ninefold.api.run import Figures
from ninefold.versions.content import check_size, content_hash, rendered
from ninefold.versions.errors import TamperedVersion

MANIFEST = "manifest.json"
Stage = Literal["baseline", "candidate", "stable", "retired", "quarantined"]


class Lineage(Model):
    """Where a version comes from."""

    parent: VersionName | None = Field(None, description="The version that it extends.")
    baseline: Hash10 = Field(description="Hash of the baseline (components and edits of Git) that it stands on.")
    baseline_edits: int = Field(0, ge=0, description="How many of its edits, from the first on, are Git's.")
    run: ShortText | None = Field(None, description="The OptimizationRun that proved it.")
    model: ShortText | None = Field(None, description="Name of the model under which it was proved.")


class Manifest(Model):
    """`manifest.json` of a version ConfigMap."""

    schema_version: int = 1
    version: VersionName
    components: dict[str, str] = Field(description="Texts that Git owns, before any edit.")
    edits: list[Edit]
    lineage: Lineage
    gate: Figures | None = None


class Version(Model):
    """One version. Its name carries its hash, so equal names mean equal prompts."""

    number: int = Field(ge=1)
    content: VersionContent
    lineage: Lineage
    stage: Stage = "candidate"
    gate: Figures | None = None

    @property
    def hash(self) -> str:
        """Ten hex digits over components and edits."""
        return content_hash(self.content)

    @property
    def name(self) -> str:
        """`v<N>-<hash10>`."""
        return f"v{self.number}-{self.hash}"

    @property
    def baseline(self) -> VersionContent:
        """What Git owned when the version was made: its components and the edits that Git had taken in."""
        return VersionContent(
            components=self.content.components, edits=self.content.edits[: self.lineage.baseline_edits]
        )

    @property
    def own_edits(self) -> list[Edit]:
        """The edits that are not Git's."""
        return self.content.edits[self.lineage.baseline_edits :]


def new_version(
    number: int,
    content: VersionContent,
    baseline: VersionContent,
    *,
    parent: str | None = None,
    run: str | None = None,
    model: str | None = None,
    gate: Figures | None = None,
) -> Version:
    """A version of `content`, whose first edits are those of `baseline` (what Git owns now).

    The baseline itself, a candidate that extends the stable version (`baseline=stable.baseline`) and a version that
    was carried over to another baseline are all made here; only the first has stage `baseline`.
    """
    lineage = Lineage(
        parent=parent, baseline=content_hash(baseline), baseline_edits=len(baseline.edits), run=run, model=model
    )
    stage: Stage = "baseline" if content_hash(content) == lineage.baseline else "candidate"
    return Version(number=number, content=content, lineage=lineage, stage=stage, gate=gate)


def number_of(version_name: str) -> int:
    """3 of `v3-0a1b2c3d4e`."""
    return int(version_name[1:].split("-", 1)[0])


def hash_of(version_name: str) -> str:
    """`0a1b2c3d4e` of `v3-0a1b2c3d4e`."""
    return version_name.split("-", 1)[1]


def configmap_name(agent_name: str, version_name: str) -> str:
    return f"{agent_name}-{version_name}"


def to_configmap(
    agent_name: str, namespace: str, version: Version, *, owner: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The manifest of the version's ConfigMap. `owner` is an owner reference, for `deletionPolicy: Delete`.

    Raises PromptTooLarge.
    """
    name = configmap_name(agent_name, version.name)
    manifest = Manifest(
        version=version.name,
        components=version.content.components,
        edits=version.content.edits,
        lineage=version.lineage,
        gate=version.gate,
    )
    data = {**rendered(version.content), MANIFEST: canonical(manifest.wire()).decode()}
    check_size(data)
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": {
            labels.AGENT: agent_name,
            labels.ROLE: "version",
            labels.VERSION_LABEL: f"v{version.number}",
            labels.HASH: version.hash,
            labels.STAGE: version.stage,
            labels.MANAGED_BY: labels.MANAGER,
        },
    }
    if owner:
        metadata["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, "data": data}


def from_configmap(configmap: Mapping[str, Any]) -> Version:
    """The version in a ConfigMap. Raises TamperedVersion when what it holds is not what its name, its hash label or
    its plain keys say: a hash is only worth something when it is computed again."""
    metadata, data = configmap["metadata"], dict(configmap.get("data") or {})
    name, marks = metadata["name"], metadata.get("labels") or {}
    advice = "delete it; the operator serves another version and never this one"
    try:
        manifest = Manifest.model_validate_json(data.pop(MANIFEST, ""))
        version = Version(
            number=number_of(manifest.version),
            content=VersionContent(components=manifest.components, edits=manifest.edits),
            lineage=manifest.lineage,
            stage=_stage(marks.get(labels.STAGE)),
            gate=manifest.gate,
        )
        plain = rendered(version.content)
    except ValidationError as error:
        raise TamperedVersion(
            f"ConfigMap {name} does not hold a version under {MANIFEST} ({error.error_count()} errors): {advice}."
        ) from None
    except ValueError as error:
        raise TamperedVersion(f"ConfigMap {name} cannot be rendered: {error}. {advice.capitalize()}.") from None
    expected = (configmap_name(marks.get(labels.AGENT, ""), version.name), f"v{version.number}", version.hash)
    if (name, marks.get(labels.VERSION_LABEL), marks.get(labels.HASH)) != expected or manifest.version != version.name:
        raise TamperedVersion(
            f"ConfigMap {name} holds texts and edits whose hash is {version.hash}, "
            f"which is not what its name and labels say: {advice}."
        )
    if data != plain:
        keys = sorted(key for key in data.keys() | plain.keys() if data.get(key) != plain.get(key))
        raise TamperedVersion(
            f"ConfigMap {name} has keys that are not the rendering of its own manifest "
            f"({', '.join(keys[:3])}): {advice}."
        )
    return version


def _stage(label: str | None) -> Stage:
    """Labels may be edited by anybody and decide nothing here: an unknown stage reads as candidate."""
    return next((stage for stage in get_args(Stage) if stage == label), "candidate")


def restaged(configmap: dict[str, Any], stage: Stage, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    """The same ConfigMap under another stage label and owner, to be applied: data stays, byte by byte, because the
    API server refuses any other for an immutable ConfigMap, also one that only a newer operator would write."""
    marks = {**(configmap["metadata"].get("labels") or {}), labels.STAGE: stage}
    ours = {
        key: marks[key]
        for key in (labels.AGENT, labels.ROLE, labels.VERSION_LABEL, labels.HASH, labels.STAGE, labels.MANAGED_BY)
        if key in marks
    }
    metadata: dict[str, Any] = {
        "name": configmap["metadata"]["name"],
        "namespace": configmap["metadata"]["namespace"],
        "labels": ours,
    }
    if owner:
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "data": dict(configmap.get("data") or {}),
    }
