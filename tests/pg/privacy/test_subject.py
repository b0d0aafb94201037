"""One person's data as a whole: shown, exported, held, erased; a new master key in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from tests.pg.privacy.world import ADA, everything, flow, found_in, master_key, settings_of

from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registry
from interlock.cases.submit import submit
from interlock.decisions.decision import Decision
from interlock.errors import ContractViolated, NotFound, PersonalErased, Refused, StateConflict
from interlock.node import Node, open_node
from interlock.privacy.export import export_subject
from interlock.privacy.keys import written
from interlock.privacy.master import MasterKeys
from interlock.privacy.reading import read_personal
from interlock.privacy.rewrap import rewrap
from interlock.privacy.subject import Subjects
from interlock.privacy.vault import LATELY_S, Vault
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]
EMAIL = ADA["email"]
BOB = {**ADA, "email": "bob@example.org", "name": "Bob Builder", "salary": "1111.11", "born": "1999-09-09"}


@pytest.fixture
async def node(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """A process that raises salaries."""
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            yield node


@pytest.fixture
def subjects(node: Node) -> Subjects:
    """Its persons."""
    return Subjects(node.database, node.writer, node.vault, node.tenant)


async def ask(node: Node, value: Any, key: str = "k") -> Decision:
    named = find_point(node.registry, "raises.approve")
    became = await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value=value)
    assert isinstance(became, Decision)
    return became


def kinds(admin: Admin, kind: str) -> list[dict[str, Any]]:
    rows = admin.execute("select body from ledger_entry where kind = %s order by id", (kind,)).fetchall()
    return [msgspec.json.decode(row[0]) for row in rows]


async def populate(node: Node) -> Decision:
    """A decision, one that waits for a person, one that is refused, and another person's."""
    decision = await ask(node, ADA)
    await ask(node, {**ADA, "salary": "6217.43"}, "review")
    with pytest.raises(ContractViolated):
        await ask(node, {**ADA, "grade": "x"}, "bad")
    await ask(node, BOB, "bob")
    return decision


async def test_an_export_holds_all_of_one_person_and_nothing_of_another(
    node: Node, subjects: Subjects, admin: Admin
) -> None:
    await populate(node)
    export = await export_subject(subjects, EMAIL, who="dpo", why="asked by letter")
    assert [one.kind for one in export.records] == ["decision", "decision", "review", "quarantine"]
    assert export.records[0].data["input"] == ADA
    assert export.records[0].data["output"]["reason"] == "for Ada Lovelace-Byron"
    assert export.records[3].data["data"] == {**ADA, "grade": "x"}
    text = msgspec.json.encode(export).decode()
    assert "bob" not in text.lower()
    assert "personal" not in text.replace("personal-data", "").replace("are personal", "")
    (entry,) = kinds(admin, "subject.exported")
    assert (entry["who"], entry["why"], entry["records"]) == ("dpo", "asked by letter", 4)
    assert found_in(everything(admin)) == []


async def test_what_is_erased_is_read_by_nobody_and_proofs_keep_their_bytes(
    node: Node, subjects: Subjects, admin: Admin
) -> None:
    decision = await populate(node)
    (wrapped,) = admin.execute("select wrapped from subject_key order by id limit 1").fetchall()
    before = admin.execute("select body from ledger_entry order by id").fetchall()
    dry = await subjects.erase(EMAIL, who="dpo", why="asked", dry_run=True)
    assert not dry.done
    assert {one.kind: one.records for one in dry.records} == {"decision": 2, "quarantine": 1}
    assert await node.vault.open(node.tenant, msgspec.json.decode(decision.input), "payroll") == ADA
    done = await subjects.erase(EMAIL, who="dpo", why="asked")
    assert done.done
    await asyncio.sleep(LATELY_S)
    with pytest.raises(PersonalErased):
        await node.vault.open(node.tenant, msgspec.json.decode(decision.input), "payroll")
    assert wrapped[0] not in [one for (one,) in admin.execute("select wrapped from subject_key").fetchall()]
    with pytest.raises(StateConflict, match="erased"):
        await export_subject(subjects, EMAIL, who="dpo", why="again")
    with pytest.raises(StateConflict, match="erased already"):
        await subjects.erase(EMAIL, who="dpo", why="again")
    shown = await subjects.show(EMAIL)
    assert (shown.keys, shown.erased) == ((), done.keys)
    body = await read_personal(
        node.vault, node.writer, node.tenant, decision.input, purpose="payroll", who="x", record=decision.id
    )
    assert found_in(body.decode()) == []
    assert admin.execute("select body from ledger_entry order by id").fetchall()[: len(before)] == before
    (entry,) = kinds(admin, "subject.erased")
    assert entry["records"] == {"decision": 2, "quarantine": 1}
    again = await ask(node, ADA, "later")  # who comes again has another key, and nothing joins the two
    assert again.input != decision.input
    assert len((await subjects.show(EMAIL)).keys) == 1
    bob = await ask(node, BOB, "bob")
    assert await node.vault.open(node.tenant, msgspec.json.decode(bob.input), "payroll") == BOB


async def test_what_names_nobody_is_found_by_its_words_and_goes_too(node: Node, subjects: Subjects) -> None:
    registered = node.registry.named("raises")
    mine, others = (json.dumps(one).encode()[:-5] for one in (ADA, {**BOB, "email": "xada.lovelace@example.org"}))
    for number, torn in enumerate((mine, others)):
        await submit(node.writer, node.tenant, registered, key=str(number), data=torn)
    with pytest.raises(NotFound, match="name nobody"):  # they may be anybody's
        await export_subject(subjects, EMAIL, who="dpo", why="asked")
    done = await subjects.erase(EMAIL, who="dpo", why="asked", force=True)
    assert (len(done.keys), {one.kind: one.records for one in done.records}) == (1, {"case": 1, "quarantine": 1})
    with pytest.raises(NotFound):  # nobody can say any more whose it was
        await export_subject(subjects, EMAIL, who="dpo", why="asked")


async def test_a_case_that_has_not_ended_is_in_the_way_unless_it_is_forced(node: Node, subjects: Subjects) -> None:
    registered = node.registry.named("raises")
    taken = await submit(node.writer, node.tenant, registered, key="k", data=msgspec.json.encode(ADA))
    with pytest.raises(StateConflict, match="1 case of the subject not ended"):
        await subjects.erase(EMAIL, who="dpo", why="asked")
    done = await subjects.erase(EMAIL, who="dpo", why="asked", force=True)
    assert done.running == (taken.case_id,)


async def test_a_hold_forbids_erasure_until_it_is_lifted_or_over(node: Node, subjects: Subjects, admin: Admin) -> None:
    await subjects.hold(EMAIL, who="legal", why="a lawsuit")  # before anything of theirs came
    await ask(node, ADA)
    with pytest.raises(StateConflict, match="a legal hold by legal forbids it: a lawsuit"):
        await subjects.erase(EMAIL, who="dpo", why="asked", force=True)
    assert await subjects.unhold(EMAIL, who="legal", why="settled") == 1
    with pytest.raises(StateConflict, match="no legal hold is in force"):
        await subjects.unhold(EMAIL, who="legal", why="settled")
    with pytest.raises(Refused, match="has passed"):
        await subjects.hold(EMAIL, who="legal", why="late", until=node.database.clock.now())
    soon = node.database.clock.now() + timedelta(seconds=0.3)
    await subjects.hold(EMAIL, who="legal", why="for a moment", until=soon)
    with pytest.raises(StateConflict, match="for a moment"):
        await subjects.erase(EMAIL, who="dpo", why="asked")
    await asyncio.sleep(0.4)
    assert (await subjects.erase(EMAIL, who="dpo", why="asked")).done
    assert [one["who"] for one in kinds(admin, "subject.held")] == ["legal", "legal"]
    assert len(kinds(admin, "subject.released")) == 1


async def test_an_erasure_that_meets_a_hold_at_the_last_moment_erases_nothing(
    node: Node, subjects: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = await ask(node, ADA)
    shown = await subjects.show(EMAIL)
    await subjects.hold(EMAIL, who="legal", why="a lawsuit")

    async def as_before(_self: Subjects, _keys: object) -> Any:
        return shown

    monkeypatch.setattr(Subjects, "_shown", as_before)
    with pytest.raises(StateConflict, match="is held"):
        await subjects.erase(EMAIL, who="dpo", why="asked")
    assert await node.vault.open(node.tenant, msgspec.json.decode(decision.input), "payroll") == ADA


async def test_what_is_no_subject_or_no_reason_is_refused(subjects: Subjects) -> None:
    for value in ("", "x" * 1001, "a\0b", "\ud800"):
        with pytest.raises(Refused):
            await subjects.show(value)
    with pytest.raises(NotFound):
        await subjects.show("nobody@example.org")
    for why in ("", "  ", "x" * 2001, "a\nb"):
        with pytest.raises(Refused, match="no usable reason"):
            await subjects.erase(EMAIL, who="dpo", why=why)


async def test_a_read_is_on_the_ledger_and_shows_what_its_purpose_allows(node: Node, admin: Admin) -> None:
    decision = await ask(node, ADA)

    async def read(purpose: str) -> dict[str, Any]:
        body = await read_personal(
            node.vault, node.writer, node.tenant, decision.input, purpose=purpose, who="ann", record=decision.id
        )
        return msgspec.json.decode(body)

    assert await read("payroll") == ADA
    audit = await read("audit")
    assert (audit["email"], audit["born"], audit["salary"]) == (EMAIL, "(personal)", "(personal)")
    assert set((await read("marketing")).values()) == {"(personal)", 7}
    told = kinds(admin, "personal.read")
    assert [(one["who"], one["purpose"]) for one in told] == [("ann", "payroll"), ("ann", "audit")]
    assert {one["record"] for one in told} == {str(decision.id)}


async def test_every_key_is_wrapped_anew_under_a_new_master_key(node: Node, admin: Admin) -> None:
    decision = await ask(node, ADA)
    await ask(node, BOB, "bob")
    environ = {"OLD": written(b"p" * 32), "NEW": written(b"q" * 32)}
    both = MasterKeys(SecretRef("env", "NEW"), SecretRef("env", "OLD"), environ=environ)
    done = await rewrap(node.database, node.writer, both, node.tenant, who="ops")
    assert (done.keys, done.secret) == (2, True)
    assert (await rewrap(node.database, node.writer, both, node.tenant, who="ops")).keys == 0
    alone = Vault(node.database, MasterKeys(SecretRef("env", "NEW"), environ=environ))
    assert await alone.open(node.tenant, msgspec.json.decode(decision.input), "payroll") == ADA
    assert len(kinds(admin, "subject.rewrapped")) == 1
