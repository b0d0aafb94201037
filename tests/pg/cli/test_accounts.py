"""People on the command line: made, changed, let in and out, with an entry of the ledger for each."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from .conftest import Run


def test_people_are_made_changed_and_let_in_and_out(run: Run, database_url: str) -> None:
    made = run("people", "add", "ana", "--role", "reviewer", "--team", "payables", "--as", "ops", "--json").document
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", made["password"])
    assert (made["person"]["roles"], made["person"]["changes_it"]) == (["reviewer"], True)
    assert "somebody named ANA" in run("people", "add", "ANA", code=5).err
    for wrong in (("people", "add", "a b"), ("people", "add", "ben", "--team", "a;b")):
        assert "no usable name" in run(*wrong, code=2).err
    assert "no address" in run("people", "change", "ana", "--email", "nowhere", code=2).err
    changed = run("people", "change", "ana", "--role", "lead", "--no-team", "--as", "ops", "--json").document["person"]
    assert (changed["roles"], changed["teams"], changed["display"]) == (["lead"], [], "ana")
    assert "may not people.manage" in run("people", "change", "ana", "--role", "admin", "--as", "ana", code=2).err
    run("people", "disable", "ana", "--as", "ops")
    assert "disabled already" in run("people", "disable", "ana", code=5).err
    run("people", "enable", "ana", "--as", "ops")
    run("people", "sign-out", "ana", "--as", "ops")
    again = run("people", "password", "ana", "--as", "ops", "--json").document["password"]
    assert again != made["password"]
    assert "nobody named 'ben'" in run("people", "sessions", "ben", code=4).err
    assert "signed in nowhere" in run("people", "sessions", "ana").out
    assert "no provider is named" in run("people", "link", "ana", "--provider", "x", "--subject", "1", code=4).err
    (listed,) = run("people", "list", "--json").document["people"]
    assert (listed["name"], listed["by_password"], listed["issuers"]) == ("ana", True, [])
    run("keys", "add", "shop", "--scope", "read", "--as", "ops")
    run("keys", "revoke", "shop", "--as", "ops")
    keys = _told(database_url, "key.%")
    assert [(kind, '"because":["operators"]' in body) for kind, body in keys] == [
        ("key.made", True),
        ("key.revoked", True),
    ]
    told = _told(database_url)
    assert [kind for kind, _ in told] == [
        "person.made", "person.changed", "person.disabled", "person.enabled", "person.signed_out",
        "person.password_changed",
    ]  # fmt: skip
    bodies = " ".join(body for _, body in told)
    assert bodies.count('"because":["operators"]') == len(told)
    assert '"before":["reviewer"]' in bodies
    assert "argon2" not in bodies
    assert again not in bodies


def _told(database_url: str, like: str = "person.%") -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select kind, convert_from(body, 'utf8') from interlock.ledger_entry where kind like %s order by id",
            (like,),
        ).fetchall()
