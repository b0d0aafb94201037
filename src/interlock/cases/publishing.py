"""Publishing as a person or a program asks for it: read, proven, held against the workflows, and put in force."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict
from interlock.cases.fits import Fit, check_fits
from interlock.cases.purpose_check import check_marks
from interlock.cases.registry import Registry
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import Refused
from interlock.publications.publication import Kind, check_reason
from interlock.publications.publish import Published, find_published, publish, revert
from interlock.publications.reading import (
    CONTRACT_SUFFIX,
    RULES_SUFFIX,
    draft_contract,
    draft_rules,
    load_published_rules,
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it.

    Attributes:
        published: The version, and whether this call changed anything.
        fits: For rules: how it fits every point of this process that names its line.
    """

    published: Published
    fits: tuple[Fit, ...] = ()


def kind_of(file: str) -> Kind:
    """What a file holds, by its name.

    Raises:
        Refused: it is named like neither rules nor a contract.
    """
    if file.endswith(RULES_SUFFIX):
        return Kind.RULES
    if file.endswith(CONTRACT_SUFFIX):
        return Kind.CONTRACT
    raise Refused(
        "it is named like neither rules nor a contract",
        where=file,
        todo=f"name it NAME@VERSION{RULES_SUFFIX} or NAME@LINE{CONTRACT_SUFFIX}",
    )


async def publish_rules(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    data: bytes,
    file: str,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Outcome:
    """Publish a file of rules: it loads, its examples pass, and every workflow of this process that names its line can
    use it.

    Args:
        database: To see what is published.
        writer: For the commit.
        registry: The workflows of this process.
        tenant: Whose.
        data: The file's bytes.
        file: Its name.
        who: Who publishes it.
        why: The reason.
        verdict: What the policies said.

    Raises:
        RulesInvalid: everything that is wrong with it, or why a workflow cannot use it.
        Refused: no reason, or a version that does not come after every published one of its line.
        StateConflict: the version is published with other content, or somebody else was faster.
    """  # noqa: D205 - one thought
    check_reason(why)
    draft, rules = await asyncio.to_thread(draft_rules, data, file)
    fits = check_fits(registry, tenant, rules)
    done = await publish(database, writer, tenant, draft, who=who, why=why, verdict=verdict)
    return Outcome(published=done, fits=fits)


async def publish_contract(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    data: bytes,
    file: str,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Outcome:
    """Publish a contract: it is valid, and breaks nothing that the one in force of its line promised.

    Where nothing of its line is published and files count, the one in force is the file's.

    Args:
        database: To see what is published.
        writer: For the commit.
        registry: The workflows of this process, with the files beside them.
        tenant: Whose.
        data: The file's bytes.
        file: Its name.
        who: Who publishes it.
        why: The reason.
        verdict: What the policies said.

    Raises:
        ContractInvalid: everything that is wrong with it, or every promise that it breaks, and for whom; or that a
            point of this process may not read the personal data that it marks.
        Refused: no reason, or a version that does not come after every published one of its line.
        StateConflict: the version is published with other content, or somebody else was faster.
    """
    check_reason(why)
    draft, contract = await asyncio.to_thread(draft_contract, data, file)
    check_marks(registry, contract)
    files = await asyncio.to_thread(registry.contract_files, contract.name)
    done = await publish(
        database, writer, tenant, draft, who=who, why=why, verdict=verdict, parsed=contract, files=files
    )
    return Outcome(published=done)


async def revert_rules(
    database: Database,
    writer: Writer,
    registry: Registry,
    tenant: UUID,
    *,
    name: str,
    line: str,
    version: str,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Outcome:
    """Let another published version of a line count at once; every workflow that names the line can use it.

    Raises:
        Refused: no reason, or a version of another line.
        NotFound: that version is not published.
        RulesInvalid: a workflow cannot use it.
        PublicationUnusable: this program cannot load it.
        StateConflict: somebody else was faster.
    """
    check_reason(why)
    standing, content = await find_published(database, tenant, Kind.RULES, name, version, exactly=True)
    rules = await asyncio.to_thread(load_published_rules, standing, content)
    fits = check_fits(registry, tenant, rules)
    done = await revert(
        database, writer, tenant, name=name, line=line, version=version, who=who, why=why, verdict=verdict
    )
    return Outcome(published=done, fits=fits)
