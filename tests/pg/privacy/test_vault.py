"""The vault on a real database: one key a person, opened for a purpose, gone within a second of its erasure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.contracts.mark import Mark, Personal
from interlock.db.database import Database
from interlock.errors import ConfigInvalid, PersonalErased, PurposeRefused
from interlock.privacy.keys import written
from interlock.privacy.master import MasterKeys, made_beside
from interlock.privacy.vault import LATELY_S, Vault
from interlock.setting_forms import SecretRef

Admin = psycopg.Connection[tuple[Any, ...]]
MARK = Mark(personal=True, purposes=("payment",))
PERSONAL = Personal(subject=("email",), fields=((("email",), MARK), (("name",), MARK)))
RECORD = {"email": "ada@example.com", "name": "Ada", "amount": "3.00"}
ONE, TWO = SecretRef("env", "ONE"), SecretRef("env", "TWO")
ENVIRON = {"ONE": written(b"1" * 32), "TWO": written(b"2" * 32)}


def vault_of(database: Database, current: SecretRef | None = ONE, previous: SecretRef | None = None) -> Vault:
    return Vault(database, MasterKeys(current, previous, environ=ENVIRON))


@pytest.fixture
async def other(database: Database) -> UUID:
    return await database.ensure_tenant("other")


async def protected(vault: Vault, tenant: UUID) -> dict[str, Any]:
    found = await vault.protect(tenant, PERSONAL, RECORD)
    assert found is not None
    return found.value


async def test_processes_that_meet_a_person_at_once_agree_on_the_key(
    database: Database, tenant: UUID, admin: Admin
) -> None:
    vaults = [vault_of(database) for _ in range(6)]
    values = await asyncio.gather(*(protected(vault, tenant) for vault in vaults))
    assert all(value == values[0] for value in values)
    assert admin.execute("select count(*) from subject_key").fetchall() == [(1,)]
    assert admin.execute("select count(*) from personal_secret").fetchall() == [(1,)]
    assert values[0]["amount"] == "3.00"
    assert await vault_of(database).open(tenant, values[0], "payment") == RECORD


async def test_a_token_opens_for_its_purposes_and_its_tenant_only(
    database: Database, tenant: UUID, other: UUID
) -> None:
    vault = vault_of(database)
    value = await protected(vault, tenant)
    with pytest.raises(PurposeRefused, match="/email is personal: it may be read for payment, and marketing is stated"):
        await vault.open(tenant, value, "marketing")
    with pytest.raises(PurposeRefused):
        await vault.open(tenant, value, "")
    with pytest.raises(PersonalErased):
        await vault_of(database).open(other, value, "payment")
    assert await protected(vault, other) != value
    assert await vault.open(tenant, [f"Dear {value['name']}!"], None) == ["Dear Ada!"]


async def test_the_same_person_has_one_key_whatever_the_record(database: Database, tenant: UUID) -> None:
    vault = vault_of(database)
    first = await vault.protect(tenant, PERSONAL, RECORD)
    second = await vault.protect(tenant, PERSONAL, {"email": "ada@example.com"})
    third = await vault.protect(tenant, PERSONAL, {"email": "bob@example.com"})
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.key == second.key != third.key
    for nobody in ({}, {"email": None}, {"email": ""}, {"email": ["x"]}, {"email": True}):
        assert await vault.protect(tenant, PERSONAL, nobody) is None


async def test_an_erased_key_opens_nothing_after_a_second_in_any_process(
    database: Database, tenant: UUID, admin: Admin
) -> None:
    vault = vault_of(database)
    value = await protected(vault, tenant)
    admin.execute(
        "update subject_key set wrapped = null, erased_at = now(), erased_by = 'x', erased_why = 'x' where tenant = %s",
        (tenant,),
    )
    with pytest.raises(PersonalErased):
        await vault_of(database).open(tenant, value, "payment")
    await asyncio.sleep(LATELY_S + 0.05)
    with pytest.raises(PersonalErased):
        await vault.open(tenant, value, "payment")
    assert await protected(vault, tenant) != value  # another key: nothing joins the two


async def test_a_new_master_key_counts_at_once_and_the_old_one_opens_what_it_wrapped(
    database: Database, tenant: UUID
) -> None:
    value = await protected(vault_of(database), tenant)
    assert await vault_of(database, TWO, ONE).open(tenant, value, "payment") == RECORD
    assert await protected(vault_of(database, TWO, ONE), tenant) == value
    with pytest.raises(ConfigInvalid, match="does not open under the master key that is set"):
        await vault_of(database, TWO).open(tenant, value, "payment")
    with pytest.raises(ConfigInvalid, match="there is no master key"):
        await vault_of(database, None).open(tenant, value, "payment")


async def test_bytes_that_break_a_contract_are_sealed_whole_and_alike(database: Database, tenant: UUID) -> None:
    class _Contract:
        personal = PERSONAL

    vault = vault_of(database)
    data = b"\xff{not json \x00 ada@example.com"
    contract: Any = _Contract()
    sealed, key = await vault.seal(tenant, contract, data, None)
    assert b"ada" not in sealed
    assert (sealed, key) == await vault.seal(tenant, contract, data, None)
    assert await vault.unseal(tenant, sealed) == data
    assert await vault.unseal(tenant, b"{}") == b"{}"
    known = await vault.protect(tenant, PERSONAL, RECORD)
    assert known is not None
    assert (await vault.seal(tenant, contract, b"{}", RECORD))[1] == known.key


def test_the_key_of_an_embedded_database_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    first = made_beside(tmp_path / "data")
    path = tmp_path / "data" / "privacy.key"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("ascii")
    assert made_beside(tmp_path / "data") == first
    assert path.read_text("ascii") == text
    assert [one.name for one in path.parent.iterdir()] == ["privacy.key"]
    path.chmod(0o644)
    with pytest.raises(ConfigInvalid, match="others may read this key"):
        made_beside(tmp_path / "data")
