"""The builds of a process: what each of its workflows decides with, looked at once when it starts, and kept.

A decision names the digest of its build (``interlock.archive``); with it the same decision can be made again from the
same files, whatever has become of them since.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from interlock.archive.build import FORMAT, LARGEST_BUILD, MOST_FILES, Build, Code, Kept, is_inside
from interlock.archive.pieces import Source, look_at
from interlock.archive.store import keep_build, keep_published
from interlock.cases.declaration import Declaration
from interlock.cases.registry import Registered, Registry
from interlock.components.component import ComponentRef, Kind
from interlock.components.onnx import Onnx
from interlock.components.registry import load_component
from interlock.components.source import sources
from interlock.db.database import Database
from interlock.db.text import storable
from interlock.decisions.library import Library, published_build
from interlock.errors import ArchiveRefused, InterlockError, NotFound
from interlock.publications.watch import Snapshot

_ENGINE = ("components", "contracts", "decisions", "publications", "money.py", "plain_yaml.py")
"""The parts of this package that make a decision what it is."""
_NO_SOURCE = ("__pycache__",)


@dataclass
class Collected:
    """The files of one build, and where their bytes are.

    Attributes:
        files: By their paths in the build.
        sources: Where the bytes are, by the SHA-256 of the whole.
    """

    files: dict[str, Kept] = field(default_factory=dict[str, Kept])
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    _left: int = LARGEST_BUILD

    def add(self, path: str, source: Source) -> Kept:
        """Look at one more file.

        Raises:
            ArchiveRefused: there are too many, or they are too large together.
        """
        if not is_inside(path) or storable(path) != path:
            raise ArchiveRefused(f"{path!r} is no name under which a file can be kept", todo="name it in UTF-8")
        if len(self.files) >= MOST_FILES:
            raise ArchiveRefused(
                f"more than {MOST_FILES:,} files would have to be kept", where=path, todo="keep other files elsewhere"
            )
        kept = look_at(source, path, largest=self._left)
        self._left -= kept.size
        self.files[path] = kept
        self.sources.setdefault(kept.sha256, source)
        return kept


async def keep_builds(database: Database, registry: Registry) -> None:
    """Keep what the workflows of a process decide with; from then on their decisions name it.

    INVARIANT: what decides is what is kept, though files may change between two readings: contracts are compared by
    their digests, components loaded before the files are looked at and held against their folders after it.

    Raises:
        ArchiveRefused: something cannot be kept, or changed meanwhile. Nothing should be decided then.
    """
    for entry in registry.all:
        library = entry.library
        library.references = frozenset(entry.references)
        loaded = _loaded(entry)
        build, found = build_of(entry)
        _see_unchanged(loaded, library)
        library.keep(await keep_build(database, build, found.sources))


def _loaded(entry: Registered) -> dict[ComponentRef, bytes]:
    """The digests of the components that stand in files; of what cannot be loaded none, as its user will say."""
    found: dict[ComponentRef, bytes] = {}
    for reference in _components(entry.declaration):
        if _in_files(reference, entry.library):
            with suppress(InterlockError):
                found[reference] = entry.library.component(reference).digest
    return found


def _see_unchanged(loaded: Mapping[ComponentRef, bytes], library: Library) -> None:
    for reference, digest in loaded.items():
        try:
            same = load_component(reference, library.roots).digest == digest
        except NotFound:  # nothing of it was kept, so nothing is kept that did not decide
            same = True
        except InterlockError:
            same = False
        if not same:
            raise ArchiveRefused(
                f"{reference} changed while it was being kept", todo="start again once its files are whole"
            )


def keeping_published(database: Database, registry: Registry) -> Callable[[Mapping[UUID, Snapshot]], Awaitable[None]]:
    """What keeps the builds of tenants that publish, before what they have published takes effect."""

    async def keep(changed: Mapping[UUID, Snapshot]) -> None:
        for tenant, snapshot in changed.items():
            libraries = [entry.library for entry in registry.all]
            files = [(one, one.kept) for one in libraries if one.kept is not None]
            manifests = [published_build(kept, tenant, snapshot, one.references) for one, kept in files]
            own = [one for one in manifests if one.build.tenant is not None]
            if own:
                await keep_published(database, tenant, own)

    return keep


def build_of(entry: Registered) -> tuple[Build, Collected]:
    """What a workflow decides with, as it stands in its files now. Of a model's folder everything counts.

    Raises:
        ArchiveRefused: a file cannot be read, or there is too much.
    """
    found, declaration, library = Collected(), entry.declaration, entry.library
    name = entry.workflow.file.name
    found.add(name, declaration.content)
    references = list(_components(declaration))
    for place, root in enumerate(library.roots):
        if not library.only_published:
            for path in sorted((root / "contracts").glob("*.odcs.yaml")):
                found.add(f"{place}/contracts/{path.name}", path)
    for reference in references:
        for path, source in _files_of(reference, library):
            if path not in found.files:
                found.add(path, source)
    code = Collected()
    modules = {one: code.add(one, source) for one, source in _modules(declaration, library, references)}
    installed = code.add("distributions", distributions())
    found.sources |= code.sources
    build = Build(
        format=FORMAT,
        workflow=entry.workflow.name,
        version=entry.workflow.version,
        declaration=name,
        roots=len(library.roots),
        files=found.files,
        code=Code(
            workflow=str(entry.workflow.code),
            modules=modules,
            interlock=importlib.metadata.version("interlock"),
            engine=engine(),
            python=f"{platform.python_version()} {platform.machine()}",
            distributions=installed,
        ),
        only_published=library.only_published,
    )
    return build, found


def _components(declaration: Declaration) -> Iterator[ComponentRef]:
    for point in declaration.decisions.values():
        for choice in point.steps:
            yield from (share.component for share in choice.shares)
        yield from (one for one in (point.policy, point.data.component) if one is not None)


def _in_files(reference: ComponentRef, library: Library) -> bool:
    """Whether it is made of files that count here."""
    return reference.kind is not Kind.PERSON and not (reference.kind is Kind.RULES and library.only_published)


def _files_of(reference: ComponentRef, library: Library) -> Iterator[tuple[str, Path]]:
    """The files of a component in the first folder that has it; of one that is nowhere none, as its user will say."""
    if not _in_files(reference, library):
        return
    name = f"{reference.name}@{reference.version}{'.rules.json' if reference.kind is Kind.RULES else ''}"
    for place, root in enumerate(library.roots):
        path = root / "components" / name
        if path.is_file():
            yield f"{place}/components/{name}", path
            return
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and not set(_NO_SOURCE) & set(file.parts):
                    yield f"{place}/components/{name}/{file.relative_to(path).as_posix()}", file
            return


def _modules(
    declaration: Declaration, library: Library, references: Sequence[ComponentRef]
) -> Iterator[tuple[str, bytes]]:
    wanted: set[str] = set()
    for point in declaration.decisions.values():
        wanted |= {check.partition(":")[0] for check in point.checks}
        wanted |= {feature.function.partition(":")[0] for feature in point.features if feature.function}
    for reference in references:
        if reference.kind is Kind.ONNX:
            try:
                component = library.component(reference)
            except InterlockError:
                continue  # whoever needs it says so
            if isinstance(component, Onnx):
                wanted.add(component.manifest.module)
    found: dict[str, bytes] = {}
    for module in sorted(wanted):
        found |= source_of(module)
    yield from sorted(found.items())


@functools.cache
def source_of(module: str) -> Mapping[str, bytes]:
    """The source of a module and of what it imports of its own package; none of one that has none.

    Code does not change while a process runs, so each is read once.
    """
    try:
        return sources(module)
    except (ImportError, SyntaxError, OSError, ValueError):
        return {}


@functools.cache
def engine() -> str:
    """SHA-256, in hex, over the source of the part of this package that decides."""
    folder, told = Path(__file__).parents[1], hashlib.sha256()
    for part in _ENGINE:
        path = folder / part
        for file in [path] if path.is_file() else sorted((*path.rglob("*.py"), *path.rglob("*.sql"))):
            data = file.read_bytes()
            told.update(f"{file.relative_to(folder).as_posix()} {len(data)} ".encode())
            told.update(data)
    return told.hexdigest()


@functools.cache
def distributions() -> bytes:
    """What is installed, a line ``name==version`` each, sorted; by the names of its folders, which is quick."""
    found: set[str] = set()
    for place in sys.path:
        folder = Path(place or ".")
        if folder.is_dir():
            for path in folder.glob("*.dist-info"):
                name, _, version = path.name.removesuffix(".dist-info").partition("-")
                found.add(f"{name.lower().replace('_', '-')}=={version}")
    return "".join(f"{one}\n" for one in sorted(found)).encode()
