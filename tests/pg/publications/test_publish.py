"""Publishing: what is refused, what changes nothing, who wins, and what is left on record."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from versions import DECISION, RULES, contract, refund_rules

from interlock.contracts import Party
from interlock.db.database import SERVICE_OPTIONS, Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import ContractInvalid, NotFound, Refused, RulesInvalid, StateConflict
from interlock.node import gates
from interlock.publications.publication import Draft, Kind
from interlock.publications.publish import Published, find_published, list_published, publish, revert
from interlock.publications.reading import draft_contract, draft_rules

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        yield writer


class Desk:
    """Publishes for one tenant."""

    def __init__(self, database: Database, writer: Writer, tenant: UUID) -> None:
        self.database, self.writer, self.tenant = database, writer, tenant

    async def rules(self, data: bytes, *, who: str = "ana", why: str = "as decided") -> Published:
        """Publish rules."""
        draft, _ = draft_rules(data, "approve-refund.rules.json")
        return await self.draft(draft, who=who, why=why)

    async def draft(self, draft: Draft, *, who: str = "ana", why: str = "as decided") -> Published:
        """Publish what was read."""
        return await publish(self.database, self.writer, self.tenant, draft, who=who, why=why)

    async def contract(self, data: bytes) -> Published:
        """Publish a contract."""
        draft, parsed = draft_contract(data, "refund-decision.odcs.yaml")
        return await publish(self.database, self.writer, self.tenant, draft, who="ana", why="agreed", parsed=parsed)

    async def revert(self, version: str, *, line: str = "1", who: str = "rosa") -> Published:
        """Revert the line of the rules."""
        return await revert(
            self.database, self.writer, self.tenant, name="approve-refund", line=line, version=version, who=who,
            why="it refused too many",
        )  # fmt: skip

    async def in_force(self, kind: Kind = Kind.RULES) -> list[str]:
        """What counts."""
        return [one.reference for one in await list_published(self.database, self.tenant, kind) if one.in_force]


@pytest.fixture
def desk(database: Database, writer: Writer, tenant: UUID) -> Desk:
    return Desk(database, writer, tenant)


def entries(admin: Admin) -> list[tuple[str, dict[str, Any]]]:
    rows = admin.execute(
        "select kind, body from interlock.ledger_entry where kind !~ '^(migration|tenant)' order by id"
    ).fetchall()
    return [(kind, json.loads(body)) for kind, body in rows]


async def test_the_version_published_last_counts_for_its_line(desk: Desk, admin: Admin) -> None:
    assert (await desk.rules(RULES.encode())).new
    assert (await desk.rules(refund_rules("1.1", days=20))).new
    assert (await desk.rules(refund_rules("2.0", days=10))).new
    assert (await desk.rules(refund_rules("1.2.0", days=15), who="ben", why="a test")).new
    assert await desk.in_force() == ["approve-refund@2.0", "approve-refund@1.2.0"]
    found, content = await find_published(desk.database, desk.tenant, Kind.RULES, "approve-refund", "1")
    assert (found.version, found.author, found.why, found.by) == ("1.2.0", "ben", "a test", "ben")
    assert content == refund_rules("1.2.0", days=15)
    kind, body = entries(admin)[-1]
    assert kind == "rules.published"
    assert body == {
        "name": "approve-refund", "version": "1.2.0", "line": "1", "digest": found.digest.hex(), "follows": "1.1",
        "who": "ben", "why": "a test",
    }  # fmt: skip


async def test_the_same_version_again_changes_nothing_and_other_content_is_refused(desk: Desk, admin: Admin) -> None:
    first = await desk.rules(refund_rules("1.1"))
    again = await desk.rules(refund_rules("1.1"), who="ben")
    assert (again.new, again.standing) == (False, first.standing)
    with pytest.raises(StateConflict, match=r"approve-refund@1\.1 was published by ana with other content"):
        await desk.rules(refund_rules("1.1", days=5))
    assert len(entries(admin)) == 1


@pytest.mark.parametrize("version", ["1.1", "1", "1.1.0", "1.0.9"])
async def test_a_version_that_does_not_come_after_all_of_its_line_is_refused(desk: Desk, version: str) -> None:
    await desk.rules(refund_rules("1.1"))
    with pytest.raises((Refused, StateConflict)):
        await desk.rules(refund_rules(version, days=5))
    assert await desk.in_force() == ["approve-refund@1.1"]


@pytest.mark.parametrize("version", ["v1", "1.x", "01", "1.2.3.4", "1.", "-1", "1 ", "9999999", "１"])
async def test_a_version_that_orders_nothing_is_refused(version: str) -> None:
    with pytest.raises((Refused, RulesInvalid)):
        draft_rules(refund_rules(version), "x.rules.json")


async def test_failing_and_missing_examples_are_refused() -> None:
    wrong = json.loads(refund_rules("1.1"))
    wrong["interlock"]["examples"][0]["output"]["approved"] = False
    with pytest.raises(RulesInvalid, match="example 1"):
        draft_rules(json.dumps(wrong).encode(), "x.rules.json")
    wrong["interlock"]["examples"] = []
    with pytest.raises(RulesInvalid, match="without an example"):
        draft_rules(json.dumps(wrong).encode(), "x.rules.json")


async def test_a_file_named_like_another_version_is_refused() -> None:
    draft_rules(refund_rules("1.1"), "rules/approve-refund@1.rules.json")
    draft_rules(refund_rules("1.1"), "approve-refund@1.1.rules.json")
    for name in ("approve-refund@2.rules.json", "approve-refund@1.1.1.rules.json", "other@1.rules.json"):
        with pytest.raises(Refused, match="the file is named"):
            draft_rules(refund_rules("1.1"), name)


@pytest.mark.parametrize("why", ["", "  \n", "a\0b", "\ud800", "x" * 4001])
async def test_a_reason_that_cannot_be_stored_is_refused(desk: Desk, why: str) -> None:
    with pytest.raises(Refused):
        await desk.rules(refund_rules("1.1"), why=why)
    assert await desk.in_force() == []


async def test_reverting_counts_at_once_and_a_repeated_publication_does_not_undo_it(desk: Desk, admin: Admin) -> None:
    await desk.rules(RULES.encode())
    await desk.rules(refund_rules("1.1"))
    assert (await desk.revert("1")).new
    assert await desk.in_force() == ["approve-refund@1"]
    again = await desk.rules(refund_rules("1.1"))
    assert (again.new, again.standing.in_force) == (False, False)
    assert (await desk.revert("1")).new is False
    assert [kind for kind, _ in entries(admin)] == ["rules.published", "rules.published", "rules.reverted"]
    assert entries(admin)[-1][1]["follows"] == "1.1"
    assert (await desk.revert("1.1")).standing.by == "rosa"
    for asked, exactly, found in (("1", False, "1.1"), ("1", True, "1"), ("1.0", False, "1"), ("1.1.0", False, "1.1")):
        it, _ = await find_published(desk.database, desk.tenant, Kind.RULES, "approve-refund", asked, exactly=exactly)
        assert it.version == found
    assert (await desk.revert("1.0.0")).standing.version == "1"
    with pytest.raises(NotFound, match=r"approve-refund@1\.7 is not published"):
        await desk.revert("1.7")
    with pytest.raises(Refused, match="not of the line"):
        await desk.revert("1.1", line="2")


async def test_of_two_publishers_at_once_one_wins_and_the_other_is_told(desk: Desk, admin: Admin) -> None:
    await desk.rules(RULES.encode())
    drafts = [draft_rules(refund_rules(f"1.{n}", days=n), "x.rules.json")[0] for n in range(1, 9)]
    done = await asyncio.gather(*(desk.draft(one, who=f"p{one.version}") for one in drafts), return_exceptions=True)
    won = [one for one in done if isinstance(one, Published)]
    told = [one for one in done if isinstance(one, StateConflict)]
    late = [one for one in done if isinstance(one, Refused) and "does not come after" in one.what]
    assert len(won) + len(told) + len(late) == len(drafts)
    assert told
    assert all("in force just now" in one.what for one in told)
    # nobody replaced what they had not seen: each change follows another version
    follows = [body["follows"] for _, body in entries(admin)]
    assert len(follows) == len(set(follows)) == 1 + len(won)


async def test_publishers_of_one_content_at_once_all_succeed_and_one_is_on_record(desk: Desk, admin: Admin) -> None:
    draft, _ = draft_rules(refund_rules("1.1"), "x.rules.json")
    done = await asyncio.gather(*(desk.draft(draft, who=f"p{n}") for n in range(8)))
    assert sorted(one.new for one in done) == [False] * 7 + [True]
    assert len({one.standing.id for one in done}) == 1
    assert len(entries(admin)) == 1


async def test_an_incompatible_contract_is_refused_for_its_line_and_told_for_a_new_one(desk: Desk) -> None:
    await desk.contract(contract(DECISION, "1.0.0"))
    broken = {"a": ("required: true\n        description: whether", "required: false\n        description: whether")}
    with pytest.raises(ContractInvalid) as caught:
        await desk.contract(contract(DECISION, "1.1.0", **broken))
    assert [(one.where, one.rule) for one in caught.value.violations] == [("/approved", "breaks-consumers")]
    wider = await desk.contract(contract(DECISION, "1.1.0"))
    assert (wider.new, wider.breaks) == (True, ())
    new_line = await desk.contract(contract(DECISION, "2.0.0", **broken))
    assert [(one.where, one.breaks) for one in new_line.breaks] == [("/approved", Party.CONSUMERS)]
    assert await desk.in_force(Kind.CONTRACT) == ["refund-decision@1.1.0", "refund-decision@2.0.0"]


async def test_a_contract_that_may_not_be_used_is_not_published() -> None:
    with pytest.raises(ContractInvalid, match="may not be used"):
        draft_contract(contract(DECISION, "1.0.0", a=("status: active", "status: proposed")), "x.odcs.yaml")


async def test_another_tenant_has_its_own_lines(desk: Desk, database: Database, writer: Writer) -> None:
    await desk.rules(refund_rules("1.1"))
    other = Desk(database, writer, await database.ensure_tenant("other"))
    assert await other.in_force() == []
    assert (await other.rules(refund_rules("1.0", days=3))).new
    assert await desk.in_force() == ["approve-refund@1.1"]
    with pytest.raises(NotFound):
        await find_published(database, other.tenant, Kind.RULES, "approve-refund", "1.1")


def test_no_service_changes_or_removes_what_was_published(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        for statement in (
            "update publication set content = ''", "delete from publication", "truncate publication",
            "update in_force set change = 1", "delete from in_force",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue] - a literal of this list
