"""Which entries are breaks, what they are taken for, and what is said of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from interlock.money import Money
from interlock.packs.reconciliation.breaks.apply import candidates_of
from interlock.packs.reconciliation.breaks.compare import compare_breaks
from interlock.packs.reconciliation.breaks.facts import BreakPlan, break_input, break_key, plan_breaks
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.matching.solution import Figures, Solution
from interlock.packs.reconciliation.terms import ReconciliationTerms

TERMS = ReconciliationTerms(
    name="bank", tolerance_share=Decimal("0.02"), fees=(Money("1.50", "EUR"),), days_later=5, days_earlier=3
)
SCHEMA: dict[str, Any] = {
    "id": pl.String, "identity": pl.String, "account": pl.String, "currency": pl.String, "minor": pl.Int64,
    "booked_on": pl.Date, "value_on": pl.Date, "memo": pl.String, "counterparty": pl.String,
    "counterparty_account": pl.String, "reference": pl.String, "bank_reference": pl.String, "code": pl.String,
    "reverses": pl.Boolean,
}  # fmt: skip
FAR = date(2026, 12, 31)


def entry(identity: str, minor: int, day: int = 10, **more: Any) -> dict[str, Any]:
    on = date(2026, 1, day)
    known = dict.fromkeys(SCHEMA, "") | {
        "id": f"id-{identity}", "identity": identity, "account": "A", "currency": "EUR", "minor": minor,
        "booked_on": on, "value_on": on, "reverses": False,
    }  # fmt: skip
    return known | more


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


def known_until(expected: date | None = FAR, actual: date | None = FAR, account: str = "A") -> pl.DataFrame:
    rows = [(side, account, "EUR", day) for side, day in (("expected", expected), ("actual", actual)) if day]
    schema = {"side": pl.String, "account": pl.String, "currency": pl.String, "last_day": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def plan(
    expected: list[dict[str, Any]],
    actual: list[dict[str, Any]],
    *,
    matched: tuple[str, ...] = (),
    candidates: tuple[tuple[str, str, float], ...] = (),
    horizons: pl.DataFrame | None = None,
    terms: ReconciliationTerms = TERMS,
    late: tuple[str, ...] = (),
) -> BreakPlan:
    looked = pl.DataFrame(
        list(candidates), schema={"expected": pl.String, "actual": pl.String, "probability": pl.Float64}, orient="row"
    )
    sides = {Side.EXPECTED: frame(expected), Side.ACTUAL: frame(actual)}
    taken = pl.Series(list(matched), dtype=pl.String)
    tardy = pl.Series(list(late), dtype=pl.String)
    return plan_breaks(sides, taken, looked, known_until() if horizons is None else horizons, terms, tardy)


def causes(found: BreakPlan) -> dict[str, str]:
    return dict(found.breaks.select("identity", "cause").iter_rows())


def row(found: BreakPlan, identity: str) -> dict[str, Any]:
    return found.breaks.row(by_predicate=pl.col("identity") == identity, named=True)


def test_an_entry_is_a_break_once_the_other_side_is_known_beyond_its_window() -> None:
    """Expected ones may be paid 5 days later: the 15th must be over. Reported ones may be expected 3 days later."""
    mine = [entry("e", 1000)]
    for last, due in ((date(2026, 1, 15), 0), (date(2026, 1, 16), 1)):
        found = plan(mine, [], horizons=known_until(actual=last))
        assert (found.breaks.height, found.waiting) == (due, 1 - due)
    found = plan([], [entry("a", 1000)], horizons=known_until(expected=date(2026, 1, 14)))
    assert causes(found) == {"a": "missing"}
    assert plan(mine, [], horizons=known_until(actual=None)).waiting == 1


def test_what_is_late_by_the_calendar_is_a_break_that_nothing_covers_until_the_other_side_is_known() -> None:
    mine, theirs = [entry("e", 1000, reference="R")], [entry("a", 900, reference="R")]
    short = known_until(actual=date(2026, 1, 9), expected=None)
    found = plan(mine, theirs, horizons=short, late=("id-e",))
    assert (causes(found), found.waiting) == ({"e": "uncovered"}, 1)
    told = break_input(row(found, "e"), TERMS, "key")
    assert "The other side's statements end on 2026-01-09, before" in told["what"]
    assert "difference" not in told
    none = plan(mine, [], horizons=known_until(actual=None), late=("id-e",))
    assert "No statement of the other side has come." in break_input(row(none, "e"), TERMS, "key")["what"]
    assert causes(plan(mine, [], late=("id-e",))) == {"e": "missing"}


def test_where_accounts_are_linked_the_one_that_is_known_least_far_counts() -> None:
    mine = [entry("e", 1000, account="sales")]
    both = pl.concat([known_until(account="bank1"), known_until(actual=date(2026, 1, 12), account="bank2")])
    assert plan(mine, [], horizons=both).waiting == 1
    linked = ReconciliationTerms(name="bank", links=(("sales", "bank1"),))
    assert plan(mine, [], horizons=both, terms=linked).waiting == 0
    unlinked = ReconciliationTerms(name="bank", links=(("other", "bank1"),))
    assert plan(mine, [], horizons=both, terms=unlinked).waiting == 1


def test_each_cause_is_recognised_and_a_match_ends_it() -> None:
    acme: dict[str, Any] = {"counterparty": "ACME Ltd.", "reference": "INV 1"}
    expected = [
        entry("fee", 10000, counterparty="Fee & Co"),
        entry("wrong", 10000, **acme),
        entry("missing", 777, counterparty="Nobody"),
        entry("half", 10000, counterparty="Two Amounts"),
    ]
    actual = [
        entry("paid", 5000, counterparty="Payer", memo="rent"),
        entry("again", 5000, day=12, counterparty="PAYER", memo="Rent"),
        entry("out", -3000, counterparty="Bouncer"),
        entry("back", 3000, day=13, counterparty="bouncer", reverses=True),
        entry("net", 9850, counterparty="FEE and Co".replace("and", "&")),
        entry("less", 9000, counterparty="Someone Else", reference="inv-1"),
        entry("tenth", 1000, counterparty="Two Amounts"),
    ]
    found = plan(expected, actual, matched=("paid",))
    assert causes(found) == {
        "fee": "fee", "net": "fee", "wrong": "wrong-amount", "less": "wrong-amount", "missing": "missing",
        "again": "duplicate", "out": "reversal", "back": "reversal", "half": "missing", "tenth": "missing",
    }  # fmt: skip
    assert row(found, "wrong")["partner"] == "less"
    assert "paid" not in causes(found)


def test_money_that_is_matched_takes_nothing_back() -> None:
    acme: dict[str, Any] = {"counterparty": "ACME Ltd."}
    found = plan([], [entry("paid", 500, **acme), entry("back", -500, day=12, **acme)], matched=("paid",))
    assert causes(found) == {"back": "missing"}


@pytest.mark.parametrize(("paid", "cause"), [(9800, "missing"), (9799, "wrong-amount"), (10205, "wrong-amount")])
def test_what_is_tolerated_is_no_wrong_amount(paid: int, cause: str) -> None:
    found = plan([entry("e", 10000, reference="X1234")], [entry("a", paid, reference="x1234")])
    assert causes(found)["e"] == cause


def test_an_amount_in_the_billions_is_compared_exactly() -> None:
    most = 9_000_000_000_000_000_000
    found = plan([entry("e", most, reference="X1")], [entry("a", most - most // 50 - 1, reference="X1")])
    assert causes(found) == {"e": "wrong-amount", "a": "wrong-amount"}
    within = plan([entry("e", most, reference="X1")], [entry("a", most - most // 50, reference="X1")])
    assert causes(within) == {"e": "missing", "a": "missing"}


def test_the_words_name_what_was_found_and_the_nearest_candidate_with_its_probability() -> None:
    found = plan(
        [entry("e", -123456, counterparty="Bea", reference="R1")],
        [entry("a", -120000, day=12, counterparty="B. Ea"), entry("b", -5, day=12)],
        candidates=(("e", "a", 0.414), ("e", "b", 0.02)),
    )
    told = break_input(row(found, "e"), TERMS, "break/x/0")
    assert told["what"] == (
        "-1234.56 EUR to Bea of 2026-01-10 is expected on A. -1200.00 EUR of 2026-01-12 is reported for the same "
        "party or reference, and differs by 34.56 EUR. The nearest candidate is -1200.00 EUR of 2026-01-12 with B. Ea, "
        "at 41 percent."
    )
    assert (told["cause"], told["difference"], told["held_up"]) == ("wrong-amount", "34.56", "1234.56")
    assert [one["probability"] for one in told["candidates"]] == [0.41, 0.02]
    lines = told["journal"]["lines"]
    assert lines == [
        {"account": "clearing:expected", "amount": "1234.56"},
        {"account": "write-offs", "amount": "-1234.56"},
    ]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "-12345"), ("KWD", "-12.345"), ("EUR", "-123.45")])
def test_amounts_have_the_decimals_of_their_currency_and_write_offs_balance(currency: str, amount: str) -> None:
    reach = known_until().with_columns(currency=pl.lit(currency))
    found = plan([], [entry("a", -12345, currency=currency)], horizons=reach)
    told = break_input(row(found, "a"), TERMS, "k")
    assert told["amount"] == amount
    assert sum(Decimal(line["amount"]) for line in told["journal"]["lines"]) == 0
    assert told["journal"]["lines"][0] == {"account": "clearing:actual", "amount": amount}


def test_what_is_known_of_an_entry_does_not_depend_on_the_order_of_rows_and_changes_with_its_candidates() -> None:
    expected = [entry(f"e{n}", 1000 + n, day=n + 1, counterparty="P") for n in range(8)]
    actual = [entry(f"a{n}", 1700, day=n + 1, counterparty="P") for n in range(8)]
    looked = tuple((f"e{n}", f"a{m}", 0.3) for n in range(8) for m in range(8))
    one = plan(expected, actual, candidates=looked)
    other = plan(expected[::-1], actual[::-1], candidates=looked[::-1])
    assert one.breaks.equals(other.breaks)
    changed = plan(expected, actual, candidates=(*looked[1:], ("e0", "a0", 0.9)))
    keys = [break_key(row(found, "e0"), "bank", 0) for found in (one, changed)]
    assert keys[0] != keys[1]
    assert break_key(row(one, "e1"), "bank", 0) == break_key(row(changed, "e1"), "bank", 0)
    assert break_key(row(one, "e1"), "bank", 0) != break_key(row(one, "e1"), "till", 0)


def test_what_stands_is_kept_taken_back_or_opened() -> None:
    found = plan([entry(name, 1000 + at, day=at + 1) for at, name in enumerate("abcdef")], [], matched=("d", "e"))
    facts = dict(found.breaks.select("id", "facts").iter_rows())
    rows = [
        ("1", "id-a", facts["id-a"], "open"),  # stays
        ("2", "id-b", "00", "open"),  # something else is known: it goes, another comes once it is gone
        ("3", "id-c", "00", "accepted"),  # settled by a person: stays
        ("4", "id-d", "00", "written_off"),  # matched now
        ("5", "id-e", "00", "withdrawing"),  # goes already
        ("6", "id-x", "00", "accepted"),  # no longer in force
    ]
    standing = pl.DataFrame(rows, schema=["id", "entry", "facts", "state"], orient="row").with_columns(case_id="id")
    done = compare_breaks(found, standing)
    assert (done.kept, done.undoing) == (2, 1)
    assert done.gone["id"].to_list() == ["2", "4", "6"]
    assert done.new["identity"].to_list() == ["f"]


def test_the_candidates_of_a_solution_are_those_of_open_entries_and_pairs_too_unlikely_to_be_asked_about() -> None:
    seen = [{"identity": "a", "probability": 0.2}, {"identity": "b", "probability": 0.1}]
    back = [{"identity": "e", "probability": 0.2}]
    columns = {"side": ["expected", "actual", "actual"], "identity": ["e", "a", "c"], "candidates": [seen, back, []]}
    pairs = {
        "expected": [["f"], ["g"]], "actual": [["h"], ["i", "j"]], "probability": [0.3, 0.4],
    }  # fmt: skip
    found = candidates_of(
        Solution(proposals=pl.DataFrame(pairs), open=pl.DataFrame(columns), figures=Figures(expected=3, actual=5))
    )
    assert sorted(found.rows()) == [("e", "a", 0.2), ("e", "b", 0.1), ("f", "h", 0.3)]
    assert candidates_of(None).is_empty()
