"""The doctor finds what is wrong before it shows, and says what to do."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from .conftest import DESK, Advance, Run, as_url

Admin = psycopg.Connection[tuple[Any, ...]]


SETTINGS = """
[connectors.missing_bank]
url = "http://127.0.0.1:{port}"
simulated = true

[connectors.missing_bank.operations.pay]
method = "POST"
path = "/payments"
body = {{to = "{{to}}", amount = "{{amount.amount}}", reference = "{{key}}"}}
success = [200, 201]

[connectors.missing_bank.reads.standing]
path = "/customers/{{id}}"
value = "/standing"
"""


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[socket.socket]:
    """The connector that the small workflow needs, listening."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        text = SETTINGS.format(port=listening.getsockname()[1])
        (tmp_path / "interlock.toml").write_text(text, encoding="utf-8")
        yield listening


def look(run: Run, code: int | None) -> dict[str, dict[str, str]]:
    """The doctor's checks by name."""
    ran = run("doctor", "--json", code=code)
    document = ran.document
    assert document["level"] == ("fail" if ran.code else "warn")
    checks = {check["name"]: check for check in document["checks"]}
    assert all(check["todo"] for check in checks.values() if check["level"] != "ok")
    return checks


def test_what_is_fit_to_run_passes_with_its_warnings(run: Run, bank: socket.socket) -> None:
    checks = look(run, 0)
    checks.pop("ledger")  # nothing runs that would seal it
    assert {name for name, check in checks.items() if check["level"] == "warn"} == {
        "login",  # the tests connect as a superuser
        "ledger key",
        "workers",
        "dossier of desk",
        "mode",
    }
    assert checks["connector missing_bank"]["level"] == "ok"
    assert checks["published"]["what"].startswith("0 of 3 references are published")
    assert "(INTERLOCK_DATABASE_URL)" in checks["setting database_url"]["what"]
    assert "(default)" in checks["setting lease"]["what"]
    people = run("doctor").out
    assert "simulated connectors only" in people
    assert "0 fail" in people


def test_a_connector_that_is_down_or_missing_fails(run: Run, bank: socket.socket) -> None:
    bank.close()
    assert "Connect" in look(run, 1)["connector missing_bank"]["what"]


def test_a_connector_that_cannot_be_made_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text('[connectors.missing_bank]\nurl = "http://127.0.0.1:1"\n', "utf-8")
    assert "operations" in look(run, 1)["connector missing_bank"]["what"]


def test_a_fact_that_no_connector_reads_fails(run: Run, bank: socket.socket, tmp_path: Path) -> None:
    settings = tmp_path / "interlock.toml"
    text = settings.read_text("utf-8")
    assert "fact standing" not in look(run, 0)
    settings.write_text(text.replace("reads.standing", "reads.rating"), "utf-8")
    found = look(run, 1)["fact standing"]
    assert found["todo"] == "add [connectors.missing_bank.reads.standing] to interlock.toml"


def test_an_incomplete_dossier_before_a_live_connector_fails(
    run: Run, bank: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_CONNECTORS__MISSING_BANK__SIMULATED", "false")
    assert "may not be used" in look(run, 1)["dossier of desk"]["what"]


def test_partitions_rights_and_forced_row_security_are_seen(run: Run, bank: socket.socket, admin: Admin) -> None:
    name = admin.execute("select max(inhrelid::regclass::text) from pg_inherits where inhparent = 'decision'::regclass")
    (last,) = name.fetchone() or ("",)
    admin.execute(f"alter table decision detach partition {last}".encode())
    admin.execute("create table leftover (id int)")
    admin.execute("alter table leftover owner to interlock_service")
    admin.execute(f"grant select on {last.replace('decision', 'journal')} to interlock_service".encode())
    checks = look(run, 1)
    assert "2 months ahead" in checks["partitions"]["what"]
    for fault in ("it owns the table leftover", "it has rights on the partition journal_", "not forced on leftover"):
        assert fault in checks["roles"]["what"]


def test_a_database_that_a_newer_version_has_changed_is_told(run: Run, bank: socket.socket, admin: Admin) -> None:
    note = b"insert into public.interlock_migration (name, digest) values (%s, '00')"
    for name, level in (("9998_more.before.sql", "warn"), ("9999_less.after.sql", "fail")):
        admin.execute(note, (name,))
        check = look(run, None)["newer schema"]
        assert (check["level"], name in check["what"]) == (level, True)
        admin.execute(b"delete from public.interlock_migration where name = %s", (name,))


def test_cases_whose_code_nobody_carries_are_seen(run: Run, bank: socket.socket, admin: Admin) -> None:
    run("submit", "desk", "-", given='{"who": "ana", "total": "1.00"}\n')
    checks = look(run, 0)
    assert checks["stranded cases"]["level"] == "warn"
    assert "start `interlock up`" in checks["stranded cases"]["todo"]
    admin.execute(
        "insert into worker (name, code, lease_until) values ('another', '{}', clock_timestamp() + interval '1 hour'), "
        "('gone', '{}', clock_timestamp() - interval '1 hour')"
    )
    checks = look(run, 1)
    assert "1 of desk 1.0.0" in checks["stranded cases"]["what"]
    assert "another" in checks["workers"]["what"]
    assert "gone" in checks["lost workers"]["what"]


def test_a_workflow_that_does_not_load_is_one_failed_check(
    run: Run, bank: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "desk_workflow:desk,desk_workflow:nothing")
    checks = look(run, 1)
    assert checks["workflow desk_workflow:desk"]["level"] == "ok"
    assert checks["workflow desk_workflow:nothing"]["level"] == "fail"


def test_settings_that_cannot_be_read_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_LEASS", "3s")
    assert "settings" in look(run, 1)


def test_a_missing_schema_and_a_missing_server_are_told_apart(
    run: Run, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_POLICIES", "nowhere")
    monkeypatch.setenv("INTERLOCK_API_HOST", "0.0.0.0")  # noqa: S104 - as behind a proxy
    monkeypatch.setenv("INTERLOCK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    checks = look(run, 1)
    assert "does not answer" in checks["schema"]["what"]
    assert (checks["policies"]["level"], "there is no folder" in checks["policies"]["what"]) == ("fail", True)
    assert (checks["public address"]["level"], "set public_url" in checks["public address"]["todo"]) == ("warn", True)
    monkeypatch.delenv("INTERLOCK_POLICIES")
    ran = run("cases", "--json", code=7)
    assert "does not answer" in ran.err
    assert ran.out == ""


@pytest.fixture
def least(admin: Admin, database_url: str) -> Iterator[str]:
    """The URL of a role that may do what the service may, and nothing else."""
    name, secret = f"interlock_least_{secrets.token_hex(4)}", secrets.token_hex(8)
    admin.execute(f"create role {name} login password '{secret}' in role interlock_service".encode())
    yield as_url(make_conninfo(database_url, user=name, password=secret))
    admin.execute(f"drop role {name}".encode())


def test_a_role_that_may_only_serve_is_told_what_it_may_not(
    run: Run, bank: socket.socket, least: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_DATABASE_URL", least)
    told = run("tenants", "list", code=2 if look(run, None)["schema"]["level"] == "ok" else 7)
    assert "admin_database_url" in told.err
    monkeypatch.setenv("INTERLOCK_ADMIN_DATABASE_URL", environment["INTERLOCK_DATABASE_URL"])
    checks = look(run, 0)
    assert checks["schema"]["level"] == "ok"
    assert "login" not in checks
    assert run("tenants", "list", "--json").document["tenants"] == []
    assert run("submit", "desk", "-", "--json", given='{"who": "ana", "total": "1.00"}\n').document["new"] == 1


def test_a_case_in_work_needs_no_doctor(run: Run, bank: socket.socket, advance: Advance) -> None:
    run("submit", "desk", "-", given='{"who": "ana", "total": "1.00"}\n')
    advance()
    assert look(run, 0)["stranded cases"]["level"] == "ok"


TILL = """
[connectors.till]
kind = "sql"
simulated = true
options = {{same_database = true, role = "{role}"}}

[connectors.till.operations.pay]
statement = "insert into payout values (%(key)s)"
parameters = {{key = "{{key}}"}}
"""


def test_a_role_that_effects_may_not_run_as_is_seen(
    run: Run, bank: socket.socket, admin: Admin, tmp_path: Path
) -> None:
    role = f"till_{secrets.token_hex(4)}"
    file = tmp_path / "interlock.toml"
    file.write_text(file.read_text("utf-8") + TILL.format(role=role), "utf-8")
    assert look(run, 1)["connector till"]["what"] == f"there is no role {role}"
    admin.execute(f"create role {role}".encode())
    try:
        assert look(run, 0)["connector till"]["level"] == "ok"
        admin.execute(f"grant interlock_service to {role}".encode())
        assert "rights on the schema interlock" in look(run, 1)["connector till"]["what"]
    finally:
        admin.execute(f"drop role {role}".encode())


def test_in_production_what_is_not_published_is_told(
    run: Run, bank: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERLOCK_MODE", "production")
    checks = look(run, 1)
    assert "mode" not in checks
    assert "nothing is published" in checks["published"]["what"]
    run("publish", "--all", "--why", "first")
    assert "nobody signs it" in look(run, 1)["ledger key"]["what"]
    run("ledger", "keygen", str(tmp_path / "signer"), "--origin", "ledger.example.com/test")
    monkeypatch.setenv("INTERLOCK_LEDGER_KEY", f"file:{tmp_path / 'signer'}")
    checks = look(run, 0)
    assert checks["published"]["what"] == "3 of 3 references are published, and loaded"


def test_a_published_version_that_cannot_be_loaded_is_told(run: Run, bank: socket.socket, admin: Admin) -> None:
    run("rules", "publish", str(DESK / "components" / "approve-claim@1.rules.json"), "--why", "first")
    admin.execute(
        "insert into publication (id, tenant, kind, name, version, line, digest, content, author, why, at) "
        "select gen_random_uuid(), tenant, kind, name, '1.1', line, sha256('newer'), 'newer', 'n', 'n', now() "
        "from publication"
    )
    admin.execute(
        "insert into in_force (tenant, kind, name, line, change, publication, since, author, why) "
        "select tenant, kind, name, line, 2, id, now(), 'n', 'n' from publication where version = '1.1'"
    )
    told = look(run, 1)["published"]
    assert "rules approve-claim@1.1" in told["what"]
    assert "cannot be loaded" in told["what"]
    assert "revert the line" in told["todo"]
    run("rules", "revert", "approve-claim@1", "--to", "1", "--why", "it cannot be loaded")
    assert look(run, 0)["published"]["level"] == "ok"
