"""Each other file of the real data: what it must give, or with which words it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interlock.errors import StatementUnreadable
from interlock.money import Money
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements import Dialect, findings_of, read, read_statements, source

GERMAN = Dialect(
    columns={"booked_on": "Buchungstag", "memo": "Verwendungszweck", "amount": "Betrag", "currency": "CCY",
             "account": "IBAN", "bank_reference": "Ref"},
    delimiter=";", decimal=",", thousands=".",
)  # fmt: skip
SPANISH = Dialect(
    columns={"booked_on": "Fecha", "memo": "Concepto", "amount": "Importe", "currency": "Moneda", "account": "Cuenta",
             "bank_reference": "Referencia"},
    delimiter=";", decimal=",", thousands=".",
)  # fmt: skip
FRENCH = Dialect(
    columns={"booked_on": "Date opération", "memo": "Libellé", "debit": "Débit", "credit": "Crédit",
             "currency": "Devise", "bank_reference": "Référence"},
    account="FR7612345", delimiter=";", decimal=",",
)  # fmt: skip
PLAIN = Dialect(
    columns={"booked_on": "Date", "memo": "Description", "amount": "Amount", "currency": "Currency"}, account="A"
)
SAMPLE = Dialect(
    columns={"booked_on": "Date", "memo": "Description", "amount": "Amount", "currency": "Currency",
             "account": "Account", "bank_reference": "Reference"},
)  # fmt: skip
SPLIT = Dialect(
    columns={"booked_on": "Booking Date", "memo": "Details", "credit": "Credit", "debit": "Debit", "currency": "CCY",
             "account": "IBAN", "bank_reference": "Ref"},
    delimiter=";", decimal=",",
)  # fmt: skip
GIVES: dict[str, tuple[Dialect | None, list[tuple[str, str, list[str], int]]]] = {
    "camt.053.001.02.xml": (
        None,
        [("50000000054910000003", "SEK", ["105678.50", "-200000.00", "30000.00"], 0)],
    ),
    "golden/camt053_multicurrency.xml": (
        None,
        [("DE89370400440532013000", "EUR", ["1250.50", "-500.25"], 0), ("US-ACCT-0099", "USD", ["-99.99"], 0)],
    ),
    "golden/camt053_duplicate_same_day.xml": (None, [("DE89370400440532013000", "EUR", ["-4.50", "-4.50"], 0)]),
    "golden/camt053_no_namespace.xml": (None, [("GB29NWBK60161331926819", "GBP", ["250.00"], 0)]),
    "golden/camt053_garbled_amount.xml": (None, [("DE89370400440532013000", "EUR", [], 1)]),
    "golden/csv_european_decimals.csv": (
        GERMAN, [("DE89370400440532013000", "EUR", ["-1234.56", "3500.00", "-4.50"], 0)]),
    "golden/csv_spanish_headers.csv": (
        SPANISH, [("ES9121000418450200051332", "EUR", ["-1234.56", "3500.00", "-4.50"], 0)]),
    "golden/csv_french_headers.csv": (FRENCH, [("FR7612345", "EUR", ["-1234.56", "3500.00", "-4.50"], 0)]),
    "golden/csv_garbled_amount.csv": (PLAIN, [("A", "EUR", ["100.00"], 1)]),
    "sample_split_amounts.csv": (SPLIT, [("DE4455667788", "EUR", ["1250.50", "-200.25"], 0)]),
    "sample_statement.csv": (SAMPLE, [("DE123456789", "EUR", ["2500.00", "-1200.00"], 0)]),
    "sample.mt940": (None, [("NL91ABNA0417164300", "EUR", ["1250.50", "-80.25"], 0)]),
    "sample.ofx": (None, [("BE4455667788", "EUR", ["1250.50", "-80.25"], 0)]),
    "sample.qfx": (None, [("123456789", "USD", ["-15.00"], 0)]),
}  # fmt: skip
REFUSED: dict[str, tuple[Dialect | None, str]] = {
    "pain.001.001.03.xml": (None, "is pain.001, an order to pay, and no statement"),
    "invalid.xml": (None, "holds no statement"),
    "pain_file.csv": (SAMPLE, "no column is called 'Date'"),  # what was made of a pain.001, and no statement
    "camt_file.csv": (SAMPLE, "no column is called 'Amount'"),  # one line that sums a statement up
}
NO_STATEMENT = {
    "LICENSE",
    *(f"eval/{name}.json" for name in ("european_format", "same_day_duplicates", "single_currency_checking")),
}
"""The licence; and the texts of paper statements with what is in them, used below."""


def _amounts(statement: Statement) -> list[str]:
    return [f"{Money.of_minor(minor, statement.currency).amount:f}" for minor in statement.entries["minor"].to_list()]


@pytest.mark.parametrize("name", sorted(GIVES))
def test_a_file_gives_its_entries(name: str, shared_data: Path) -> None:
    dialect, expected = GIVES[name]
    statements = read_statements(shared_data / "statements" / "other" / name, dialect=dialect)
    assert [(one.account, one.currency, _amounts(one), len(one.broken)) for one in statements] == expected
    for statement in statements:
        wrong = {finding.rule for finding in findings_of(statement)}
        assert wrong == ({"broken"} if statement.broken else set())
        assert all("12..34" in one.what and b"12..34" in one.data for one in statement.broken)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_file_is_refused_by_name(name: str, shared_data: Path) -> None:
    dialect, words = REFUSED[name]
    with pytest.raises(StatementUnreadable, match=words) as refused:
        read_statements(shared_data / "statements" / "other" / name, dialect=dialect)
    assert refused.value.where
    assert refused.value.todo


def test_the_tables_name_every_file(shared_data: Path) -> None:
    folder = shared_data / "statements" / "other"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == GIVES.keys() | REFUSED.keys() | NO_STATEMENT


@pytest.mark.parametrize("name", sorted(NO_STATEMENT - {"LICENSE"}))
def test_the_arithmetic_of_paper_statements(name: str, shared_data: Path) -> None:
    """Their transactions as a table in European form, with their balances: two add up, and one is 3.20 off."""
    expected = json.loads((shared_data / "statements" / "other" / name).read_text())["expected"]
    lines = [
        f"{one['booking_date']};{one['amount'].replace('.', ',')};{one['description']}"
        for one in expected["transactions"]
    ]
    dialect = Dialect(
        columns={"booked_on": 1, "amount": 2, "memo": 3}, header=False, delimiter=";", decimal=",",
        account=expected["account_id"], currency=expected["currency"],
    )  # fmt: skip
    (statement,) = read_statements("\n".join(lines).encode(), format="csv", dialect=dialect)
    assert _amounts(statement) == [one["amount"] for one in expected["transactions"]]
    assert statement.entries["memo"].to_list() == [one["description"] for one in expected["transactions"]]


@pytest.mark.parametrize(("form", "text"), [("mt940", ":20:S\n"), ("ofx", "<OFX></OFX>"), ("camt", "<Document/>")])
def test_forms_that_cost_much_memory_have_bounds_of_their_own(
    form: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read.LARGEST_OF[form] < source.LARGEST
    monkeypatch.setitem(read.LARGEST_OF, form, 4)
    with pytest.raises(StatementUnreadable, match=f"at most 4 are read as {form}"):
        read_statements(text.encode())
