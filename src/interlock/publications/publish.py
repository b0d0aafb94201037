"""Publishing a version, and reverting a line to an earlier one. Both need a reason; both are in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.contracts import Break, Contract, compatible, parse_contract, publishable
from interlock.contracts.evolve import replaceable
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.publications.publication import (
    Draft,
    Kind,
    Standing,
    check_name,
    check_reason,
    check_version,
    line_of,
    order_of,
)
from interlock.publications.store import (
    ADD_IN_FORCE,
    ADD_PUBLICATIONS,
    FIND_CONTENT,
    LAST_CHANGE,
    LIST_COUNTED,
    LIST_PUBLISHED,
    LastChange,
    NewInForce,
    NewPublication,
)
from interlock.spelling import meant

Build = Callable[[Stamp], Sequence[Write]]
CHANNEL = "publications"
_LOOK = {Kind.RULES: "`interlock rules list`", Kind.CONTRACT: "`interlock contracts list`"}


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a publication or a revert.

    Attributes:
        standing: The version, and whether it counts now.
        new: Whether this call changed what counts; False: it was so already.
        breaks: What a contract of a new line breaks against the newest line before it.
    """

    standing: Standing
    new: bool
    breaks: tuple[Break, ...] = ()


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """A contract in force that a version would take the place of, or that it follows as a new line.

    Attributes:
        contract: The contract in force.
        published: Whether it counts since it is published; else it counts from a file.
        breaks: What the version breaks of it.
    """

    contract: Contract
    published: bool
    breaks: tuple[Break, ...]


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of one name, and the last change of one line."""

    versions: tuple[Standing, ...]
    last: LastChange | None

    def find(self, version: str) -> Standing | None:
        """A published version, however it is written: ``1.0`` is ``1``."""
        return next((one for one in self.versions if order_of(one.version) == order_of(version)), None)

    def of(self, line: str) -> list[Standing]:
        """The versions of a line, in their order."""
        return sorted((one for one in self.versions if one.line == line), key=lambda one: order_of(one.version))


async def publish(
    database: Database,
    writer: Writer,
    tenant: UUID,
    draft: Draft,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
    parsed: Contract | None = None,
    files: Sequence[Contract] = (),
) -> Published:
    """Publish a version; it counts for its line from the commit on, and in every process within a second.

    The same version with the same content again changes nothing, also where the line was reverted since. Of two
    publishers at once one wins, and the other is told.

    Args:
        database: To see what is published.
        writer: For the commit.
        tenant: Whose.
        draft: The version, checked by itself (``draft_rules``, ``draft_contract``).
        who: Who publishes it: the key's name, or the person's.
        why: The reason.
        verdict: What the policies said.
        parsed: The contract, where it is one: it is held against the one in force.
        files: The contracts of its name that count from files until one of their line is published.

    Raises:
        Refused: no reason, or a version that does not come after every published one of its line.
        ContractInvalid: it breaks what the contract in force promised, within its line; every break is named.
        StateConflict: the version is published with other content, or somebody else was faster.
    """
    why = check_reason(why)
    known = await _line(database, tenant, draft.kind, draft.name, draft.line)
    same = _same(known, draft)
    if same:
        return Published(standing=same, new=False)
    _check_order(known, draft)
    breaks = await _breaks(database, tenant, known, parsed, files) if parsed is not None else ()
    kind = "rules.published" if draft.kind is Kind.RULES else "contract.published"
    before = next((one.version for one in known.of(draft.line) if one.in_force), None)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewPublication(
            id=stamp.entry, tenant=tenant, kind=draft.kind, name=draft.name, version=draft.version, line=draft.line,
            digest=draft.digest, content=draft.content, author=who, why=why, at=stamp.now,
        )  # fmt: skip
        entry = first_entry(
            stamp, tenant, kind, subject=row.id, name=row.name, version=row.version, line=row.line,
            digest=row.digest.hex(), follows=before, who=who, why=why, **verdict_facts(verdict),
        )  # fmt: skip
        return [Write(ADD_PUBLICATIONS, row), _next_change(stamp, tenant, known, draft, row.id, who, why), entry]

    refusal = await _write(writer, tenant, known, draft, short_digest(draft.version.encode(), draft.digest), build)
    after = await _line(database, tenant, draft.kind, draft.name, draft.line)
    made = _same(after, draft)
    if made is None:
        raise _overtaken(draft, after, refusal)
    return Published(standing=made, new=refusal is None, breaks=breaks)


async def revert(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    name: str,
    line: str,
    version: str,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Published:
    """Let another published version of some rules count for its line, at once; what counts already changes nothing.

    Args:
        database: To see what is published.
        writer: For the commit.
        tenant: Whose.
        name: The rules.
        line: The line.
        version: The whole version that counts from now on.
        who: Who says so.
        why: The reason.
        verdict: What the policies said.

    Raises:
        Refused: no reason, or a version of another line.
        NotFound: that version is not published.
        StateConflict: somebody else was faster.
    """
    why = check_reason(why)
    name, version = check_name(name, "name"), check_version(version, "to")
    if line_of(version) != line:
        raise Refused(f"{version} is not of the line {line[:20]}", where="to", todo=f"name a version of {name}@{line}")
    known = await _line(database, tenant, Kind.RULES, name, line)
    target = known.find(version)
    if target is None:
        raise _not_published(known, Kind.RULES, name, version)
    version = target.version
    if target.in_force:
        return Published(standing=target, new=False)
    before = next((one.version for one in known.of(line) if one.in_force), None)

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "rules.reverted", subject=target.id, name=name, version=version, line=line,
            digest=target.digest.hex(), follows=before, who=who, why=why, **verdict_facts(verdict),
        )  # fmt: skip
        return [_next_change(stamp, tenant, known, target, target.id, who, why), entry]

    refusal = await _write(writer, tenant, known, target, short_digest(b"revert", target.id.bytes), build)
    after = await _line(database, tenant, Kind.RULES, name, line)
    now = after.find(version)
    if now is None or (refusal and not now.in_force):
        raise _overtaken(target, after, refusal)
    return Published(standing=now, new=refusal is None)


async def list_published(database: Database, tenant: UUID, kind: Kind, name: str | None = None) -> list[Standing]:
    """Every published version of a tenant, by name, in the order of publishing."""
    async with database.tenant(tenant) as connection:
        return await LIST_PUBLISHED.all(connection, {"kind": kind, "name": name})


async def list_counted(database: Database, tenant: UUID, kind: Kind, name: str, line: str) -> list[str]:
    """The versions that counted for a line, one after the other; one that came back is there again."""
    async with database.tenant(tenant) as connection:
        return await LIST_COUNTED.all(connection, {"kind": kind, "name": name, "line": line})


async def find_published(
    database: Database, tenant: UUID, kind: Kind, name: str, version: str, *, exactly: bool = False
) -> tuple[Standing, bytes]:
    """One published version with its file.

    Args:
        database: Where it is.
        tenant: Whose.
        kind: Of what kind.
        name: Of which name.
        version: The version; ``1.0`` is the version ``1``, and ``1`` the version in force of that line.
        exactly: Whether ``1``, too, is that version and no line.

    Raises:
        NotFound: it is not published.
    """
    name, version = check_name(name, "name"), check_version(version, "version")
    known = await _line(database, tenant, kind, name, line_of(version))
    in_force = next((one for one in known.of(version) if one.in_force), None)
    found = known.find(version) if exactly or "." in version else in_force
    if found is None:
        raise _not_published(known, kind, name, version)
    return found, await content_of(database, tenant, found.id)


async def content_of(database: Database, tenant: UUID, publication: UUID) -> bytes:
    """The file of a publication.

    Raises:
        NotFound: this tenant has none of that id.
    """
    async with database.tenant(tenant) as connection:
        content = await FIND_CONTENT.one(connection, {"id": publication})
    if content is None:
        raise NotFound(f"there is no publication {publication}")
    return content


async def _line(database: Database, tenant: UUID, kind: Kind, name: str, line: str) -> _Line:
    # The change is read first: whoever publishes between the two reads takes the number, and this one is told.
    async with database.tenant(tenant) as connection:
        last = await LAST_CHANGE.one(connection, {"kind": kind, "name": name, "line": line})
        versions = await LIST_PUBLISHED.all(connection, {"kind": kind, "name": name})
    return _Line(versions=tuple(versions), last=last)


def _same(known: _Line, draft: Draft) -> Standing | None:
    """The version, if it is published with this content.

    Raises:
        StateConflict: it is published with other content.
    """
    found = known.find(draft.version)
    if found is not None and found.digest != draft.digest:
        raise StateConflict(
            f"{draft.reference} was published by {found.author} with other content "
            f"(SHA-256 {found.digest.hex()[:12]}, this file {draft.digest.hex()[:12]})",
            where=draft.file,
            todo="a published version never changes: raise the version",
        )
    return found


def _check_order(known: _Line, draft: Draft) -> None:
    published = known.of(draft.line)
    if published and order_of(draft.version) <= order_of(published[-1].version):
        raise Refused(
            f"{draft.reference} does not come after {published[-1].version}, which is published",
            where=draft.file,
            todo="raise the version",
        )


async def contract_breaks(
    database: Database, tenant: UUID, new: Contract, files: Sequence[Contract] = ()
) -> tuple[Against, ...]:
    """What a contract breaks of what is in force: of its line, or else of the newest line before it.

    Args:
        database: To see what is published.
        tenant: Whose.
        new: The contract.
        files: The contracts of its name that count from files until one of their line is published.
    """
    known = await _line(database, tenant, Kind.CONTRACT, new.name, str(new.version.major))
    return tuple(
        Against(contract=old, published=published, breaks=compatible(old, new))
        for old, published in await _in_force(database, tenant, known, new, files)
    )


async def _breaks(
    database: Database, tenant: UUID, known: _Line, new: Contract, files: Sequence[Contract]
) -> tuple[Break, ...]:
    """What a contract breaks: within its line it is refused, against the newest line before it is told."""
    breaks: dict[Break, None] = {}
    for old, published in await _in_force(database, tenant, known, new, files):
        same_line = old.version.major == new.version.major
        breaks |= dict.fromkeys(publishable(old, new) if published and same_line else replaceable(old, new))
    return tuple(breaks)


async def _in_force(
    database: Database, tenant: UUID, known: _Line, new: Contract, files: Sequence[Contract]
) -> list[tuple[Contract, bool]]:
    """What counts for its line, or else for the newest line before it, and whether that is published.

    A version that itself stands in the files breaks nothing of theirs: it counts already, or a later one follows it.
    """
    published = {int(one.line): one for one in known.versions if one.in_force}
    by_line: dict[int, list[Contract]] = {}
    for one in files:
        by_line.setdefault(one.version.major, []).append(one)
    line = max((line for line in published.keys() | by_line.keys() if line <= new.version.major), default=None)
    if line is None:
        return []
    if line in published:
        standing = published[line]
        return [(_parse(standing, await content_of(database, tenant, standing.id)), True)]
    if new in by_line[line]:
        return []
    newest = max(one.version for one in by_line[line])
    return [(one, False) for one in by_line[line] if one.version == newest]


def _parse(standing: Standing, content: bytes) -> Contract:
    return parse_contract(content, f"{standing.reference}, as it is published")


def _next_change(
    stamp: Stamp, tenant: UUID, known: _Line, version: Draft | Standing, publication: UUID, who: str, why: str
) -> Write:
    row = NewInForce(
        tenant=tenant, kind=version.kind, name=version.name, line=version.line, change=_next(known),
        publication=publication, since=stamp.now, author=who, why=why,
    )  # fmt: skip
    return Write(ADD_IN_FORCE, row)


def _next(known: _Line) -> int:
    return known.last.change + 1 if known.last else 1


async def _write(
    writer: Writer, tenant: UUID, known: _Line, version: Draft | Standing, payload: UUID, build: Build
) -> Refusal | None:
    """One commit. INVARIANT: the n-th change of a line takes the n-th place; of two at once one is refused."""
    place = key_digest(tenant, f"publication:{version.kind}:{version.line}:{_next(known)}", version.name)
    unit = Unit(tenant, build, (TakesKey(place, payload),), wakes=(CHANNEL,))
    return await writer.write(unit)


def _overtaken(version: Draft | Standing, known: _Line, refusal: Refusal | None) -> StateConflict:
    now = next((one for one in known.of(version.line) if one.in_force), None)
    what = f"{now.by} put {now.reference} in force just now" if now else refusal.what if refusal else "it is not there"
    return StateConflict(
        f"{version.reference} was not put in force: {what}", todo=f"look at {_LOOK[version.kind]}, and say it again"
    )


def _not_published(known: _Line, kind: Kind, name: str, version: str) -> NotFound:
    versions = [one.version for one in known.versions]
    todo = meant(version, versions) if versions else f"{_LOOK[kind]} lists what is published"
    return NotFound(f"{name}@{version} is not published", todo=todo)
