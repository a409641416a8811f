"""Models on the disk: one directory a version, and which of them judges from when.

    ROOT/2026-03-31-1f0c9a52/manifest.json   what it was learned from, its features, thresholds, digests
                             model.npz       arrays, never objects: nothing in it can run
                             card.md         for people
    ROOT/promoted.json                       which version judges from which business time on
         watched.json                        which candidate is scored beside it, if any

A version is written whole or not at all, and never changed. Its name ends in the digest of its manifest, which holds
the digest of the arrays: nothing can be altered unnoticed, short of making another version.
"""

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b, sha256
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from detectors.finding import Level
from detectors.rules import ALWAYS
from models.catalogue import InForce
from models.channels import Distance, Surprise
from models.day import Array, Peers
from models.drift import Reference
from models.feature import digest
from models.forest import Forest
from models.model import Model
from models.watch import FEATURES

KIND, SCHEMA = "fundwatch-model", 1
MANIFEST, ARRAYS, CARD, PROMOTED = "manifest.json", "model.npz", "card.md", "promoted.json"
WATCHED = "watched.json"  # the candidate that workers score beside the model in force
MOST_BYTES, MOST_UNFOLDED = 64 << 20, 512 << 20
NAME = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}")
PROBES = 32  # days kept with their surprises: a model must still say of them what it said when it was made
EXACT = 1e-9
DEEPEST = 20  # levels of a tree


class ModelError(ValueError):
    """A model or registry that cannot be used; the message says which, and why."""


class Part(Struct, frozen=True, kw_only=True):
    """One kind of entity. features: digest of their definitions. scale: of the forest. groups: of peers, in order.

    days, entities: it was learned from. per_day: leads a day that the thresholds are made for.
    """

    features: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    scale: float
    thresholds: dict[Level, float]
    days: int
    entities: int
    per_day: float


class Manifest(Struct, frozen=True, kw_only=True):
    """since, until: business time of the training days. libraries, source: for information only."""

    kind: str
    schema: int
    version: str
    created_at: datetime
    since: datetime
    until: datetime
    source: tuple[str, ...]
    parts: dict[str, Part]
    trees: int
    samples: int
    seed: int
    libraries: dict[str, str]
    arrays: dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape
    sha256: str
    bytes: int


class Promotion(Struct, frozen=True):
    """This version judges days from ``since`` (business time) on, until the next promotion."""

    version: str
    since: datetime
    at: datetime


class Loaded(NamedTuple):
    manifest: Manifest
    models: dict[str, Model]
    references: dict[str, Reference]


# one version


def packed(models: Mapping[str, Model], references: Mapping[str, Reference], probes: Mapping[str, Array]) -> bytes:
    """The arrays as npz; the same bytes for the same arrays."""
    arrays: dict[str, Any] = {}  # Any: arrays of several types
    for entity, model in models.items():
        probe = probes[entity]
        peers = list(model.peers.values())
        told: dict[str, Any] = {
            **{"forest.feature": model.forest.feature, "forest.threshold": model.forest.threshold},
            "forest.path": model.forest.path,
            **{f"tails.{name}": getattr(model.tails, name) for name in ("at", "worth", "slope")},
            **{f"channels.{name}": getattr(model.channels, name) for name in ("at", "worth", "slope")},
            **{"distance.mean": model.distance.mean, "distance.precision": model.distance.precision},
            **{f"peers.{name}": np.stack([getattr(p, name) for p in peers]) for name in ("center", "spread", "told")},
            **{"probe.values": probe, "probe.surprises": model.surprises(probe)},
            **{"drift.edges": references[entity].edges, "drift.shares": references[entity].shares},
        }
        arrays |= {f"{entity}.{name}": array for name, array in told.items()}
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def shapes(raw: bytes) -> dict[str, tuple[str, tuple[int, ...]]]:
    with np.load(BytesIO(raw), allow_pickle=False) as arrays:
        return {name: (str(arrays[name].dtype), arrays[name].shape) for name in arrays.files}


def named(manifest: Manifest) -> Manifest:
    """With the name that its content gives it."""
    content = msgspec.json.encode(replace(manifest, version=""))
    return replace(manifest, version=f"{manifest.until:%Y-%m-%d}-{blake2b(content, digest_size=4).hexdigest()}")


def load(folder: Path) -> Loaded:
    """One version, after every check. Raises ModelError."""
    manifest = read_manifest(folder)
    raw = _bytes(folder / ARRAYS, MOST_BYTES)
    if len(raw) != manifest.bytes or sha256(raw).hexdigest() != manifest.sha256:
        raise ModelError(f"{folder}: {ARRAYS} is not the file that the manifest describes (its digest differs)")
    arrays = _unfolded(folder, raw, manifest)
    models, references = {}, {}
    for entity, part in manifest.parts.items():
        own = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{entity}.")}
        try:
            models[entity] = _model(entity, manifest.version, part, own)
            references[entity] = Reference(own["drift.edges"], own["drift.shares"])
            said = models[entity].surprises(own["probe.values"])
            away = float(np.abs(said - own["probe.surprises"]).max(initial=0.0))
        except (KeyError, IndexError, ValueError) as error:
            raise ModelError(f"{folder}: the arrays of {entity} do not fit together ({error})") from None
        if not away <= EXACT:
            raise ModelError(
                f"{folder}: {entity} scores its own probes otherwise than when it was made (by {away:.2g})"
            )
    return Loaded(manifest, models, references)


def read_manifest(folder: Path) -> Manifest:
    """Raises ModelError for one that is damaged, altered, or was made for other features than are measured now."""
    raw = _bytes(folder / MANIFEST, 1 << 20)
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}: {MANIFEST} is not the manifest of a model ({error})") from None
    if (manifest.kind, manifest.schema) != (KIND, SCHEMA):
        found = f"{manifest.kind} {manifest.schema}"
        raise ModelError(f"{folder}: this is {found}, and {KIND} {SCHEMA} is expected")
    if named(manifest).version != manifest.version:
        raise ModelError(f"{folder}: the manifest was altered: it is not the one named {manifest.version}")
    for entity, part in manifest.parts.items():
        if entity not in FEATURES:
            raise ModelError(f"{folder}: it judges {entity}, of which nothing is known here")
        if part.features != digest(FEATURES[entity]):
            raise ModelError(
                f"{folder}: it was trained on other features of {entity} than are measured now: train a new one"
            )
    return manifest


def _bytes(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(most + 1)
    except OSError as error:
        raise ModelError(f"{file}: it cannot be read ({error.strerror})") from None
    if len(raw) > most:
        raise ModelError(f"{file}: it is larger than {most} bytes, as no model is")
    return raw


def _unfolded(folder: Path, raw: bytes, manifest: Manifest) -> dict[str, Any]:
    """Any: arrays of the types that the manifest names."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as packed_arrays:
            size = sum(member.file_size for member in packed_arrays.infolist())
        if size > MOST_UNFOLDED:
            raise ModelError(f"{folder}: {ARRAYS} unfolds to {size} bytes, as no model does")
        with np.load(BytesIO(raw), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise ModelError(f"{folder}: {ARRAYS} holds something else than arrays ({error})") from None
    found = {name: (str(array.dtype), array.shape) for name, array in arrays.items()}
    if found != manifest.arrays:
        raise ModelError(f"{folder}: {ARRAYS} does not hold the arrays that the manifest names")
    for name, array in arrays.items():
        if not (array.dtype.kind in "if" and (name.endswith("threshold") or np.isfinite(array).all())):
            raise ModelError(f"{folder}: {name} holds what is no number")
    return arrays


def _model(entity: str, version: str, part: Part, arrays: Mapping[str, Any]) -> Model:
    """Any: see above. Raises KeyError, IndexError, ValueError where they do not fit together."""
    features = FEATURES[entity]
    forest = Forest(arrays["forest.feature"], arrays["forest.threshold"], arrays["forest.path"], part.scale)
    if forest.depth > DEEPEST or forest.path.shape != (len(forest.feature), 1 << forest.depth):
        raise ValueError("the trees are not whole")
    if forest.feature.shape != forest.threshold.shape or forest.feature.shape[1] != (1 << forest.depth) - 1:
        raise ValueError("the trees are not whole")
    if forest.feature.min(initial=0) < 0 or forest.feature.max(initial=0) >= len(features):
        raise ValueError("a tree splits by a column that there is not")
    if "" not in part.groups or Level.BLUE not in part.thresholds:
        raise ValueError("the group of all, or the threshold of a lead, is missing")
    peers = zip(arrays["peers.center"], arrays["peers.spread"], arrays["peers.told"], strict=True)
    return Model(
        entity=entity,
        version=version,
        features=features,
        peers={group: Peers(*usual) for group, usual in zip(part.groups, peers, strict=True)},
        forest=forest,
        tails=Surprise(arrays["tails.at"], arrays["tails.worth"], arrays["tails.slope"]),
        distance=Distance(arrays["distance.mean"], arrays["distance.precision"]),
        channels=Surprise(arrays["channels.at"], arrays["channels.worth"], arrays["channels.slope"]),
        thresholds=part.thresholds,
    )


# all versions, and which of them holds


class Registry:
    """A directory of versions. Readers never see half of anything."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self) -> list[str]:
        """Oldest training first."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if NAME.fullmatch(path.name))

    def folder(self, version: str) -> Path:
        """Raises ModelError."""
        if version not in self.versions():
            raise ModelError(
                f"{self.root}: there is no version {version}; there are: {', '.join(self.versions()) or 'none'}"
            )
        return self.root / version

    def add(self, manifest: Manifest, arrays: bytes, card: str) -> Path:
        """A new version, whole or not at all; one that is there already stays as it is. Raises OSError."""
        final = self.root / manifest.version
        self.root.mkdir(parents=True, exist_ok=True)
        if final.is_dir():
            return final
        draft = Path(mkdtemp(prefix=".new-", dir=self.root))
        for name, content in ((ARRAYS, arrays), (CARD, card.encode()), (MANIFEST, _json(manifest))):
            _write(draft / name, content)
        draft.chmod(0o755)
        draft.rename(final)
        _sync(self.root)
        return final

    def promotions(self) -> list[Promotion]:
        """By the business time from which they hold. Raises ModelError."""
        file = self.root / PROMOTED
        if not file.exists():
            return []
        try:
            return msgspec.json.decode(_bytes(file, 1 << 20), type=list[Promotion])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"{file}: not a list of promotions ({error})") from None

    def promote(self, version: str, since: datetime, at: datetime) -> None:
        """From ``since`` on this version judges; later promotions are dropped, earlier days stay as they were judged.

        Raises ModelError for a version that is damaged, or is promoted already; OSError.
        """
        load(self.folder(version))
        kept = [known for known in self.promotions() if known.since < since]
        if kept and kept[-1].version == version:
            raise ModelError(f"{version} judges from {kept[-1].since} on already")
        self._promoted([*kept, Promotion(version, since, at)])

    def rollback(self, since: datetime, at: datetime) -> Promotion:
        """From ``since`` on the version before the last judges again. Raises ModelError if there is none; OSError."""
        known = self.promotions()
        if not known:
            raise ModelError("there is no version to go back from: none was promoted yet")
        before = next((p.version for p in reversed(known[:-1]) if p.version != known[-1].version), None)
        if before is None:
            raise ModelError("there is no version to go back to: only one was ever promoted")
        self.promote(before, since, at)
        return Promotion(before, since, at)

    def watched(self) -> str | None:
        """The candidate that is scored beside the model in force. Raises ModelError."""
        file = self.root / WATCHED
        if not file.exists():
            return None
        try:
            return msgspec.json.decode(_bytes(file, 1 << 10), type=str | None)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"{file}: not the name of a version ({error})") from None

    def watch(self, version: str | None) -> None:
        """Score this candidate beside the model in force; None: none. Raises ModelError for a damaged one; OSError."""
        if version is not None:
            load(self.folder(version))
        self._replaced(WATCHED, version)

    def _promoted(self, promotions: Sequence[Promotion]) -> None:
        self._replaced(PROMOTED, list(promotions))

    def _replaced(self, name: str, content: Any) -> None:
        """Any: see ``_json``."""
        draft = self.root / f".{name}.{os.getpid()}"
        _write(draft, _json(content))
        draft.replace(self.root / name)
        _sync(self.root)


def in_force(where: Path) -> list[InForce]:
    """The models that judge, by date: of a registry those promoted; of one version's directory that version, always.

    Raises ModelError.
    """
    if (where / MANIFEST).exists():
        return [InForce(ALWAYS, load(where).models)]
    if not where.is_dir():
        raise ModelError(f"{where}: there is no such directory of models")
    shelf = Registry(where)
    loaded: dict[str, dict[str, Model]] = {}
    found = []
    for promotion in shelf.promotions():
        if promotion.version not in loaded:
            loaded[promotion.version] = load(shelf.folder(promotion.version)).models
        found.append(InForce(promotion.since, loaded[promotion.version]))
    return found


def watched(where: Path) -> dict[str, Model]:
    """The candidate of a registry, by entity; none of one version's directory. Raises ModelError."""
    shelf = Registry(where)
    version = shelf.watched()
    return load(shelf.folder(version)).models if version else {}


def _json(content: Any) -> bytes:
    """Any: what msgspec encodes."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
