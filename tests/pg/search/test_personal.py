"""A personal value is found whole, by a digest under the tenant's secret; the search is on record, the value not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import settings_for

from interlock.cases.finding import Finder, Search, searchable_points
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import workflow
from interlock.clock import Clock
from interlock.db.database import Database
from interlock.errors import PurposeRefused, Refused
from interlock.node import open_node
from interlock.privacy.keys import written
from interlock.privacy.master import MasterKeys
from interlock.privacy.subject import Subjects
from interlock.privacy.vault import Vault
from interlock.search.entry import NewSearchable, digests_of, fields_of, terms_of
from interlock.search.reindex import reindex
from interlock.search.store import ADD_SEARCHABLE, SET_SEARCHABLE
from interlock.search.term import LONGEST_TEXT
from interlock.search.where import read_where
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: order
name: {name}
version: 1.0.0
status: active
team: {{name: shop, members: [{{username: shop@example.com, role: owner}}]}}
schema:
  - name: order
    logicalType: object
    properties:
      - name: email
        logicalType: string
        required: true
        customProperties:
          - {{property: subject, value: true}}
          - {{property: purposes, value: [refund]}}
          - {{property: searchable, value: true}}
"""
FILE = """\
workflow: shop
contract: order@1
time_zone: UTC
decisions:
  approve:
    components: [person]
    input: order@1
    output: order@1
    purpose: refund
"""


async def shop(case: Any) -> str:
    """Nothing."""
    return str(case)


def registry_of(folder: Path) -> Registry:
    """One point whose input is personal."""
    (folder / "contracts").mkdir()
    (folder / "contracts" / "order@1.odcs.yaml").write_text(CONTRACT.format(name="order"))
    file = folder / "shop.workflow.yaml"
    file.write_text(FILE)
    return Registry([register(workflow("shop", version="1.0.0", file=file)(shop), (folder,))])


def vault_of(database: Database) -> Vault:
    return Vault(database, MasterKeys(SecretRef("env", "K"), None, environ={"K": written(b"1" * 32)}))


async def test_a_personal_value_is_found_whole_and_is_nowhere(database_url: str, admin: Admin, tmp_path: Path) -> None:
    registry = registry_of(tmp_path)
    contract = registry.all[0].library.contract("order@1")
    fields = fields_of("shop.approve", contract, None)
    value = {"email": "Ana.Very.Long" + "x" * LONGEST_TEXT + "@Example.com"}
    async with open_node(settings_for(database_url), registry=Registry(())) as node:
        tenants = {"mine": node.tenant, "theirs": await node.database.ensure_tenant("theirs")}
        vault = vault_of(node.database)
        ids: dict[str, UUID] = {}
        for name, tenant in tenants.items():
            ids[name] = Clock().new_id()
            keyed = (await vault.secret(tenant)).value
            terms = terms_of(fields, {"email": "{personal:v1:...}"}, None, digests_of(fields, value, None, keyed))
            async with node.database.tenant(tenant) as connection:
                await ADD_SEARCHABLE.run(connection, [NewSearchable(tenant=tenant, id=ids[name], **terms)])
            admin.execute(
                "insert into decision (id, tenant, workflow, point, key, input, input_hash, component, propensity, "
                "attempts, findings, verdicts, reasons, route, evidence, cost, declaration, took_us, decided_at) "
                "values (%s, %s, 'shop', 'approve', 'k', '', '', 'person', 1, '', '', '', '', 'reject', '', 0, '', '', "
                "now())",
                (ids[name], tenant),
            )
        finder = Finder(node.database, node.writer, registry, vault)
        where = read_where(f'email="{value["email"].upper()}"')
        for name, tenant in tenants.items():
            page = await finder.find(tenant, Search(where, purpose="refund"), who="rosa")
            assert [one.id for one in page.decisions] == [ids[name]]
        for other in (None, "marketing"):
            with pytest.raises(PurposeRefused, match="refund"):
                await finder.find(node.tenant, Search(where, purpose=other), who="rosa")
        none = await finder.find(node.tenant, Search(read_where("email=ana"), purpose="refund"), who="rosa")
        assert none.decisions == ()
        with pytest.raises(Refused, match="no key"):
            await Finder(node.database, node.writer, registry).find(
                node.tenant, Search(where, purpose="refund"), who="rosa"
            )
    terms = [row[0] for row in admin.execute("select s1 from searchable").fetchall()]
    assert len(set(terms)) == 2  # the same value of two tenants: nothing shows that it is the same
    bodies = [row[0] for row in admin.execute("select body from ledger_entry where kind = 'search.made'").fetchall()]
    assert len(bodies) == 3
    assert all(b'"who":"rosa"' in body for body in bodies)
    assert not any(b"ana" in body.lower() for body in bodies)
    assert any(bytes(term)[8:].hex().encode() in body for term in terms for body in bodies)


async def test_a_decision_on_a_person_is_found_until_the_person_is_erased(
    database_url: str, admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_PRIVACY_KEY", written(b"p" * 32))
    settings = settings_for(database_url, privacy_key=SecretRef("env", "TEST_PRIVACY_KEY"))
    async with open_node(settings, registry=registry_of(tmp_path)) as node:
        named = find_point(node.registry, "shop.approve")
        for key, email in (("one", "Ana@Example.com"), ("two", "bob@example.com")):
            value = {"email": email}
            await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key=key, value=value, caller="till")
        finder = Finder(node.database, node.writer, node.registry, node.vault)

        async def keys(where: str) -> list[str]:
            page = await finder.find(node.tenant, Search(read_where(where), purpose="refund"), who="rosa")
            return [one.key for one in page.decisions]

        assert await keys("email=ana@example.com route=review") == ["one"]
        assert await keys("email=bob@example.com") == ["two"]
        subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
        await subjects.erase("Ana@Example.com", who="rosa", why="asked for it")
        assert await keys("email=ana@example.com") == []
        assert await keys("email=bob@example.com") == ["two"]
        fields = searchable_points(node.registry, node.tenant)["shop.approve"]
        assert [one.written async for one in reindex(node.database, node.tenant, "shop.approve", fields)] == [0]
        assert await keys("caller=till") == ["two", "one"]
        # who read the row before the erasure, and writes it after, brings nothing back
        (term,) = (row[0] for row in admin.execute("select s1 from searchable where s1 is not null").fetchall())
        (one, two) = (row[0] for row in admin.execute("select id from decision order by id").fetchall())
        stale = [NewSearchable(tenant=node.tenant, id=at, s1=bytes(term), s2=b"\x01plain") for at in (one, two)]
        async with node.database.tenant(node.tenant) as connection:
            await SET_SEARCHABLE.run(connection, stale)
        kept = admin.execute("select s1 is not null, s2 is not null from searchable order by id").fetchall()
        assert kept == [(False, True), (True, True)]
    stored = [bytes(row[0]) for row in admin.execute("select s1 from searchable where s1 is not null").fetchall()]
    assert len(stored) == 1
    assert b"example" not in stored[0]
