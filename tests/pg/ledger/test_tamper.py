"""Whatever is changed behind Interlock's back is found by the audit, which names the first entry that is not as it was.

Each tampering is done by a superuser, who can do all that a thief of the database can, and undone after the audit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, stage

from interlock.cases.case import Case
from interlock.clock import Clock
from interlock.db.database import connect_service
from interlock.decisions.record_audit import audit_records
from interlock.ledger.audit import Audited, Fault, audit_tree
from interlock.ledger.keys import make_key
from interlock.ledger.note import sign_note
from interlock.ledger.publish import Outside
from interlock.ledger.seal import LedgerTerms, Sealer
from interlock.money import Money

Admin = psycopg.Connection[tuple[Any, ...]]
TENANT = UUID(int=7)
SIZE = 40
AT = 13
"""The entry that is tampered with."""
ADD = (
    "insert into ledger_entry (id, tenant, kind, subject, at, body) select id, %s, 'test.made', id, now(), '{}' "
    "from unnest(%s::uuid[]) id"
)
OF = f"(select entry from ledger_leaf where index = {AT})"
# what somebody does who knows how the tree is made, and makes all of it anew
FORGE = """
create function pg_temp.forge() returns void language plpgsql as $$
declare
  grown bigint := (select count(*) from ledger_leaf);
  height int := 1;
begin
  update ledger_leaf l set hash = sha256('\\x00'::bytea
    || ledger_leaf_data(e.id, e.tenant, e.kind, e.subject, e.case_id, e.at, e.body))
  from ledger_entry e where e.id = l.entry;
  delete from ledger_node;
  while grown >> height > 0 loop
    insert into ledger_node (level, index, hash)
    select height, g, sha256('\\x01'::bytea
      || coalesce((select hash from ledger_leaf where height = 1 and index = 2 * g),
                  (select hash from ledger_node where level = height - 1 and index = 2 * g))
      || coalesce((select hash from ledger_leaf where height = 1 and index = 2 * g + 1),
                  (select hash from ledger_node where level = height - 1 and index = 2 * g + 1)))
    from generate_series(0, (grown >> height) - 1) g;
    height := height + 1;
  end loop;
  update ledger_head set size = grown, root = ledger_root(grown);
end $$;
"""
# two leaves change places
SWAP = """
alter table ledger_leaf drop constraint ledger_leaf_counts_from_zero;
update ledger_leaf set index = -1 where index = 13;
update ledger_leaf set index = 13 where index = 14;
update ledger_leaf set index = 14 where index = -1
""".replace("\n", " ")


class Tampering(NamedTuple):
    """What somebody does, and what the audit says of it.

    Attributes:
        does: The statements.
        kind: Of the first fault.
        first: The first entry that it names; None: none of the tree.
    """

    does: str
    kind: str
    first: int | None


TAMPERINGS = {
    "an entry's facts are changed": Tampering(
        f"update ledger_entry set body = '{{\"amount\": 1}}' where id = {OF}", "leaf", AT
    ),
    "an entry is backdated": Tampering(
        f"update ledger_entry set at = at - interval '1 day' where id = {OF}", "leaf", AT
    ),
    "an entry is another tenant's": Tampering(
        f"update ledger_entry set tenant = gen_random_uuid() where id = {OF}", "leaf", AT
    ),
    "an entry is deleted": Tampering(f"delete from ledger_entry where id = {OF}", "missing", AT),
    "an entry is slipped in behind what is sealed": Tampering(
        "insert into ledger_entry (id, tenant, xid, kind, subject, at, body) "
        "select uuidv7(), tenant, xid, kind, subject, at, body from ledger_entry order by id limit 1",
        "outside", None,
    ),
    "a leaf is changed": Tampering("update ledger_leaf set hash = sha256('x') where index = 13", "leaf", AT),
    "a leaf is deleted": Tampering("delete from ledger_leaf where index = 13", "gap", AT),
    "two leaves change places": Tampering(SWAP, "node", 12),
    "a leaf is added": Tampering("insert into ledger_leaf values (40, gen_random_uuid(), sha256('x'))", "gap", SIZE),
    "a node is changed": Tampering(
        "update ledger_node set hash = sha256('x') where level = 2 and index = 3", "node", 12
    ),
    "a node is added": Tampering("insert into ledger_node values (2, 10, sha256('x'))", "node", SIZE),
    "a node is deleted": Tampering("delete from ledger_node where level = 3 and index = 1", "node", 8),
    "the head's root is changed": Tampering("update ledger_head set root = sha256('x')", "head", None),
    "the head is shorter": Tampering("update ledger_head set size = 39", "gap", 39),
    "the head is longer": Tampering("update ledger_head set size = 41", "gap", SIZE),
    "an entry is slipped in that no turn ever seals": Tampering(
        "insert into ledger_entry (id, tenant, xid, kind, subject, at, body) select uuidv7(), tenant, "
        "'9000000000000000000', kind, subject, at, body from ledger_entry order by id limit 1", "outside", None,
    ),
    "a kept checkpoint's size is changed": Tampering(
        "update ledger_checkpoint set size = 1000000 where size = 40", "checkpoint", None
    ),
    "a kept checkpoint's root is changed": Tampering(
        "update ledger_checkpoint set root = sha256('x') where size = 20", "checkpoint", None
    ),
    "a kept checkpoint's keys are changed": Tampering(
        "update ledger_checkpoint set keys = '{}' where size = 20", "checkpoint", None
    ),
    "a kept checkpoint is an older one": Tampering(
        "update ledger_checkpoint set note = (select note from ledger_checkpoint where size = 10) where size = 20",
        "checkpoint", None,
    ),
    "a kept checkpoint is no text": Tampering(
        "update ledger_checkpoint set note = '\\xff' where size = 20", "checkpoint", None
    ),
    "a kept checkpoint is deleted": Tampering("delete from ledger_checkpoint where size = 20", "checkpoint", None),
    "a kept checkpoint is changed": Tampering("update ledger_checkpoint set note = 'x'", "checkpoint", None),
    "the whole tree is made anew over a changed entry": Tampering(
        f"update ledger_entry set body = '{{\"amount\": 1}}' where id = {OF}; select pg_temp.forge()", "checkpoint", 10
    ),
    "the log is forked: the newest entries are others": Tampering(
        "update ledger_entry set kind = 'test.forked' where id in (select entry from ledger_leaf where index >= 35); "
        "select pg_temp.forge()", "checkpoint", 30,
    ),
    "the database goes back to a back-up": Tampering(
        "delete from ledger_leaf where index >= 25; select pg_temp.forge(); "
        "delete from ledger_checkpoint where size > 25", "checkpoint", 25,
    ),
}  # fmt: skip

ONE_FAULT = {name for name in TAMPERINGS if name.startswith("a kept checkpoint's ")} | {
    "a kept checkpoint is an older one", "a kept checkpoint is no text", "a kept checkpoint is deleted",
    "an entry is slipped in that no turn ever seals",
}  # fmt: skip


@pytest.fixture
async def auditor(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    connection = await AsyncConnection.connect(
        database_url, autocommit=True, options="-c search_path=interlock,pg_catalog -c timezone=UTC"
    )
    yield connection
    await connection.close()


async def seal(url: str, terms: LedgerTerms, admin: Admin, sizes: list[int]) -> None:
    """A checkpoint at each of these sizes."""
    clock = Clock()
    for size in sizes:
        row = admin.execute("select count(*) from ledger_entry").fetchone()
        assert row is not None
        admin.execute(ADD, (TENANT, [clock.new_id() for _ in range(size - row[0])]))
        async with Sealer(url, clock, terms):
            pass


async def test_every_tampering_is_found_and_its_first_entry_named(
    database_url: str, admin: Admin, auditor: AsyncConnection[Any], tmp_path: Path
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    admin.execute("alter table ledger_entry disable trigger all")
    admin.execute("delete from ledger_entry")  # what the migrations wrote: the places below are counted from zero
    await seal(database_url, terms, admin, [10, 20, 30, SIZE])
    published = Outside(terms.folder).all()
    assert len(published) == 4
    assert (await audit_tree(auditor, terms.keys, published=published)).faults == []
    wrong: list[str] = []
    await auditor.execute(FORGE.encode())
    for name, one in TAMPERINGS.items():
        async with auditor.transaction(force_rollback=True):
            for statement in one.does.split("; "):
                await auditor.execute(statement.encode())
            found = await audit_tree(auditor, terms.keys, published=published)
        first = found.first
        if first is None or (first.kind, first.index) != (one.kind, one.first):
            wrong.append(f"{name}: {first}")
        if name in ONE_FAULT and found.count != 1:
            wrong.append(f"{name}: {found.faults}")
    assert wrong == []
    assert (await audit_tree(auditor, terms.keys, published=published)).faults == []


async def test_a_checkpoint_that_another_key_signed_is_found(
    database_url: str, admin: Admin, auditor: AsyncConnection[Any], tmp_path: Path
) -> None:
    key, thief = make_key("x.example/log"), make_key("x.example/log")
    terms = LedgerTerms((key,), tmp_path / "out")
    await seal(database_url, terms, admin, [20])
    row = admin.execute("select note from ledger_checkpoint").fetchone()
    assert row is not None
    text = row[0].decode().split("\n\n")[0] + "\n"
    admin.execute("update ledger_checkpoint set note = %s", (sign_note(text, [thief]).encode(),))
    found = await audit_tree(auditor, terms.keys, published=Outside(terms.folder).all())
    assert [fault.kind for fault in found.faults] == ["checkpoint"]
    assert "signed by none of the keys" in found.faults[0].what


async def test_an_entry_that_is_older_than_what_was_sealed_before_it_is_found(
    database_url: str, admin: Admin, auditor: AsyncConnection[Any], tmp_path: Path
) -> None:
    terms = LedgerTerms((make_key("x.example/log"),), tmp_path / "out")
    admin.execute("delete from ledger_entry")
    service = await connect_service(database_url)
    await service.execute("select set_config('app.tenant', %s, false)", (str(TENANT),))
    added: list[UUID] = []

    async def add(*minutes_ago: float) -> list[Fault]:
        """Write entries with ids and times of then, seal each under a checkpoint of its own, and audit."""
        for ago in minutes_ago:
            milliseconds = int((time.time() - 60 * ago) * 1000)
            added.append(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | len(added)))
            await service.execute(ADD, (TENANT, [added[-1]]))
            async with Sealer(database_url, Clock(), terms):
                pass
        return (await audit_tree(auditor, terms.keys)).faults

    assert await add(60, 55, 64) == []  # what waited long to be sealed is as old as what is beside it
    assert await add(0, 9, -90, 0) == []  # clocks differ, and one may be ahead
    faults = await add(11)
    assert [(one.kind, one.index, one.entry) for one in faults] == [("backdated", 7, added[7])]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):  # nor does it say by which transaction it is found
        await service.execute(
            "insert into ledger_entry (id, tenant, xid, kind, subject, at, body) "
            "values (uuidv7(), %s, '9000000000000000000', 'test.made', uuidv7(), now(), '{}')", (TENANT,)
        )  # fmt: skip
    await service.close()


async def approve(case: Case) -> None:
    await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))


async def test_a_record_that_is_changed_or_deleted_is_found(database_url: str, admin: Admin, tmp_path: Path) -> None:
    async with stage(database_url, [declared(approve, tmp_path)]) as on:
        for key in ("a", "b", "c"):
            await on.until(await on.submit(key=key))
        async with Sealer(database_url, Clock(), LedgerTerms((), tmp_path / "out")):
            pass

        async def audit() -> Audited:
            found = Audited()
            await audit_records(on.node.database, on.node.tenant, found)
            return found

        found = await audit()
        assert (found.records, found.faults) == (3, [])
        ids = [row[0] for row in admin.execute("select id from decision order by id").fetchall()]
        for column, value in (
            ("confidence", "0.5"), ("exposure_minor", "1"), ("output", "'{}'"), ("reasons", "'[]'"),
            ("component", "'x'"),
            ("decided_at", "now()"), ("input", "'{}'"), ("route", "'review', review = gen_random_uuid()"),
        ):  # fmt: skip
            admin.execute("begin")
            admin.execute(f"update decision set {column} = {value} where id = %s".encode(), (ids[1],))
            admin.execute("commit")
            found = await audit()
            assert [str(ids[1]) in fault.what for fault in found.faults] == [True], column
            assert found.faults[0].index is not None
        admin.execute("delete from decision where id = %s", (ids[0],))
        found = await audit()
        assert [fault.what.split(":")[0] for fault in found.faults] == [
            f"the record of the decision {ids[0]} is gone",
            f"the record of the decision {ids[1]} is not what was sealed",
        ]
