"""Letting the version before the recalled one count again: chosen once, on record before anything is reverted."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from uuid import UUID

import msgspec

from interlock.cases.publishing import revert_rules
from interlock.components.component import ComponentRef
from interlock.components.component import Kind as ComponentKind
from interlock.db.database import Database
from interlock.errors import NotFound
from interlock.publications.publication import Kind, Standing, line_of
from interlock.publications.publish import list_counted, list_published
from interlock.recall.means import Means
from interlock.recall.record import Recall
from interlock.recall.selector import Selector
from interlock.recall.store import OTHER_RECALLS, SET_RESTORING, OtherRecall


async def restore(database: Database, means: Means, tenant: UUID, recall: Recall) -> str:
    """Let the version before the recalled one count again; what counts now, in words.

    INVARIANT: which version was wrong and which one comes back is on record before the line is reverted. Said twice,
    after a process ended in between, it reverts no further: what is in force then is the version that came back.

    Raises:
        NotFound: nothing of it is published, or no version before it is one that nobody recalled or reverted.
    """
    reference = ComponentRef.parse(recall.wanted.component)
    line, name = line_of(reference.version), reference.name
    published = [
        one for one in await list_published(database, tenant, Kind.RULES, name) if line_of(one.version) == line
    ]
    now = next((one for one in published if one.in_force), None)
    if now is None:
        raise NotFound(f"{recall.wanted.component} is not published")
    wrong, target = recall.wrong, recall.target
    if wrong is None or target is None:
        wrong = _wrong(published, reference.version, recall.wanted.digest, now)
        if now.version != wrong:
            return f"rules:{name}@{now.version} counts already"
        async with database.tenant(tenant) as connection:
            others = await OTHER_RECALLS.all(connection, {"id": recall.id})
        counted = await list_counted(database, tenant, Kind.RULES, name, line)
        target = good_before(counted, wrong, condemned(others, name, published))
        if target is None:
            raise NotFound(
                f"every version of rules:{name}@{line} before {wrong} was recalled or reverted, or there is none"
            )
        async with database.tenant(tenant) as connection:
            await SET_RESTORING.run(connection, {"id": recall.id, "wrong": wrong, "target": target})
    if now.version not in {wrong, target}:
        return f"rules:{name}@{now.version} counts already"
    await revert_rules(
        database, means.writer, means.registry, tenant, name=name, line=line, version=target, who=recall.who,
        why=recall.reason,
    )  # fmt: skip
    return f"rules:{name}@{target} counts again"


def _wrong(published: Sequence[Standing], version: str, digest: str, now: Standing) -> str:
    """The version that is recalled: the one with the digest, the one that is named, or the one of the line in force."""
    if digest:
        named = [one.version for one in published if one.digest.hex().startswith(digest)]
        if not named:
            raise NotFound(f"no published version of the line has a SHA-256 that begins with {digest}")
        return named[0]
    return next((one.version for one in published if one.version == version and "." in version), now.version)


def good_before(counted: Iterable[str], wrong: str, bad: Container[str]) -> str | None:
    """The version that counted before a wrong one and was neither reverted since nor recalled.

    Args:
        counted: What counted for the line, one after the other.
        wrong: The wrong one.
        bad: What was recalled.
    """
    standing: list[str] = []
    for version in counted:
        if version in standing:  # the line was reverted to it: what came in between did not hold
            del standing[standing.index(version) + 1 :]
        else:
            standing.append(version)
    before = standing[: standing.index(wrong)] if wrong in standing else standing
    return next((version for version in reversed(before) if version not in bad), None)


def condemned(others: Iterable[OtherRecall], name: str, published: Sequence[Standing]) -> set[str]:
    """The versions of some rules that recalls said were wrong: by their whole version, their content, or by restoring.

    Args:
        others: The recalls that were started.
        name: The rules.
        published: The versions of their line.
    """
    found: set[str] = set()
    for other in others:
        selector = msgspec.json.decode(other.selector, type=Selector)
        if not selector.component:
            continue
        reference = ComponentRef.parse(selector.component)
        if reference.kind is not ComponentKind.RULES or reference.name != name:
            continue
        if selector.digest:
            found |= {one.version for one in published if one.digest.hex().startswith(selector.digest)}
        elif "." in reference.version:
            found.add(reference.version)
        if other.wrong:
            found.add(other.wrong)
    return found
