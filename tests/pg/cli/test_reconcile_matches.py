"""Rounds and matches on the command line, with the pack's own solver and scorer, and books of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import msgspec
import pytest

from interlock.sim import SimulatedBooks

from .conftest import Advance, Permitted, Run

WORKFLOW = "interlock.packs.reconciliation.workflow:reconciliation"
SETTINGS = """
[reconciliation.bank.expected.invoices]
folder = "in/invoices"
format = "csv"
account = "open items"
currency = "EUR"
dialect = {{columns = {{amount = "amount", booked_on = "day", memo = "memo", reference = "reference"}}}}
[reconciliation.bank.actual.house]
folder = "in"
format = "csv"
account = "DE02"
currency = "EUR"
dialect = {{columns = {{amount = "amount", booked_on = "day", memo = "memo", reference = "reference"}}}}
[connectors.books]
kind = "http"
url = "{url}"
simulated = true
honours_keys = true
key_retention = "30d"
can_look_up = false
max_request_life = "2s"
[connectors.books.operations.book]
method = "POST"
path = "/journals"
body = {{reference = "{{reference}}", date = "{{date}}", currency = "{{currency}}", lines = "{{lines}}"}}
[connectors.books.reads.accounts]
path = "/accounts"
value = ""
[connectors.books.operations.unbook]
method = "POST"
path = "/journals/{{undoes.response.id}}/reversal"
"""
HEAD = "day,amount,memo,reference\n"
EXPECTED = HEAD + "2026-03-02,1234.56,INVOICE 4711 CORVINUS MARITIME,RF18 4711\n2026-03-02,77.00,INVOICE 9,RF9\n"
ACTUAL = HEAD + "2026-03-03,1234.56,INVOICE 4711 CORVINUS MARITIME,RF18 4711\n"


@pytest.fixture
def books(tmp_path: Path) -> Iterator[SimulatedBooks]:
    """Books of this test."""
    with SimulatedBooks(tmp_path / "ledger") as found:
        yield found


def test_a_match_is_made_shown_confirmed_and_undone(
    run: Run,
    advance: Advance,
    books: SimulatedBooks,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    permitted: Permitted,
) -> None:
    here = Path.cwd()
    (here / "interlock.toml").write_text(SETTINGS.format(url=books.url))
    (here / "e.csv").write_text(EXPECTED)
    (here / "a.csv").write_text(ACTUAL)
    environment["INTERLOCK_WORKFLOWS"] = WORKFLOW  # the worker's
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", WORKFLOW)
    assert "There was no round of bank yet" in run("reconcile", "rounds").out
    run("reconcile", "take", "e.csv", "--source", "expected.invoices")
    run("reconcile", "take", "a.csv", "--source", "actual.house")

    figures = run("reconcile", "run", "--json").document
    assert (figures["expected"], figures["actual"], figures["target"]) == (2, 1, 1)
    for review in run("reviews", "--json").document["reviews"]:
        run("resolve", review["id"], "approve", "--reason", "as_proposed")
    advance()
    assert "1, of which 1 stand" in run("reconcile", "run").out
    (found,) = run("reconcile", "matches", "--state", "booked", "--json").document["matches"]
    assert (found["expected"], found["actual"], found["form"]) == ("1234.56 EUR", "1234.56 EUR", "1:1")
    shown = run("reconcile", "match", found["id"])
    assert shown.out.count("INVOICE 4711 CORVINUS MARITIME") == 2
    assert "booked: 1 matches, 1234.56 EUR" in run("reconcile", "matches").out
    assert {one.balance for one in books.accounts()} == {"1234.56", "-1234.56"}
    assert "The books and our rows agree" in run("reconcile", "balance").out
    posted_by_hand(books)
    told = run("reconcile", "balance", "--json", code=9).document
    assert [(one["account"], one["ours"], one["theirs"]) for one in told["accounts"] if not one["agrees"]] == [
        ("clearing:actual", "1234.56 EUR", "1234.57 EUR")
    ]

    run("reconcile", "confirm", found["id"], "--why", "they told me", "--as", "ines")
    assert run("reconcile", "match", found["id"], "--json").document["by_person"] == "ines"
    undone = run("reconcile", "undo", found["id"], "--why", "they were wrong", "--as", "ines", "--json").document
    assert (undone["was"], undone["word"]) == ("booked", "no")
    run("reconcile", "undo", found["id"], "--why", "again", code=5)
    assert permitted("match.%") == {"match.confirmed", "match.refused"}
    run("reconcile", "confirm", str(uuid4()), "--why", "which?", code=4)
    advance()
    assert run("reconcile", "run", "--json").document["target"] == 0
    assert run("reconcile", "matches", "--json").document["counts"] == [
        {"state": "withdrawn", "matches": 1, "money": "1234.56 EUR"}
    ]
    assert {one.balance.strip("-") for one in books.accounts()} == {"0.00", "0.01"}
    rounds = run("reconcile", "rounds", "--json").document["rounds"]
    assert len(rounds) == 3
    assert rounds[0]["figures"]["expected"] == 2


def test_a_wrong_statement_is_taken_back_by_one_command(
    run: Run,
    advance: Advance,
    books: SimulatedBooks,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_in(run, books, environment, monkeypatch)
    run("reconcile", "run")
    for review in run("reviews", "--json").document["reviews"]:
        run("resolve", review["id"], "approve", "--reason", "as_proposed")
    (wrong,) = (
        one for one in run("reconcile", "statements", "--json").document["statements"] if one["account"] == "DE02"
    )

    command = ("reconcile", "recall-statement", wrong["id"])
    pending = run(*command, "--plan", "--json").document
    assert [(one["kind"], one["state"], one["count"], one["amount"]) for one in pending["affected"]] == [
        ("match", "pending", 1, "1234.56 EUR")
    ]
    advance()
    assert "1 matches, 1234.56 EUR: booked, and undone" in run(*command, "--plan").out
    asked = run(*command, code=2)  # it shows the same, and does nothing without a reason
    assert "1 matches, 1234.56 EUR: booked, and undone" in asked.out
    assert run("reconcile", "statement", wrong["id"], "--json").document["state"] == "in_force"

    # without a worker it leaves the undo to those that run: as if it were killed there
    begun = run(*command, "--why", "wrong account", "--wait", "0", "--json").document
    assert (begun["state"], begun["done"], begun["left"], begun["affected"][0]["state"]) == (
        "recalled", False, 1, "booked",
    )  # fmt: skip
    assert {one.balance for one in books.accounts()} == {"1234.56", "-1234.56"}
    advance()
    ended = run(*command)
    assert "1 matches, 1234.56 EUR: withdrawn" in ended.out
    assert "All is taken back." in ended.out
    assert {one.balance.strip("-") for one in books.accounts()} == {"0.00"}
    again = run(*command, "--json").document
    assert (again["done"], again["affected"], again["round"]["target"]) == (True, [], 0)


def test_a_wrong_scorer_is_recalled_and_people_decide(
    run: Run,
    advance: Advance,
    books: SimulatedBooks,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_in(run, books, environment, monkeypatch)
    run("reconcile", "run")
    for review in run("reviews", "--json").document["reviews"]:
        run("resolve", review["id"], "approve", "--reason", "as_proposed")
    advance()
    monkeypatch.setattr("interlock.cli.recall._STUCK_S", 0.2)  # the worker runs afterwards
    scorer = ("--component", "onnx:match-scorer@1")
    planned = run("recall", "plan", *scorer)
    assert "onnx:match-scorer@1 goes on deciding, also what is decided anew: `--stop`" in planned.out
    started = run("recall", "start", *scorer, "--stop", "--why", "trained on the wrong year")
    assert "people decide what onnx:match-scorer@1 decided" in started.out
    advance()
    assert {one.balance.strip("-") for one in books.accounts()} == {"0.00"}
    assert run("reconcile", "run", "--json").document["proposed"]["review"] == 1
    (review,) = run("reviews", "--json").document["reviews"]
    assert "stopped" in str(review), review


def posted_by_hand(books: SimulatedBooks) -> None:
    """A cent that somebody else posts to an account of ours."""
    lines = [{"account": "clearing:actual", "amount": "0.01"}, {"account": "elsewhere", "amount": "-0.01"}]
    body = {"reference": "by hand", "date": "2026-03-05", "currency": "EUR", "lines": lines}
    url, key = f"{books.url}/journals", {"Idempotency-Key": '"by-hand"'}
    asked = Request(url, msgspec.json.encode(body), key)  # noqa: S310 - this test's own books
    with urlopen(asked, timeout=10) as answer:  # noqa: S310 - the same
        assert answer.status == 201


def taken_in(run: Run, books: SimulatedBooks, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files, one of each side, whose entries match once."""
    here = Path.cwd()
    (here / "interlock.toml").write_text(SETTINGS.format(url=books.url))
    (here / "e.csv").write_text(EXPECTED)
    (here / "a.csv").write_text(ACTUAL)
    environment["INTERLOCK_WORKFLOWS"] = WORKFLOW  # the worker's
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", WORKFLOW)
    run("reconcile", "take", "e.csv", "--source", "expected.invoices")
    run("reconcile", "take", "a.csv", "--source", "actual.house")
