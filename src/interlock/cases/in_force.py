"""What a process brings along is told when it begins: a workflow's file that was not in force before, a new component.

Such changes come with a deploy, not with a command, so nobody else would tell of them. They are the installation's, not
a tenant's: the entries stand under its own name. What was told already is not told again, however many processes begin;
of two that begin at once one tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from interlock.archive.store import keep_policies
from interlock.authority.judge import Authority
from interlock.cases.registry import Registered, Registry
from interlock.components.component import ComponentRef, Kind
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import INSTALLATION, facts_of, first_entry
from interlock.ledger.store import LATEST_ABOUT


class Told(NamedTuple):
    """What the ledger is to say last of something.

    Attributes:
        kind: The kind of entry.
        subject: What it is about: a digest of its name.
        facts: What it says.
    """

    kind: str
    subject: UUID
    facts: Mapping[str, Any]


async def tell_in_force(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    *,
    components: bool,
    authority: Authority | None = None,
) -> None:
    """Tell what is in force from now on, as far as the ledger says anything else.

    Args:
        database: To see what is told.
        writer: For the entries.
        registry: The workflows of this process, with what is published.
        tenant: As whom the components are loaded.
        components: Whether the components are loaded and checked, so that their digests are known.
        authority: The policies of this process; they are kept before they are told.
    """
    if authority is not None:
        await keep_policies(database, authority)
    wanted = [workflow_told(entry) for entry in registry.all]
    if components:
        found = (one for entry in registry.all for one in _components(entry.for_tenant(tenant)))
        wanted += {one.subject: one for one in found}.values()
    if authority is not None:
        wanted.append(policies_told(authority))
    async with database.tenant(INSTALLATION) as connection:
        asked = {"subjects": [one.subject for one in wanted]}
        last = {one.subject: one for one in await LATEST_ABOUT.all(connection, asked)}
    news: list[Unit] = []
    for one in wanted:
        before = last.get(one.subject)
        if before is None or before.body != facts_of(**one.facts):
            news.append(_unit(one, before.id if before else None))
    await asyncio.gather(*map(writer.write, news))


def workflow_told(entry: Registered) -> Told:
    """What is told of a workflow: its code, its file, what it is made of, and the shares of its points."""
    flow, declaration = entry.workflow, entry.declaration
    shares = {
        point.name: {str(share.component): str(share.share) for choice in point.steps for share in choice.shares}
        for point in declaration.decisions.values()
    }
    facts = {
        "workflow": flow.name,
        "version": flow.version,
        "code": flow.code,
        "declaration": declaration.digest,
        "build": entry.for_tenant(INSTALLATION).library.build,
        "shares": shares,
    }
    return Told("workflow.in_force", short_digest(b"workflow", flow.name.encode()), facts)


def policies_told(authority: Authority) -> Told:
    """What is told of the policies: the digest that verdicts name, under which the archive has their text."""
    facts = {"digest": authority.digest, "policies": authority.ids}
    return Told("policies.in_force", short_digest(b"policies"), facts)


def _components(entry: Registered) -> Iterator[Told]:
    for point in entry.declaration.decisions.values():
        named = [share.component for choice in point.steps for share in choice.shares]
        for reference in (*named, *(one for one in (point.policy, point.data.component) if one is not None)):
            if reference.kind is not Kind.PERSON:
                yield component_told(reference, entry.library.component(reference).digest)


def component_told(reference: ComponentRef, digest: bytes) -> Told:
    """What is told of a component: its name, its kind, and the SHA-256 of all that makes its answers."""
    facts = {"component": str(reference), "component_kind": reference.kind, "digest": digest}
    return Told("component.first_used", short_digest(b"component", str(reference).encode(), digest), facts)


def _unit(one: Told, follows: UUID | None) -> Unit:
    """Its unit: what follows a certain entry is told once, whoever is first."""

    def build(stamp: Stamp) -> Sequence[Write]:
        return [first_entry(stamp, INSTALLATION, one.kind, subject=one.subject, **one.facts)]

    told = short_digest(facts_of(**one.facts))
    key = key_digest(INSTALLATION, one.kind, f"{one.subject}/{follows}/{told}")
    return Unit(INSTALLATION, build, (TakesKey(key, told),))
