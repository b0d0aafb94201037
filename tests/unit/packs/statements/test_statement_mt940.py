"""Every MT940 file of the real data against its expected result, or refused by name; and forms that they lack."""

from __future__ import annotations

import base64
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from interlock.errors import StatementUnreadable
from interlock.money import Money
from interlock.packs.reconciliation.entry import Balance, Statement
from interlock.packs.reconciliation.statements import findings_of, format_of, read_statements

FILES = (
    "betterplace/currency_in_25", "betterplace/empty_86", "betterplace/empty_entry_date", "betterplace/empty_line",
    "betterplace/missing_crlf_at_end", "betterplace/sepa_mt9401", "betterplace/sepa_snippet",
    "betterplace/sepa_snippet_broken", "cmxl/account_balance_credit", "cmxl/account_balance_debit",
    "cmxl/account_identification_iban", "cmxl/available_balance", "cmxl/statement_details", "cmxl/statement_line",
    "cmxl/statement_number", "jejik/abnamro", "jejik/postfinance", "jejik/sns", "mBank/mt942",
    "mBank/with_newline_in_tnr", "sberbank/171011_01234945", "self-provided/account_identification",
    "self-provided/details_60-63", "self-provided/empty_non_swift", "self-provided/february_30",
    "self-provided/invalid_statement", "self-provided/long_statement_number", "self-provided/malformed_details",
    "self-provided/mt942", "self-provided/multiline", "self-provided/overly_long_details", "self-provided/raphaelm",
    "self-provided/sparkassen", "self-provided/transaction_details_wrapped", "self-provided/wrapped_timestamp",
)  # fmt: skip
REFUSED = {
    "self-provided/invalid_statement": "holds no field of a statement",  # the numbers 1 to 10
    "self-provided/raphaelm": "no currency of today: .*DEM",  # marks, which ended in 2002
}
"""Files that hold no statement of which anything could be booked, and what is said of them."""
FRAGMENTS = frozenset({
    "betterplace/currency_in_25", "betterplace/empty_86", "betterplace/empty_entry_date", "betterplace/empty_line",
    "betterplace/missing_crlf_at_end", "cmxl/account_balance_credit", "cmxl/account_balance_debit",
    "cmxl/account_identification_iban", "cmxl/available_balance", "cmxl/statement_details", "cmxl/statement_line",
    "cmxl/statement_number", "self-provided/account_identification", "self-provided/empty_non_swift",
    "self-provided/sparkassen",
})  # fmt: skip
"""Pieces of statements without account or currency: refused alone, and read where both are given beside the file."""


def _expected(path: Path) -> Any:
    """A dump of the library's objects as plain mappings, lists and texts: no tag of it is followed."""
    return cast("Any", YAML(typ="base", pure=True)).load(path.read_text())


def _day(node: Any) -> date | None:
    if not isinstance(node, list) or not node:
        return None
    raw = base64.b64decode(str(cast("list[Any]", node)[0]))
    return date(raw[0] << 8 | raw[1], raw[2], raw[3])


def _text(node: Any) -> str:
    text = "" if node is None or node in ("null", "NONREF", "NOTPROVIDED") else str(node)
    return " ".join(text.split())


def _amount(data: Any) -> Decimal:
    """What the library gave before it knew that a reversal of a credit takes money away."""
    amount = Decimal(data["amount"]["amount"][0])
    return -amount if data["status"] == "RC" else amount


@pytest.mark.parametrize("name", sorted(set(FILES) - set(REFUSED)))
def test_a_file_gives_what_is_expected_of_it(name: str, shared_data: Path) -> None:
    path = shared_data / "statements" / "mt940" / f"{name}.sta"
    assert format_of(path) == "mt940"
    account, currency = ("A-1", "EUR") if name in FRAGMENTS else ("", "")
    statements = read_statements(path, account=account, currency=currency)
    expected = _expected(path.with_suffix(".yml"))
    entries = [(statement, row) for statement in statements for row in statement.entries.rows(named=True)]
    assert not any(statement.broken for statement in statements)
    transactions: list[Any] = [one["data"] for one in expected["transactions"]]
    assert len(entries) == len(transactions)
    for (statement, row), data in zip(entries, transactions, strict=True):
        assert Money.of_minor(row["minor"], statement.currency).amount == _amount(data)
        value = _day(data["date"])
        assert row["value_on"] == value
        assert row["booked_on"] == (_day(data.get("entry_date")) or value)
        assert row["bank_reference"] == _text(data["bank_reference"])
        assert row["code"].split("-")[0] == data["id"].strip()
        assert row["reverses"] is (data["status"] in {"RC", "RD"})
        assert row["counterparty"] == _text(data.get("applicant_name"))
        for words in ("purpose", "extra_details", "transaction_details"):
            if words == "transaction_details" and name == "self-provided/multiline":
                continue  # the library takes the text after the closing balance for one of the last entry's
            assert _text(data.get(words)) in row["memo"]
        for words in ("end_to_end_reference", "additional_position_reference"):
            assert _text(data.get(words)) in row["reference"]
    _hold_balances(statements, expected["data"])


def _hold_balances(statements: list[Statement], data: Any) -> None:
    """The dump holds the last balance of each name over the whole file; some statement has to state it."""
    for name, edge in (("final_opening_balance", "opening"), ("final_closing_balance", "closing")):
        if name in data:
            amount, on = Decimal(data[name]["amount"]["amount"][0]), _day(data[name]["date"])
            stated = [(one, getattr(one, edge)) for one in statements]
            found = [(Money.of_minor(at.minor, one.currency).amount, at.on) for one, at in stated if at]
            assert (amount, on) in found


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_file_is_refused_by_name(name: str, shared_data: Path) -> None:
    path = shared_data / "statements" / "mt940" / f"{name}.sta"
    with pytest.raises(StatementUnreadable, match=REFUSED[name]) as refused:
        read_statements(path, format="mt940")
    assert path.name in refused.value.where
    assert refused.value.todo


@pytest.mark.parametrize("name", sorted(FRAGMENTS))
def test_a_fragment_alone_is_refused(name: str, shared_data: Path) -> None:
    with pytest.raises(StatementUnreadable, match=r"names no (account|currency of today)"):
        read_statements(shared_data / "statements" / "mt940" / f"{name}.sta")


def test_the_table_names_every_file(shared_data: Path) -> None:
    folder = shared_data / "statements" / "mt940"
    assert {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sta")} == set(FILES)


HEAD = ":20:S\n:25:DE89370400440532013000\n:28C:7/1\n:60F:C260101EUR100,00\n"
TAIL = ":62F:C260131EUR112,50\n-\n"


def one(text: str) -> Statement:
    (statement,) = read_statements(text.encode())
    return statement


def test_a_broken_line_costs_one_entry() -> None:
    statement = one(
        f"{HEAD}:61:2601020102C12,50NTRFA//B1\n:86:good\n:61:nonsense\n:86:lost\n:61:260103D1,2,3NTRFB\n{TAIL}"
    )
    assert statement.entries["minor"].to_list() == [1250]
    assert [(one.line, one.where, one.rule) for one in statement.broken] == [
        (2, "line 7", "syntax"),
        (3, "line 9", "syntax"),
    ]
    assert statement.broken[0].data == b":61:nonsense\n:86:lost"
    (broken, *_) = findings_of(statement)
    assert broken.rule == "broken"


def test_marks_give_the_sign() -> None:
    lines = "".join(f":61:2601020102{mark}1,00NTRFX\n" for mark in ("C", "D", "RC", "RD"))
    statement = one(HEAD + lines + TAIL)
    assert statement.entries["minor"].to_list() == [100, -100, -100, 100]
    assert statement.entries["reverses"].to_list() == [False, False, True, True]


def test_a_year_turns_between_the_two_days() -> None:
    statement = one(f"{HEAD}:61:2612310102C1,00NTRFX\n{TAIL}")
    assert statement.entries.row(0, named=True)["booked_on"] == date(2027, 1, 2)
    assert statement.entries.row(0, named=True)["value_on"] == date(2026, 12, 31)


def test_tags_between_slashes() -> None:
    details = (
        "/TRTP/SEPA OVERBOEKING/IBAN/NL27ABNA0000000000/BIC/ABNANL2A/NAM\nE/J. JANSEN/REMI/Factuur 7, dank/EREF/E2E-9"
    )
    row = one(f"{HEAD}:61:2601020102C1,00NTRFX//B\n:86:{details}\n{TAIL}").entries.row(0, named=True)
    assert (row["counterparty"], row["counterparty_account"]) == ("J. JANSEN", "NL27ABNA0000000000")
    assert row["memo"] == "Factuur 7, dank"
    assert "E2E-9" in row["reference"].split()


def test_a_time_that_looks_like_a_field_ends_no_statement() -> None:
    statement = one(f"{HEAD}:61:2601020102C1,00NTRFX//B\n:86:at 13\n:20:37 Uhr\n:61:2601020102C1,00NTRFY\n{TAIL}")
    assert statement.entries.height == 2


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_any_line_end(ends: str) -> None:
    statement = one((HEAD + ":61:2601020102C12,50NTRFA\n:86:one\n two\n" + TAIL).replace("\n", ends))
    assert statement.entries["memo"].to_list() == ["one two"]
    assert not findings_of(statement)


def test_an_envelope_is_passed_over() -> None:
    text = (
        f"{{1:F01BANK}}{{2:O940}}{{4:\n{HEAD}:61:2601020102C12,50NTRFA\n:86:text\n:62F:C260131EUR112,50\n-}}\n{{5:x}}"
    )
    assert one(text).closing == Balance(minor=11250, on=date(2026, 1, 31))
    assert one(text).entries["memo"].to_list() == ["text"]


def test_a_mangled_tag_does_not_move_the_account() -> None:
    statement = one(f"{HEAD}:61:2601020102C12,50NTRFA\n:25:166?00GUTSCHRIFT\n{TAIL}")
    assert statement.account == "DE89370400440532013000"


def test_an_interim_report_says_so() -> None:
    head = ":20:S\n:25:A1\n:28C:1/1\n:34F:EURC0,00\n:13D:2601021730+0130\n"
    text = f"{head}:61:260102C1,00NTRFA\n:90C:1EUR1,00\n:90D:0EUR0,00\n"
    statement = one(text)
    assert statement.format == "mt942"
    assert statement.made_at == datetime.fromisoformat("2026-01-02T16:00:00+00:00")
    assert (statement.totals.count, statement.totals.credit) == (1, 100)


def test_currencies_of_other_decimals() -> None:
    statement = one(
        HEAD.replace("EUR100,00", "JPY100,") + ":61:260102C7,NTRFA\n:61:260102C7,5NTRFA\n:62F:C260131JPY107,\n"
    )
    assert statement.entries["minor"].to_list() == [7]
    assert "more decimals than JPY" in statement.broken[0].what
    kuwait = one(HEAD.replace("EUR100,00", "KWD100,000") + ":61:260102C7,125NTRFA\n:62F:C260131KWD107,125\n")
    assert kuwait.entries["minor"].to_list() == [7125]
    assert not findings_of(kuwait)


@pytest.mark.parametrize(
    "amount", ["10.50", "1.234,56", "1 234,56", "12'345,00", "99999999999999999,00", "1234.56", "1,2,3", "10,00-", ","]
)
def test_an_amount_is_whole_or_broken(amount: str) -> None:
    """What reads as far as it understands makes 1 of 1.234,56, and a balance cut alike may even agree."""
    statement = one(f"{HEAD}:61:2601020102C{amount}NTRFA\n{TAIL}")
    assert (statement.entries.height, [broken.rule for broken in statement.broken]) == (0, ["syntax"])
    held = one(f"{HEAD.replace('100,00', amount)}:61:260102C12,50NTRFA\n{TAIL}")
    assert held.opening is None
    assert "balance" in {finding.rule for finding in findings_of(held)}


def test_zeros_before_an_amount_are_nothing() -> None:
    assert one(f"{HEAD.replace('100,00', '0' * 20 + '100,00')}{TAIL}").opening == Balance(
        minor=10000, on=date(2026, 1, 1)
    )


def test_the_account_with_an_identifier_code() -> None:
    assert one(HEAD.replace(":25:DE89370400440532013000", ":25P:DE89 3704\nDEUTDEFF") + TAIL).account == "DE893704"


@pytest.mark.parametrize(
    ("number", "own"), [("0", ""), ("00000", ""), ("00000/001", ""), ("7/1", "7/1"), ("10/0", "10/0")]
)
def test_zero_is_no_number(number: str, own: str) -> None:
    assert one(HEAD.replace("7/1", number) + TAIL).number == own


def test_the_opening_balances_day_is_that_of_the_statement_before() -> None:
    assert one(HEAD + TAIL).first_day == date(2026, 1, 2)
    whole = one(HEAD + ":61:2601010101C12,50NTRFA\n" + TAIL.replace("260131", "260101"))
    assert whole.first_day == date(2026, 1, 1)
    assert not findings_of(one(HEAD + ":61:2601010101C12,50NTRFA\n" + TAIL))


COFFEE = ":61:2601020102D0,25NCHGNONREF\n:86:COFFEE\n"


def paged(*pages: tuple[str, str, str]) -> list[Statement]:
    texts = [f":20:S\n:25:DE1\n:28C:{number}\n:60{opens}\n{COFFEE}:62{closes}\n-\n" for number, opens, closes in pages]
    return read_statements("".join(texts).encode())


@pytest.mark.parametrize(
    ("numbers", "between"),
    [(("5/1", "5/2"), "M"), (("5/1", "5/2"), "F"), (("5", "5"), "M"), (("00000/001", "0/2"), "M")],
)
def test_pages_in_one_file_are_one_statement(numbers: tuple[str, str], between: str) -> None:
    """So that equal entries on two pages are two of one statement."""
    (statement,) = paged(
        (numbers[0], "F:C260102EUR10,00", f"{between}:C260102EUR9,75"),
        (numbers[1], f"{between}:C260102EUR9,75", "F:C260102EUR9,50"),
    )
    assert statement.entries.select("line", "minor").rows() == [(1, -25), (2, -25)]
    assert (statement.opening, statement.closing) == (
        Balance(minor=1000, on=date(2026, 1, 2)), Balance(minor=950, on=date(2026, 1, 2)),
    )  # fmt: skip
    assert statement.number == ("" if numbers[0].startswith("0") else numbers[0])
    assert not findings_of(statement)


@pytest.mark.parametrize("numbers", [("5/1", "6/1"), ("5/1", "5/3"), ("0/1", "0/1"), ("0", "0")])
def test_statements_after_each_other_are_no_pages(numbers: tuple[str, str]) -> None:
    found = paged(
        (numbers[0], "F:C260102EUR10,00", "F:C260102EUR9,75"), (numbers[1], "F:C260102EUR9,75", "F:C260102EUR9,50")
    )
    assert [one.entries.height for one in found] == [1, 1]


def test_pages_that_do_not_meet_are_held_as_a_whole() -> None:
    (statement,) = paged(
        ("5/1", "F:C260102EUR10,00", "M:C260102EUR9,75"), ("5/2", "M:C260102EUR9,70", "F:C260102EUR9,45")
    )
    assert {one.rule for one in findings_of(statement)} == {"balance"}
