"""What a decision was made with, brought back: from the archive, or as it is installed where it names no build."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import UUID

from interlock.archive.build import Build, Code
from interlock.archive.store import read_build, read_file, unpack
from interlock.autonomy.standing import Certifying, Standing
from interlock.cases.build import distributions, engine
from interlock.cases.declaration import Declaration, load_declaration
from interlock.cases.registry import Registered, Registry
from interlock.db.database import Database
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision
from interlock.decisions.library import Library, PublishedLibrary
from interlock.errors import ArchiveMissing, InterlockError, PublicationUnusable
from interlock.publications.publication import Kind, Reference
from interlock.publications.reading import load_published
from interlock.publications.watch import InForce
from interlock.replay.certified import certified_then
from interlock.replay.result import in_short
from interlock.replay.store import IN_FORCE_AT, PUBLISHED_CONTENT, TAKEN_ENTRIES

if TYPE_CHECKING:  # who asks no language model does not pay for an HTTP client
    from interlock.components.llm.provider import Providers

ARCHIVE, INSTALLED = "archive", "installed"
_MOST_UNPACKED = 8
"""Builds that stay unpacked at once."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a decision is made with again.

    Attributes:
        declaration: The workflow's file.
        library: What it refers to.
        ran: ``archive`` or ``installed``.
        exact: Whether another version than the recorded one is not run.
        lacking: Files of the build that could not be brought back, and why.
        other_code: Modules whose source is not what it was.
        notes: What is not as it was.
    """

    declaration: Declaration
    library: Library
    ran: str
    exact: bool = True
    lacking: Mapping[str, str] = field(default_factory=dict[str, str])
    other_code: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unpacked:
    restored: Restored
    folder: Path


class Restoring:
    """Brings builds back, each once; to be entered, since it unpacks them into folders that are removed again.

    Args:
        database: Where archive and publications are.
        installed: Loads the workflows that are installed; asked only where they are needed.
        only_installed: Whether to run with what is installed whatever a decision names: what would be decided today.
        now: Tells the time, for what is published today.
        providers: Whom language models ask, if they are to be asked.
    """

    def __init__(
        self,
        database: Database,
        installed: Callable[[], Registry],
        *,
        now: Callable[[], datetime],
        only_installed: bool = False,
        providers: Providers | None = None,
    ) -> None:
        self._database = database
        self._installed = installed
        self._only_installed = only_installed
        self._now = now
        self._providers = providers
        self._registry: Registry | None = None
        self._unpacked: OrderedDict[tuple[UUID, bytes], _Unpacked] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._unpacked:
            self._forget()

    async def of(self, tenant: UUID, decision: Decision) -> Restored:
        """What a decision was made with.

        Raises:
            ArchiveMissing: what it needs is not here; says what.
            ArchiveDamaged: it is not what was kept.
            DeclarationInvalid: the workflow's file of then cannot be read by this program.
        """
        if self._only_installed:
            return await self._of_installed(tenant, decision, self._now())
        if decision.build is None:
            return await self._as_installed_then(tenant, decision)
        known = self._unpacked.get((tenant, decision.build))
        if known is None:
            known = await self._unpack(tenant, decision.build)
            while len(self._unpacked) >= _MOST_UNPACKED:
                self._forget()
            self._unpacked[tenant, decision.build] = known
        self._unpacked.move_to_end((tenant, decision.build))
        return known.restored

    async def certified(self, asked: Asked, recorded: Certifying | None) -> Standing | str:
        """What was certified then: see ``certified_then``.

        Raises:
            ArchiveMissing: the certificate that the record names is not here, or is not what it was.
        """
        return await certified_then(self._database, asked, recorded)

    async def entries(self, tenant: UUID, decision: UUID) -> list[bytes]:
        """The bodies of the ledger's entries that a decision was taken: one, if nobody took it away."""
        async with self._database.tenant(tenant) as connection:
            return await TAKEN_ENTRIES.all(connection, {"id": decision})

    def _forget(self) -> None:
        _, oldest = self._unpacked.popitem(last=False)
        shutil.rmtree(oldest.folder, ignore_errors=True)

    async def _unpack(self, tenant: UUID, digest: bytes) -> _Unpacked:
        build = await read_build(self._database, tenant, digest)
        folder = Path(tempfile.mkdtemp(prefix="interlock-replay-"))
        try:
            lacking = {
                name: cause.what for name, cause in (await unpack(self._database, tenant, build, folder)).items()
            }
            declaration = _declaration(build, folder, lacking)
            files = Library([folder / str(place) for place in range(build.roots)], only_published=build.only_published)
            files.providers = self._providers
            library = files
            if build.published:
                snapshot = await self._published(tenant, build)
                library = PublishedLibrary(files, snapshot, only_published=build.only_published)
            other = _other_code(build.code)
            notes = await self._notes(tenant, build, other)
            restored = Restored(declaration, library, ARCHIVE, lacking=lacking, other_code=other, notes=notes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _Unpacked(restored, folder)

    async def _published(self, tenant: UUID, build: Build) -> Mapping[Reference, InForce]:
        found: dict[Reference, InForce] = {}
        for one in build.published:
            digest = bytes.fromhex(one.sha256)
            wanted = {"kind": one.kind, "name": one.name, "version": one.version, "digest": digest}
            async with self._database.tenant(tenant) as connection:
                content = await PUBLISHED_CONTENT.one(connection, wanted)
            found[Reference(Kind(one.kind), one.name, one.wanted)] = _in_force(
                Kind(one.kind), one.name, one.version, digest, content
            )
        return found

    async def _notes(self, tenant: UUID, build: Build, other: frozenset[str]) -> tuple[str, ...]:
        code, notes = build.code, list[str]()
        if other:
            notes.append(f"code is not what it was, and ran as it is installed: {in_short(sorted(other))}")
        if code.engine != engine():
            notes.append(f"the deciding part of Interlock is not that of then ({code.interlock})")
        here = f"{platform.python_version()} {platform.machine()}"
        if code.python != here:
            notes.append(f"Python and machine were {code.python}, and are {here}")
        if code.distributions.sha256 != hashlib.sha256(distributions()).hexdigest():
            try:
                pieces = [one async for one in read_file(self._database, tenant, "distributions", code.distributions)]
                changed = sorted(set(b"".join(pieces).decode().split()) ^ set(distributions().decode().split()))
                notes.append(f"other distributions are installed: {in_short(changed)}")
            except InterlockError as cause:
                notes.append(f"other distributions are installed: {cause.what}")
        return tuple(notes)

    async def _as_installed_then(self, tenant: UUID, decision: Decision) -> Restored:
        """For a decision of before there was an archive: what is installed, if it is the same."""
        restored = await self._of_installed(tenant, decision, decision.decided_at)
        if restored.declaration.digest != decision.declaration:
            raise ArchiveMissing(
                f"the decision names no build, and the file of {decision.workflow} is not the one of then "
                f"(SHA-256 {decision.declaration.hex()[:12]}, installed {restored.declaration.digest.hex()[:12]})",
                todo="replay it where that version is installed, or see with --installed what today's would do",
            )
        return Restored(
            restored.declaration,
            restored.library,
            INSTALLED,
            notes=("it was taken before builds were kept: it ran with what is installed, by the same digests",),
        )

    async def today(self, tenant: UUID, workflow: str) -> tuple[Declaration, Library]:
        """A workflow as it is installed, with what counts in a tenant now.

        Raises:
            ArchiveMissing: it is not installed.
        """
        entry = self._entry(workflow)
        return entry.declaration, await self._library(tenant, entry, self._now())

    async def _library(self, tenant: UUID, entry: Registered, moment: datetime) -> Library:
        files, snapshot = entry.library, await self._in_force(tenant, entry, moment)
        files.providers = self._providers
        return PublishedLibrary(files, snapshot, only_published=files.only_published) if snapshot else files

    async def _of_installed(self, tenant: UUID, decision: Decision, moment: datetime) -> Restored:
        entry = self._entry(decision.workflow)
        library = await self._library(tenant, entry, moment)
        same = entry.declaration.digest == decision.declaration
        notes = () if same else ("the workflow's file is not the one of then",)
        return Restored(
            entry.declaration,
            library,
            INSTALLED,
            exact=False,
            notes=("it ran with what is installed and in force now", *notes),
        )

    def _entry(self, workflow: str) -> Registered:
        if self._registry is None:
            self._registry = self._installed()
        found = self._registry.find(workflow)
        if found is None:
            raise ArchiveMissing(
                f"no workflow {workflow!r} is installed", todo="list it under workflows in the settings"
            )
        return found

    async def _in_force(self, tenant: UUID, entry: Registered, moment: datetime) -> Mapping[Reference, InForce]:
        wanted = tuple(dict.fromkeys(entry.references))
        named = {
            "kinds": [str(one.kind) for one in wanted],
            "names": [one.name for one in wanted],
            "versions": [one.version for one in wanted],
            "moment": moment,
        }
        async with self._database.tenant(tenant) as connection:
            rows = await IN_FORCE_AT.all(connection, named)
        return {
            Reference(row.kind, row.name, row.wanted): _in_force(
                row.kind, row.name, row.version, row.digest, row.content
            )
            for row in rows
        }


def _declaration(build: Build, folder: Path, lacking: Mapping[str, str]) -> Declaration:
    if build.declaration in lacking:
        raise ArchiveMissing(lacking[build.declaration], where=build.declaration)
    return load_declaration(folder / build.declaration)


def _in_force(kind: Kind, name: str, version: str, digest: bytes, content: bytes | None) -> InForce:
    if content is None:
        gone = PublicationUnusable(f"{kind} {name}@{version} is not published here with the content of then")
        return InForce(version=version, digest=digest, loaded=None, why_not=gone)
    try:
        loaded = load_published(kind, name, version, digest, content)
    except PublicationUnusable as cause:
        return InForce(version=version, digest=digest, loaded=None, why_not=cause)
    return InForce(version=version, digest=digest, loaded=loaded)


def _other_code(code: Code) -> frozenset[str]:
    """The modules whose source here is not what it was."""
    return frozenset(name for name, kept in code.modules.items() if _source_hash(name) != kept.sha256)


def _source_hash(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest() if spec and spec.origin else ""
    except Exception:  # noqa: BLE001 - finding it imports the packages that it lies in, which may raise anything
        return ""
