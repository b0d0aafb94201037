"""Reading statements, whatever bytes come: entries by their schema, or an error with a name; and exact amounts."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.errors import MoneyInvalid, Refused
from interlock.money import Money, exponent
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Statement
from interlock.packs.reconciliation.statements import Dialect, findings_of, format_of, read_statements
from interlock.packs.reconciliation.statements.amounts import minor_of_floats, minor_units, plain_amounts

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])
AMOUNTS = st.decimals(min_value=Decimal(-(10**16)), max_value=Decimal(10**16), allow_nan=False, places=4)


def units(texts: list[str], digits: int) -> list[int | None]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(minor_units(pl.col("text"), digits))["text"].to_list()


@given(
    st.lists(st.one_of(AMOUNTS.map(lambda one: f"{one:f}"), st.text(alphabet="0123456789.+-e ", max_size=45))),
    CURRENCIES,
)
def test_amounts_are_what_money_says(texts: list[str], currency: str) -> None:
    for text, minor in zip(texts, units(texts, exponent(currency)), strict=True):
        try:
            expected = Money(text, currency).minor
        except MoneyInvalid:
            # two forms more than in JSON: ``5.`` and ``.5``; and zeros that no decimal of the currency needs
            assert minor is None or Decimal(text) * 10 ** exponent(currency) == minor
        else:
            assert minor == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**51) + 1, 2**51 - 1)), CURRENCIES)
def test_a_double_of_whole_minor_units_is_these(minors: list[int], currency: str) -> None:
    digits = exponent(currency)
    frame = pl.DataFrame({"value": [minor / 10**digits for minor in minors]}, schema={"value": pl.Float64})
    assert frame.select(minor_of_floats(pl.col("value"), digits))["value"].to_list() == minors


@settings(max_examples=30, deadline=None)
@given(st.integers(-(10**12), 10**12), st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (".", "")]))
def test_amounts_in_any_writing(minor: int, signs: tuple[str, str]) -> None:
    decimal, thousands = signs
    text = f"{Decimal(minor).scaleb(-2):,.2f}".replace(",", "_").replace(".", decimal).replace("_", thousands)
    frame = pl.DataFrame({"text": [text]})
    plain = plain_amounts(pl.col("text"), decimal=decimal, thousands=thousands)
    assert frame.select(minor_units(plain, 2))["text"].to_list() == [minor]


CELLS = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ROWS = st.lists(st.tuples(st.dates(date(1980, 1, 1), date(2079, 12, 31)), st.integers(1, 10**9), CELLS), max_size=20)


@given(ROWS, st.sampled_from(",;|\t"), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_csv_gives_back_its_rows(rows: list[tuple[date, int, str]], delimiter: str, end: str, quoted: bool) -> None:  # noqa: FBT001 - drawn
    buffer = io.StringIO()
    writer = csv.writer(
        buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerow(["day", "amount", "memo"])
    writer.writerows([(day.isoformat(), f"{minor // 100}.{minor % 100:02d}", memo) for day, minor, memo in rows])
    dialect = Dialect(
        columns={"booked_on": "day", "amount": "amount", "memo": "memo"},
        account="A",
        currency="EUR",
        delimiter=delimiter,
    )
    (statement,) = read_statements(buffer.getvalue().encode(), format="csv", dialect=dialect)
    assert not statement.broken
    expected = [(day, minor, "".join(one if not one.isspace() else " " for one in memo)) for day, minor, memo in rows]
    found = statement.entries.select("booked_on", "minor", "memo").rows()
    assert [(day, minor, memo.split()) for day, minor, memo in found] == [
        (day, minor, memo.replace("\ufeff", " ").split()) for day, minor, memo in expected
    ]


DIALECT = Dialect(columns={"booked_on": 1, "amount": 2, "memo": 3}, header=False, account="A", currency="EUR")


def hold(data: bytes) -> None:
    """Nothing but statements of the schema, or a refusal that says what to do."""
    for form in {"auto", format_of_or(data)}:
        try:
            statements = read_statements(data, format=form, dialect=DIALECT, account="A", currency="EUR")
        except Refused as refused:
            assert refused.todo  # noqa: PT017 - most bytes are refused, and some are not
            continue
        for statement in statements:
            _hold_schema(statement)


def format_of_or(data: bytes) -> str:
    try:
        return format_of(data)
    except Refused:
        return "auto"


def _hold_schema(statement: Statement) -> None:
    assert dict(statement.entries.schema) == ENTRY_SCHEMA
    assert not any(statement.entries.null_count().row(0))
    assert not (statement.entries["minor"] == 0).any()
    exponent(statement.currency)
    assert statement.account
    lines = [*statement.entries["line"].to_list(), *(one.line for one in statement.broken)]
    assert len(set(lines)) == len(lines)
    findings_of(statement)


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@settings(max_examples=30, deadline=None)
def test_any_bytes(data: bytes) -> None:
    hold(data)


@pytest.mark.parametrize(
    "name",
    ["mt940/betterplace/sepa_snippet.sta", "mt940/self-provided/multiline.sta", "other/camt.053.001.02.xml",
     "other/golden/camt053_multicurrency.xml", "other/sample.ofx", "other/sample_statement.csv", "other/sample.mt940"],
)  # fmt: skip
@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_real_file_cut_and_mixed_up(name: str, data: st.DataObject, shared_data: Path) -> None:
    whole = (shared_data / "statements" / name).read_bytes()
    places = sorted(data.draw(st.lists(st.integers(0, len(whole)), min_size=2, max_size=2)))
    hold(whole[: places[0]])
    hold(whole[places[0] :])
    hold(whole[: places[0]] + data.draw(st.binary(max_size=4)) + whole[places[1] :])
