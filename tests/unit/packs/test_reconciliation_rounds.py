"""What a round works out: what is to be done, and the journal that books a match."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.cases.declaration import load_declaration
from interlock.money import Money
from interlock.packs.reconciliation.matching.scorer import FOLDER
from interlock.packs.reconciliation.rounds.compare import (
    MEMBER_SCHEMA,
    STANDING_SCHEMA,
    WORD_SCHEMA,
    Comparison,
    compare,
)
from interlock.packs.reconciliation.rounds.question import Proposal, amount_text, journal
from interlock.packs.reconciliation.rounds.solving import Words
from interlock.packs.reconciliation.rounds.target import TARGET_SCHEMA, members_digest
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.packs.reconciliation.workflow import reconciliation

TERMS = ReconciliationTerms(name="bank")
MINOR = st.integers(-(10**15), 10**15)


def wanted(*rows: tuple[str, bool, str, str]) -> pl.DataFrame:
    """A target: members, whether it is sure, an entry of each side."""
    return pl.DataFrame(
        [
            {
                "members": members, "form": "1:1", "currency": "EUR", "expected": [one], "actual": [other],
                "expected_minor": 1, "actual_minor": 1, "probability": 0.9, "margin": 1.0, "sure": sure,
                "contradicts": False, "beyond": False,
                "features": [0.9], "explained": "none", "reasons": "",
            }
            for members, sure, one, other in rows
        ],
        schema=TARGET_SCHEMA,
    )  # fmt: skip


def standing(*rows: tuple[str, bool, str, str]) -> pl.DataFrame:
    """Matches that are alive: members, whether it was sure, state, word; its id is its members' letter in capitals."""
    return pl.DataFrame(
        [
            (members.upper(), members, sure, state, word, "", "", "EUR", 1, 1)
            for members, sure, state, word in rows
        ],
        schema=STANDING_SCHEMA,
        orient="row",
    )  # fmt: skip


def held(*rows: tuple[str, str]) -> pl.DataFrame:
    """Which match holds which entry."""
    return pl.DataFrame(list(rows), schema=MEMBER_SCHEMA, orient="row")


def told(found: Comparison) -> dict[str, Any]:
    """By letters."""
    return {
        "kept": found.kept,
        "undoing": found.undoing,
        "gone": found.gone["members"].to_list(),
        "new": found.new["members"].to_list(),
        "waiting": found.waiting["members"].to_list(),
    }


@pytest.mark.parametrize(
    ("alive", "expected"),
    [
        ((), {"kept": 0, "undoing": 0, "gone": [], "new": ["a"], "waiting": []}),
        (("a", True, "booked", ""), {"kept": 1, "undoing": 0, "gone": [], "new": [], "waiting": []}),
        (("a", False, "asked", ""), {"kept": 0, "undoing": 0, "gone": ["a"], "new": [], "waiting": ["a"]}),
        (("a", False, "booked", "yes"), {"kept": 1, "undoing": 0, "gone": [], "new": [], "waiting": []}),
        (("a", True, "withdrawing", ""), {"kept": 0, "undoing": 1, "gone": [], "new": [], "waiting": ["a"]}),
        (("b", True, "booked", ""), {"kept": 0, "undoing": 0, "gone": ["b"], "new": [], "waiting": ["a"]}),
        (("b", True, "booked", "yes"), {"kept": 0, "undoing": 0, "gone": ["b"], "new": [], "waiting": ["a"]}),
    ],
)
def test_what_stays_goes_begins_and_waits(
    alive: tuple[str, bool, str, str] | tuple[()], expected: dict[str, Any]
) -> None:
    rows = standing(alive) if alive else standing()
    members = held((alive[0].upper(), "e1"), (alive[0].upper(), "a1")) if alive else held()
    assert told(compare(wanted(("a", True, "e1", "a1")), rows, members)) == expected


@given(MINOR, MINOR, st.sampled_from(["EUR", "JPY", "KWD"]), st.sampled_from(["fee", "rounding", "none", "tolerance"]))
def test_a_journal_balances_and_its_debits_are_what_is_at_stake(
    expected: int, actual: int, currency: str, explained: str
) -> None:
    same_sign = (expected >= 0) == (actual >= 0)
    actual = actual if same_sign else -actual
    entry = {"booked_on": date(2026, 3, 2)}
    proposal = Proposal(
        members=UUID(int=1), turn=0, form="1:1", currency=currency, expected=(entry,),
        actual=({"booked_on": date(2026, 3, 5)},), expected_minor=expected, actual_minor=actual, probability=0.9,
        margin=1.0, sure=True, contradicts=False, beyond=False, features=(0.9,), explained=explained, reasons="",
    )  # fmt: skip
    made = journal(proposal, TERMS)
    amounts = [Decimal(line["amount"]) for line in made["lines"]]
    assert sum(amounts) == 0
    assert sum(amount for amount in amounts if amount > 0) == proposal.exposure.amount
    assert made["date"] == "2026-03-05"
    named = {line["account"] for line in made["lines"][2:]}
    assert named <= {"fees" if explained == "fee" else "differences"}


@given(MINOR, st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_an_amount_is_written_as_money_writes_it(minor: int, currency: str) -> None:
    assert amount_text(minor, currency) == f"{Money.of_minor(minor, currency).amount:f}"


def test_the_digest_of_members_knows_sides_and_no_order() -> None:
    one = members_digest("bank", ["x", "y"], ["z"])
    assert one == members_digest("bank", ["y", "x"], ["z"])
    assert one not in {members_digest("bank", ["x"], ["y", "z"]), members_digest("other", ["x", "y"], ["z"])}


def test_the_file_is_as_careful_as_the_scorer_was_fitted_to_be() -> None:
    point = load_declaration(reconciliation.file).decisions["match"]
    fitted = json.loads((FOLDER / "thresholds.json").read_text("utf-8"))["sure_from"]
    assert min(fitted) <= point.sure_from < 1
    assert not point.bands


def test_a_yes_stands_whenever_it_can_and_the_newest_word_counts() -> None:
    rows = [  # the newest first
        ("5", "E3", "expected", "no"), ("5", "A3", "actual", "no"),
        ("4", "E3", "expected", "yes"), ("4", "A3", "actual", "yes"),  # refused since
        ("3", "E1", "expected", "yes"), ("3", "A2", "actual", "yes"),
        ("2", "E1", "expected", "yes"), ("2", "A1", "actual", "yes"),
        ("1", "E2", "expected", "yes"), ("1", "E1", "actual", "yes"),  # the same identity on the other side
    ]  # fmt: skip
    said = Words.of(pl.DataFrame(rows, schema=WORD_SCHEMA, orient="row"))
    older, newer, other = [
        (frozenset({mine}), frozenset({theirs})) for mine, theirs in (("E1", "A1"), ("E1", "A2"), ("E2", "E1"))
    ]
    expected = {"E1", "E2", "E3"}
    assert said.in_force(expected, {"A1", "A2", "A3", "E1"}).confirmed == (newer, other)
    assert said.in_force(expected, {"A1", "A3"}).confirmed == (older,)
    assert said.in_force(expected, {"A1", "A2", "A3", "E1"}).refused == {(frozenset({"E3"}), frozenset({"A3"}))}
