"""What a reviewer found open: keys that name persons, holds, new master keys, and what is opened for mending."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.pg.privacy.world import ADA, everything, flow, found_in, master_key, settings_of

from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.personal import kept_input
from interlock.cases.registry import Registry
from interlock.cases.release import Release
from interlock.cases.repair import Cause, patching, repair
from interlock.cases.submit import submit
from interlock.errors import ConfigInvalid, ContractViolated, Refused, StateConflict
from interlock.node import Node, open_node
from interlock.privacy.keys import written
from interlock.privacy.master import MasterKeys
from interlock.privacy.rewrap import rewrap
from interlock.privacy.subject import Subjects
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]
BOB = {**ADA, "email": "bob@example.org", "name": "Bob Builder"}


@pytest.fixture
async def node(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """A process that raises salaries."""
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            yield node


async def ask(node: Node, value: Any, key: str = "k") -> None:
    named = find_point(node.registry, "raises.approve")
    await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value=value)


async def test_a_key_that_names_a_person_is_kept_nowhere_whatever_else_is_wrong(node: Node, admin: Admin) -> None:
    bad = {name: value for name, value in ADA.items() if name != "email"}
    with pytest.raises(Refused, match="repeats a personal value"):
        await ask(node, bad, "raise of Ada Lovelace-Byron")
    with pytest.raises(Refused, match="repeats a personal value"):
        await ask(node, ADA, "salary 5217.43")
    for data in (json.dumps(bad).encode(), json.dumps(ADA).encode()[:-4]):
        with pytest.raises(Refused, match="repeats a personal value"):
            await submit(node.writer, node.tenant, node.registry.named("raises"), key=ADA["name"], data=data)
    assert found_in(everything(admin)) == []


async def test_a_hold_keeps_what_is_sealed_with_others_and_erasure_finds_a_broken_subject(node: Node) -> None:
    subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
    await ask(node, BOB, "bob")
    with pytest.raises(ContractViolated):
        await ask(node, [ADA, BOB], "two")
    with pytest.raises(ContractViolated):
        await ask(node, {**BOB, "email": f"mailto:{BOB['email']}"}, "broken")
    await subjects.hold(ADA["email"], who="law", why="lawsuit")
    done = await subjects.erase(BOB["email"], who="dpo", why="asked")
    assert (done.spared, len(done.keys)) == (1, 2)  # his own, and that of the record with his address misspelt
    with pytest.raises(StateConflict, match="hold on others"):
        await subjects.erase(BOB["name"], who="dpo", why="asked")
    await ask(node, BOB, "later")  # in this process nothing uses the erased key any more
    assert len((await subjects.show(BOB["email"])).keys) == 2


async def test_no_key_is_made_under_a_master_key_that_is_replaced(node: Node, tmp_path: Path) -> None:
    await node.vault.key_of(node.tenant, "ada")
    (tmp_path / "new").write_text(written(b"n" * 32))
    (tmp_path / "old").write_text(written(b"p" * 32))
    references = [SecretRef("file", str(tmp_path / name)) for name in ("new", "old")]
    await rewrap(node.database, node.writer, MasterKeys(*references), node.tenant, who="ops")
    with pytest.raises(ConfigInvalid, match="another master key"):
        await node.vault.key_of(node.tenant, "bob")
    (tmp_path / "old").unlink()
    assert len(await MasterKeys(*references).all()) == 1


async def test_what_is_sealed_is_opened_for_who_may_and_on_record(node: Node, admin: Admin) -> None:
    with pytest.raises(ContractViolated):
        await ask(node, {**ADA, "grade": "x"})
    release = Release(node.tools.decider, node.writer, node.registry, node.tenant, "eve")
    put = patching([{"op": "replace", "path": "/grade", "value": 7}])
    shut = await repair(release, Cause(), put, most=10, carry_out=True, may_open=False)
    assert (shut.released, "scope personal" in shut.failed[0].error) == (0, True)
    guess = patching([{"op": "test", "path": "/name", "value": ADA["name"]}])
    assert (await repair(release, Cause(), guess, most=10, carry_out=False)).fit == 0
    reads = "select body from ledger_entry where kind = 'personal.read'"
    assert admin.execute(reads).fetchall() == []
    assert (await repair(release, Cause(), put, most=10, carry_out=True)).released == 1
    ((body,),) = admin.execute(reads).fetchall()
    assert b'"purpose":"repair"' in body


async def test_a_record_whose_subject_is_empty_passes_no_door(node: Node, admin: Admin) -> None:
    contract = node.registry.named("raises").library.contract("raise-request@1")
    assert contract.personal is not None
    nobody = {**ADA, "email": ""}
    kept = await kept_input(node.registry.named("raises"), node.tenant, contract, nobody, b"{}", (), came=b"{}")
    assert [one.rule for one in kept.violations] == ["subject"]
    assert found_in(kept.data.decode() + everything(admin)) == []
