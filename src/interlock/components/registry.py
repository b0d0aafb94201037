"""Where components are found: the folders of packs, by the name that a workflow's file gives."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.components.component import Component, ComponentRef, Kind
from interlock.components.onnx import MANIFEST, load_onnx, read_manifest
from interlock.components.person import Person
from interlock.components.rules import load_rules, rules_digest
from interlock.errors import ComponentInvalid, NotFound, Refused, RulesInvalid, Violation
from interlock.plain_yaml import Scalar, parse_yaml
from interlock.spelling import meant

if TYPE_CHECKING:  # who asks no language model pays neither for price tables nor for an HTTP client: 0.2 s
    from interlock.components.llm.model import ProvidersInForce

PACKS = "interlock.packs"
"""The group of entry points under which packs, ours too, name their package."""
_RULES = ".rules.json"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")

_loaded: dict[tuple[ComponentRef, bytes], Component] = {}
"""Components are immutable, so one process holds each content once."""


def load_component(ref: ComponentRef, roots: Sequence[Path], providers: ProvidersInForce = lambda: None) -> Component:
    """Find a component and load it; the same content is loaded once in a process.

    Args:
        ref: Its reference.
        roots: Folders that hold ``components/NAME@VERSION/component.yaml`` (onnx, llm) or
            ``components/NAME@VERSION.rules.json`` (rules); the first that has it counts.
        providers: Tells who can be asked outside; language models ask it when they are asked themselves.

    Raises:
        NotFound: no folder has it; says what there is.
        RulesInvalid: its rules would fail or never fire.
        ComponentInvalid: its folder cannot be loaded.
        Refused: the reference is no file name.
    """
    if ref.kind is Kind.PERSON:
        return Person()
    if not _PLAIN.match(ref.name) or not _PLAIN.match(ref.version):
        raise Refused(f"{str(ref)!r} names no file", todo="use letters, digits, and . _ - after the first")
    for root in roots:
        path = root / "components" / f"{ref.name}@{ref.version}{_RULES if ref.kind is Kind.RULES else ''}"
        if (path if ref.kind is Kind.RULES else path / MANIFEST).is_file():
            if ref.kind is Kind.LLM:
                return _load_llm(ref, path, providers)
            return _load_rules(ref, path) if ref.kind is Kind.RULES else _load_onnx(ref, path)
    looked = ", ".join(str(root / "components") for root in roots) or "no folder"
    raise NotFound(f"there is no component {ref}", where=looked, todo=meant(str(ref), components_in(roots)))


def components_in(roots: Sequence[Path]) -> tuple[str, ...]:
    """The references of everything that stands in some folders, sorted; nothing is loaded."""
    rules = {
        f"rules:{path.name.removesuffix(_RULES)}" for root in roots for path in root.glob(f"components/*@*{_RULES}")
    }
    models = {f"{_kind(path)}:{path.parent.name}" for root in roots for path in root.glob(f"components/*@*/{MANIFEST}")}
    return tuple(sorted(rules | models))


def pack_roots() -> tuple[Path, ...]:
    """The folders of all installed packs, by their entry points in the group ``interlock.packs``, sorted by name.

    Raises:
        Refused: an entry point names a package that is not there.
    """
    roots: list[Path] = []
    for entry in sorted(entry_points(group=PACKS), key=lambda entry: entry.name):
        spec = importlib.util.find_spec(entry.module)
        if spec is None or not spec.submodule_search_locations:
            raise Refused(
                f"the pack {entry.name!r} names {entry.module!r}, which is no package", todo="install it again"
            )
        roots += [Path(place) for place in spec.submodule_search_locations]
    return tuple(roots)


def _load_rules(ref: ComponentRef, path: Path) -> Component:
    data = path.read_bytes()
    known = _loaded.get((ref, rules_digest(data)))
    if known is not None:
        return known
    rules = load_rules(data, path.name)
    # a file that is named for its line, approve@1.rules.json, may hold any version of the line, such as 1.1
    if rules.ref.name != ref.name or not f"{rules.ref.version}.".startswith(f"{ref.version}."):
        raise RulesInvalid(f"{path.name} holds {rules.ref}", (_misnamed(path.name, rules.ref),), where=str(path))
    return _loaded.setdefault((ref, rules.digest), rules)


def _load_onnx(ref: ComponentRef, folder: Path) -> Component:
    manifest = read_manifest(folder)
    if manifest.ref != ref:
        wrong = _misnamed(f"{folder.name}/{MANIFEST}", manifest.ref)
        raise ComponentInvalid(f"{folder.name} holds {manifest.ref}", (wrong,), where=str(folder))
    known = _loaded.get((ref, manifest.digest))
    return known if known is not None else _loaded.setdefault((ref, manifest.digest), load_onnx(folder, manifest))


def _load_llm(ref: ComponentRef, folder: Path, providers: ProvidersInForce) -> Component:
    from interlock.components.llm.manifest_file import read_llm_manifest  # noqa: PLC0415 - see above
    from interlock.components.llm.model import load_llm  # noqa: PLC0415 - the same

    manifest = read_llm_manifest(folder)
    if manifest.ref != ref:
        wrong = _misnamed(f"{folder.name}/{MANIFEST}", manifest.ref)
        raise ComponentInvalid(f"{folder.name} holds {manifest.ref}", (wrong,), where=str(folder))
    # Not kept for others: it asks by the settings of whoever loaded it.
    return load_llm(folder, providers, manifest)


def _kind(manifest: Path) -> str:
    node = parse_yaml(manifest.read_bytes(), str(manifest))[0].get("kind")
    return node.text if isinstance(node, Scalar) else str(Kind.ONNX)


def _misnamed(where: str, found: ComponentRef) -> Violation:
    return Violation(where=where, what=f"it says that it is {found}", rule="name", todo="name both alike")
