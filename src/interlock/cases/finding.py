"""Finding decisions by what is written: by the fields that the contracts in force declare searchable, or those of then.

A search for a personal value is a reading of marked data: it is on record, with who searched and the keyed digest of
what for, before it is answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from interlock.actions.refused import refused
from interlock.cases.registry import Registry
from interlock.contracts.mark import Personal
from interlock.db.database import Database
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.decisions.findable import contracts_of
from interlock.errors import PurposeRefused
from interlock.ledger.ledger import first_entry
from interlock.privacy.purpose import refused_purpose
from interlock.privacy.vault import Vault
from interlock.search.entry import SearchField, fields_of
from interlock.search.find import LONGEST_S, Page, find_decisions, read_cursor
from interlock.search.indexed import with_indexed
from interlock.search.term import Kind
from interlock.search.wanted import Wanted, names_of, wanted_of
from interlock.search.where import Condition


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as it was written.

    Attributes:
        conditions: All must hold.
        place: A workflow, or a decision point as ``workflow.point``; None: everywhere.
        cursor: The ``next`` of the page before; None: the first page.
        limit: How many decisions at most.
        purpose: For what personal values are looked for; None: none is.
    """

    conditions: Sequence[Condition]
    place: str | None = None
    cursor: str | None = None
    limit: int = 50
    purpose: str | None = None


class Finder:
    """Finds decisions of one tenant.

    Args:
        database: Where they are.
        writer: Puts searches for personal values on record.
        registry: The workflows whose fields are known here.
        vault: Has the tenant's secret; None: nothing is found by personal values.
    """

    def __init__(self, database: Database, writer: Writer, registry: Registry, vault: Vault | None = None) -> None:
        self._database = database
        self._writer = writer
        self._registry = registry
        self._vault = vault

    async def find(self, tenant: UUID, search: Search, *, who: str, longest_s: float = LONGEST_S) -> Page:
        """The newest decisions for which every condition holds; see ``find_decisions``.

        Raises:
            Refused: a name or a value is not understood; what would be right is named.
            PurposeRefused: a personal value is looked for, and not for what its field may be read.
        """
        before = read_cursor(search.cursor)
        wanted = await self._wanted(tenant, search)
        if wanted.digests:
            self._needs_purpose(tenant, search)
            await self._record(tenant, wanted, who, search.purpose or "")
        return await find_decisions(
            self._database, tenant, wanted, limit=search.limit, before=before, longest_s=longest_s
        )

    async def _wanted(self, tenant: UUID, search: Search) -> Wanted:
        catalog = searchable_points(self._registry, tenant)
        names = names_of(search.conditions)
        if names or search.place not in (None, *catalog):
            async with self._database.tenant(tenant) as connection:
                catalog = await with_indexed(connection, catalog, search.place, names)
        keyed = None
        if self._vault is not None and any(f.kind is Kind.PERSONAL for fields in catalog.values() for f in fields):
            keyed = (await self._vault.secret(tenant)).value
        return wanted_of(search.conditions, search.place, catalog, now=self._database.clock.now(), keyed=keyed)

    def _needs_purpose(self, tenant: UUID, search: Search) -> None:
        """See that each personal field that is looked for allows the purpose, at every point that has it."""
        names, allowed = names_of(search.conditions), set[str]()
        for field, contract in _personal_fields(self._registry, tenant, search.place):
            if field.name not in names:
                continue
            mark = next(mark for path, mark in contract.fields if path == field.path[: len(path)])
            if search.purpose not in mark.purposes:
                raise refused_purpose(field.name, mark.purposes, search.purpose or "")
            allowed.add(field.name)
        if not allowed:
            raise PurposeRefused("nothing here says for what this field may be read", todo="install its workflow")

    async def _record(self, tenant: UUID, wanted: Wanted, who: str, purpose: str) -> None:
        """Put on record that somebody looks for a personal value: which one, only who has the tenant's key can say."""
        fields = sorted(field.name for field in wanted.fields)
        digests = [digest.hex() for digest in wanted.digests]

        def build(stamp: Stamp) -> Sequence[Write]:
            told: dict[str, Any] = {"who": who, "purpose": purpose, "fields": fields, "digests": digests}
            return [first_entry(stamp, tenant, "search.made", subject=stamp.entry, **told)]

        refusal = await self._writer.write(Unit(tenant, build))
        if refusal is not None:
            raise refused(refusal, "the search")


def _personal_fields(registry: Registry, tenant: UUID, place: str | None) -> Iterator[tuple[SearchField, Personal]]:
    for registered in registry.all:
        mine = registered.for_tenant(tenant)
        for name, point in mine.declaration.decisions.items():
            full = f"{mine.workflow.name}.{name}"
            given, answered = contracts_of(mine.library, point.input, point.output)
            if place is not None and place not in (full, mine.workflow.name):
                continue
            for field in fields_of(full, given, answered):
                contract = answered if field.of_output else given
                if field.kind is Kind.PERSONAL and contract is not None and contract.personal is not None:
                    yield field, contract.personal


def searchable_points(registry: Registry, tenant: UUID) -> Mapping[str, tuple[SearchField, ...]]:
    """The fields by which decisions of each point are found, by ``workflow.point``; empty ones too."""
    points: dict[str, tuple[SearchField, ...]] = {}
    for registered in registry.all:
        mine = registered.for_tenant(tenant)
        for name, point in mine.declaration.decisions.items():
            full = f"{mine.workflow.name}.{name}"
            points[full] = fields_of(full, *contracts_of(mine.library, point.input, point.output))
    return points
