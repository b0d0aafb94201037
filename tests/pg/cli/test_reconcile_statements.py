"""Statements on the command line: taken in, listed with what is noticed, accepted and recalled."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from .conftest import Permitted, Run

SETTINGS = """
[reconciliation.bank]
[reconciliation.bank.actual.house]
folder = "in"
format = "csv"
settle = "100ms"
account = "DE02"
currency = "EUR"
dialect = {columns = {amount = "amount", booked_on = "day", memo = "memo"}}
"""
HEAD = "day,amount,memo\n"
STATEMENT = (
    "{{1:F01AAAABB99BSMK3513951576}}{{2:O9400934081223BBBBAA33XXXX03592332770812230834N}}{{4:\r\n:20:S1\r\n"
    ":25:DE02120300000000202051\r\n:28C:1/1\r\n:60F:C260302EUR10,00\r\n:61:2603020302C5,00NTRFNONREF//R1\r\n"
    ":62F:C260302EUR99,00\r\n-}}"
).format()


@pytest.fixture
def folder(environment: dict[str, str]) -> Path:
    del environment
    here = Path.cwd()
    (here / "interlock.toml").write_text(SETTINGS)
    (here / "in").mkdir()
    return here


def test_statements_are_taken_listed_held_accepted_and_recalled(run: Run, folder: Path, permitted: Permitted) -> None:
    (folder / "a.csv").write_text(HEAD + "2026-03-02,12.30,rent\n2026-03-03,-0.05,fee\n")
    (folder / "bad.csv").write_text("x\n1\n")
    (folder / "b.sta").write_text(STATEMENT)
    ran = run("reconcile", "take", "bad.csv", "a.csv", "a.csv", "--source", "actual.house", code=2)
    assert "'a.csv': taken\n'a.csv': known already" in ran.out
    assert "12.30 EUR" in ran.out
    assert "'bad.csv' is refused" in ran.err
    ran = run("reconcile", "take", "b.sta", "--side", "actual")
    assert "held" in ran.out
    assert "does not add up" in ran.err
    (held,) = run("reconcile", "statements", "--state", "held", "--json").document["statements"]
    assert (held["account"], held["credit"], held["opening"], held["closing"], held["findings"][0]["rule"]) == (
        "DE02120300000000202051", "5.00 EUR", "10.00 EUR", "99.00 EUR", "balance",
    )  # fmt: skip
    assert "-84.00 EUR off" in run("reconcile", "statement", held["id"]).out
    assert (
        "is in force, accepted by me"
        in run("reconcile", "accept-statement", held["id"], "--why", "the bank says so", "--as", "me").out
    )
    run("reconcile", "recall-statement", held["id"], "--why", "wrong account")
    assert permitted("statement.%") == {f"statement.{became}" for became in ("taken", "held", "accepted", "recalled")}
    entries = run("reconcile", "entries", "--side", "actual", "--json").document["entries"]
    assert sorted((one["amount"], one["in_force"]) for one in entries) == [
        ("-0.05 EUR", True), ("12.30 EUR", True), ("5.00 EUR", False),
    ]  # fmt: skip
    states = {one["name"]: one["state"] for one in run("reconcile", "files", "--json").document["files"]}
    assert states == {"a.csv": "taken", "bad.csv": "refused", "b.sta": "recalled"}


def test_policies_say_who_takes_statements_in_and_accepts_a_ledger(run: Run, folder: Path) -> None:
    (folder / "policies").mkdir()
    (folder / "policies" / "own.cedar").write_text(
        '@id("all") permit (principal, action, resource);\n@id("books-are-for-ines") forbid (principal, action in '
        '[Action::"close", Action::"ledger.accept"], resource) unless { principal.name == "ines" };\n'
    )
    config = folder / "interlock.toml"
    config.write_text('policies = "policies"\n' + config.read_text())
    (folder / "a.csv").write_text(HEAD + "2026-03-02,12.30,rent\n")
    take = ("reconcile", "take", "a.csv", "--source", "actual.house", "--as")
    for refused in (
        (*take, "otto"),
        ("reconcile", "take", "--as", "otto"),
        ("ledger", "accept", "--why", "restored", "--as", "otto"),
        ("ledger", "reconcile", "--accept", str(UUID(int=1)), "--why", "known", "--as", "otto"),
    ):
        assert "books-are-for-ines" in run(*refused, code=None).err
    assert run("reconcile", "files", "--json").document["files"] == []
    run(*take, "ines")


def test_without_files_the_sources_of_the_settings_are_looked_at(run: Run, folder: Path) -> None:
    (folder / "in" / "a.csv").write_text(HEAD + "2026-03-02,1.00,x\n")
    assert run("reconcile", "take", "--json").document == {"taken": {"actual.house": 1}}
    assert "actual.house" in run("reconcile", "take", "--source", "actual.hose", code=4).err
    assert "of which side" in run("reconcile", "take", "in/a.csv", code=2).err
    both = run("reconcile", "take", "in/a.csv", "--source", "actual.house", "--side", "actual", code=2)
    assert "--source" in both.err
    assert "cannot be read" in run("reconcile", "take", "nothing.csv", "--side", "actual", code=4).err
