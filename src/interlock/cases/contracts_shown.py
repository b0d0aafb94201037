"""The contracts that count now, or that a decision rested on: who answers for each, what it promises, how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.cases.declaration import Declaration
from interlock.cases.explanation.keeping import kept_of, read_contents
from interlock.cases.registry import Registry
from interlock.contracts import Contract
from interlock.contracts.level import words
from interlock.db.database import Database
from interlock.decisions.decision import Decision
from interlock.errors import InterlockError
from interlock.levels.judge import Measured, measure_levels
from interlock.publications.publication import Kind, Standing
from interlock.publications.store import LIST_PUBLISHED

NOT_AT_HAND = "not at hand"
Uses = dict[str, tuple[Contract | None, list[str]]]
"""By what is named: the contract, None where it cannot be had, and what it is used for."""


class ShownLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One measured promise.

    Attributes:
        said: In words.
        state: kept or broken.
        now: What is measured now.
        since: Since when it is in that state; None: it never broke.
    """

    said: str
    state: str
    now: str
    since: datetime | None


class ShownContract(msgspec.Struct, frozen=True, kw_only=True):
    """One contract as it is shown.

    Attributes:
        contract: Its whole name, ``receipt@1.2.0``; what is named, where it cannot be had.
        digest: SHA-256 of its file, in hex; empty where it cannot be had.
        status: Where it is in its life; ``not at hand`` where it cannot be had.
        owner: Who answers for it.
        purpose: What the data are for.
        used_by: What it is used for.
        published_by: Who published this content; empty: it counts from a file.
        published_at: When.
        since: Since when it counts for its line; None: it does not, or from a file.
        why: Why it was published.
        fields: How many fields it has.
        promises: What it promises beside its fields: rules, measures, service levels.
        levels: How its measured promises stand.
        not_enforced: What in it is enforced nowhere.
    """

    contract: str
    digest: str = ""
    status: str = NOT_AT_HAND
    owner: str = ""
    purpose: str = ""
    used_by: tuple[str, ...] = ()
    published_by: str = ""
    published_at: datetime | None = None
    since: datetime | None = None
    why: str = ""
    fields: int = 0
    promises: tuple[str, ...] = ()
    levels: tuple[ShownLevel, ...] = ()
    not_enforced: tuple[str, ...] = ()


async def contracts_in_force(database: Database, tenant: UUID, registry: Registry) -> list[ShownContract]:
    """Every contract that the workflows of a process rest on, as it counts in a tenant now."""
    uses: Uses = {}
    for entry in registry.all:
        library = entry.library.for_tenant(tenant)
        for reference, use in _references(entry.declaration):
            try:
                contract = library.contract(reference)
            except InterlockError:
                contract = None
            _note(uses, contract, reference, use)
    return await _shown(database, tenant, uses)


async def contracts_of(database: Database, tenant: UUID, decision: Decision) -> list[ShownContract]:
    """The contracts that a decision rested on, by what the archive holds of them."""
    kept, _ = kept_of(decision, await read_contents(database, tenant, decision))
    name, uses = f"{decision.workflow}.{decision.point}", Uses()
    for reference, role in ((decision.input_contract, "input"), (decision.output_contract, "output")):
        if reference is not None:
            _note(uses, kept.contracts.get(reference), reference, f"{name} {role}")
    return await _shown(database, tenant, uses)


def _references(declaration: Declaration) -> Iterator[tuple[str, str]]:
    yield declaration.contract, f"{declaration.workflow} cases"
    for event in declaration.events.values():
        yield event.contract, f"{declaration.workflow} events"
    for kind, answer in declaration.answers.items():
        yield answer, f"{declaration.workflow} answers to {kind}"
    for name, point in declaration.decisions.items():
        if point.input:
            yield point.input, f"{declaration.workflow}.{name} input"
        yield point.output, f"{declaration.workflow}.{name} output"
        for feature in point.features:
            if feature.contract:
                yield feature.contract, f"{declaration.workflow}.{name} feature {feature.field}"


def _note(uses: Uses, contract: Contract | None, reference: str, use: str) -> None:
    name = contract.reference if contract is not None else reference
    known = uses.setdefault(name, (contract, []))
    if use not in known[1]:
        known[1].append(use)


async def _shown(database: Database, tenant: UUID, uses: Uses) -> list[ShownContract]:
    contracts = [contract for contract, _ in uses.values() if contract is not None]
    async with database.tenant(tenant) as connection:
        published = await LIST_PUBLISHED.all(connection, {"kind": Kind.CONTRACT, "name": None})
        measured = await measure_levels(connection, contracts)
    by_digest: dict[tuple[str, bytes], Standing] = {(one.reference, one.digest): one for one in published}
    return [_one(name, *uses[name], by_digest, measured) for name in sorted(uses)]


def _one(
    name: str,
    contract: Contract | None,
    used_by: list[str],
    published: Mapping[tuple[str, bytes], Standing],
    measured: Iterable[Measured],
) -> ShownContract:
    if contract is None:
        return ShownContract(contract=name, used_by=tuple(used_by))
    standing = published.get((contract.reference, contract.digest))
    return ShownContract(
        contract=contract.reference,
        digest=contract.digest.hex(),
        status=str(contract.status),
        owner=contract.owner,
        purpose=contract.description,
        used_by=tuple(used_by),
        published_by=standing.author if standing else "",
        published_at=standing.at if standing else None,
        since=standing.since if standing else None,
        why=standing.why if standing else "",
        fields=len(contract.record.fields),
        promises=tuple(promises_of(contract)),
        levels=tuple(_level(one) for one in measured if one.contract == contract),
        not_enforced=contract.not_enforced,
    )


def promises_of(contract: Contract) -> Iterator[str]:
    """What a contract promises beside the form of its fields, a line each."""
    for rule in contract.rules:
        yield f"{rule.name}: {rule.description or rule.kind}"
    for measure in contract.measures:
        yield f"{measure.name}: {measure.metric} {measure.limit}"
    for level in contract.service_levels:
        about = f" of {level.element}" if level.element else ""
        yield f"{level.name}{about}: {level.value} {level.unit}".rstrip()


def _level(one: Measured) -> ShownLevel:
    if one.level.age is not None:
        now = f"{words(one.age)} old" if one.age is not None else "nothing came yet"
    else:
        now = f"{one.seen.records:,} records, {one.seen.refused:,} refused"
    return ShownLevel(
        said=one.level.said,
        state="broken" if one.breach else "kept",
        now=one.breach or now,
        since=one.standing.changed_at if one.standing else None,
    )
