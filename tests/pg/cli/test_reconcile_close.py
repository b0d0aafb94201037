"""Reports, closes and breaks on the command line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from .conftest import Permitted, Run

SETTINGS = """
[reconciliation.bank]
[reconciliation.bank.actual.house]
folder = "in"
format = "csv"
account = "DE02"
currency = "EUR"
dialect = {columns = {amount = "amount", booked_on = "day", memo = "memo"}}
"""


@pytest.fixture
def taken(run: Run) -> Path:
    here = Path.cwd()
    (here / "interlock.toml").write_text(SETTINGS)
    (here / "in").mkdir()
    (here / "a.csv").write_text("day,amount,memo\n2026-03-02,12.30,rent\n2026-03-03,-0.05,fee\n")
    run("reconcile", "take", "a.csv", "--source", "actual.house")
    return here


def test_an_account_is_reported_on_signed_off_and_closed_again(run: Run, taken: Path, permitted: Permitted) -> None:
    assert taken.exists()
    what = ("--account", "DE02", "--until", "2026-03-31")
    shown = run("reconcile", "report", *what)
    assert "ties: actual EUR: the flows leave 2 entries with 12.25 EUR open" in shown.out
    sums = run("reconcile", "report", *what, "--csv").out.splitlines()
    assert sums[0] == "side,currency,what,entries,amount"
    assert "actual,EUR,received,2,12.25" in sums
    assert 'actual,EUR,"open: waiting, 8 to 30 days",2,12.25' in sums
    assert "no day" in run("reconcile", "report", "--account", "DE02", "--until", "soon", code=2).err
    assert "its accounts are DE02" in run("reconcile", "report", "--account", "X", "--until", "2026-03-31", code=4).err
    assert "no round has looked at any entry yet" in run("reconcile", "close", *what, "--why", "March", code=2).err
    what = (*what, "--carry-over", "round")
    signed = run("reconcile", "close", *what, "--why", "March", "--wait", "0", "--as", "ines", "--json").document
    assert signed["leaf"] is None
    run("reconcile", "close", *what, "--why", "March", "--wait", "0", code=5)
    again = run("reconcile", "close", *what, "--why", "a slip", "--reopen", "--wait", "0", "--as", "ines")
    assert "It is not sealed yet" in again.out
    assert permitted("reconciliation.%") == {"reconciliation.closed", "reconciliation.reopened"}
    closes = run("reconcile", "closes", "--json").document["closes"]
    assert [(one["state"], one["signed_by"], one["reopened_why"]) for one in closes] == [
        ("reopened", "ines", "a slip"), ("closed", "ines", None),
    ]  # fmt: skip
    assert closes[0]["id"] == signed["close"]
    assert "DE02" in run("reconcile", "closes").out
    report = msgspec.json.Encoder(order="sorted").encode(closes[0]["report"])
    assert hashlib.sha256(report).hexdigest() == closes[0]["digest"] == signed["digest"]


def test_breaks_are_listed_and_counted(run: Run, taken: Path) -> None:
    assert taken.exists()
    assert "bank has no such breaks" in run("reconcile", "breaks", "--due").out
    assert run("reconcile", "breaks", "--cause", "missing", "--json").document == {"breaks": [], "counts": []}
