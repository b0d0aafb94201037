"""CSV and Parquet by a declared dialect: what they give, what breaks, and what is never guessed."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from interlock.errors import ConfigInvalid, NotFound, Refused, StatementUnreadable
from interlock.packs.reconciliation.entry import ENTRY_SCHEMA, Statement
from interlock.packs.reconciliation.statements import (
    Dialect,
    check_dialect,
    findings_of,
    format_of,
    parquet_file,
    read_statements,
)
from interlock.packs.reconciliation.statements.csv_file import read_csv

PLAIN = Dialect(columns={"booked_on": "day", "amount": "amount", "memo": "memo"}, account="A", currency="EUR")


def changed(**changes: Any) -> Dialect:
    return msgspec.structs.replace(PLAIN, **changes)


def one(text: str | bytes, dialect: Dialect = PLAIN) -> Statement:
    data = text.encode(dialect.encoding) if isinstance(text, str) else text
    (statement,) = read_statements(data, format="csv", dialect=dialect)
    assert dict(statement.entries.schema) == ENTRY_SCHEMA
    return statement


def minors(statement: Statement) -> list[int]:
    return statement.entries["minor"].to_list()


def broken(statement: Statement) -> list[tuple[int, str]]:
    return [(one.line, one.rule) for one in statement.broken]


def test_signed_amounts() -> None:
    statement = one("day,amount,memo\n2026-01-02,12.30,a\n2026-01-03,-0.05,b\n2026-01-04,+7,c\n")
    assert minors(statement) == [1230, -5, 700]
    assert statement.entries["where"].to_list() == ["row 1", "row 2", "row 3"]
    assert statement.entries["value_on"].to_list() == statement.entries["booked_on"].to_list()


def test_inverted_amounts() -> None:
    assert minors(one("day,amount,memo\n2026-01-02,12.30,a\n", changed(inverted=True))) == [-1230]


def test_two_columns() -> None:
    dialect = changed(columns={"booked_on": "day", "credit": "in", "debit": "out"})
    rows = ["12.30,", ",0.05", "1,0.00", "1,2", "-1,", ",", "0.00,"]
    statement = one("day,in,out\n" + "".join(f"2026-01-02,{row}\n" for row in rows), dialect)
    assert minors(statement) == [1230, -5, 100]
    assert broken(statement) == [(4, "amount"), (5, "amount"), (6, "amount")]
    assert [noted.rule for noted in statement.noted] == ["zero"]


def test_a_type_column() -> None:
    columns = {"booked_on": "day", "amount": "amount", "type": "kind"}
    dialect = changed(columns=columns, credits=("CR", "Credit"), debits=("DR",))
    statement = one("day,amount,kind\n2026-01-02,1,CR\n2026-01-02,2,DR\n2026-01-02,3,??\n2026-01-02,-4,CR\n", dialect)
    assert minors(statement) == [100, -200]
    assert broken(statement) == [(3, "syntax"), (4, "syntax")]


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1e2", "1e9999", "NaN", "inf", "--1", "1,00", "1.2.3", "0x10", "1_000", "٣", "1.005", "9" * 30, "1 000",
     "92233720368547758.08", "10000000000000000.01"],
)  # fmt: skip
def test_what_is_no_amount_is_broken(text: str) -> None:
    statement = one(f'day,amount,memo\n2026-01-02,"{text}",a\n2026-01-02,1,b\n')
    assert minors(statement) == [100]
    assert [one.line for one in statement.broken] == [1]
    assert text.encode() in statement.broken[0].data


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("1.234,56", 123456),
        ("-1.234.567,8", -123456780),
        ("1234", 123400),
        ("1.23", None),
        ("12.34,5", None),
        (".123", None),
    ],
)
def test_groups_of_thousands_are_whole(text: str, minor: int | None) -> None:
    statement = one(f'day,amount,memo\n2026-01-02,"{text}",a\n', changed(decimal=",", thousands="."))
    assert minors(statement) == ([] if minor is None else [minor])
    assert len(statement.broken) == (minor is None)


@pytest.mark.parametrize(("currency", "text", "minor"), [("JPY", "7", 7), ("JPY", "7.0", 7), ("KWD", "7.125", 7125)])
def test_currencies_of_other_decimals(currency: str, text: str, minor: int) -> None:
    assert minors(one(f"day,amount,memo\n2026-01-02,{text},a\n", changed(currency=currency))) == [minor]


@pytest.mark.parametrize(
    ("form", "text", "day"),
    [
        ("%d.%m.%Y", "02.01.2026", date(2026, 1, 2)),
        ("%m/%d/%y", "1/2/26", date(2026, 1, 2)),
        ("%Y%m%d", "20260102", date(2026, 1, 2)),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-01-02T23:59:59.5+01:00", date(2026, 1, 2)),
        ("iso", "2026-01-02 23:59:59", date(2026, 1, 2)),
        ("%d.%m.%Y", "2026-01-02", None),
        ("%Y-%m-%d", "2026-02-29", None),
        ("%Y-%m-%d", "0000-00-00", None),
        ("%Y-%m-%d", "12026-01-01", None),
        ("%Y-%m-%d", "2026-01-02x", None),
    ],
)
def test_days_are_read_in_the_declared_form_alone(form: str, text: str, day: date | None) -> None:
    statement = one(f"day,amount,memo\n{text},1,a\n", changed(dates=form))
    assert statement.entries["booked_on"].to_list() == ([] if day is None else [day])
    assert broken(statement) == ([(1, "date")] if day is None else [])


@pytest.mark.parametrize("day", ["1979-12-31", "2080-01-01"])
def test_a_day_out_of_the_contracts_range_is_broken(day: str) -> None:
    statement = one(f"day,amount,memo\n{day},1,a\n2026-01-02,1,b\n")
    assert broken(statement) == [(1, "contract")]
    assert "booked_on" in statement.broken[0].what


def test_quotes_line_breaks_and_uneven_rows() -> None:
    rows = [
        '2026-01-02,1,"a, ""b""\nand c"',
        "2026-01-02,2",
        '2026-01-02,3,5" disk',
        '2026-01-02,4,"never closed',
        "2026-01-02,5,fine",
        "2026-01-02,6,x,y",
        "",
        '"2026-01-02","7","all"',
    ]
    statement = one("day,amount,memo\n" + "\n".join(rows))
    assert statement.entries.select("line", "minor", "memo").rows() == [
        (1, 100, 'a, "b" and c'),
        (5, 500, "fine"),
        (7, 700, "all"),
    ]
    assert broken(statement) == [(2, "syntax"), (3, "syntax"), (4, "syntax"), (6, "syntax")]
    assert statement.broken[1].data == b'2026-01-02,3,5" disk'


@pytest.mark.parametrize("many", [99, 101, 30_000])
def test_no_line_of_a_memo_is_an_entry(many: int) -> None:
    """Else who writes a memo would write entries; a row of more lines than rows have is broken, up to its end."""
    memo = "note\n" + "line\n" * (many - 2) + "2026-01-02,999999,an invoice\nend"
    text = f'day,amount,memo\n2026-01-02,12,"{memo}"\n2026-01-02,7,b\n'
    statement = one(text)
    assert minors(statement) == ([1200, 700] if many == 99 else [700])
    assert broken(statement) == ([] if many == 99 else [(1, "syntax")])
    (exact,) = read_csv(text.encode(), PLAIN, is_exact=True)
    assert minors(exact) == [1200, 700]


def test_what_a_server_wrote_with_wrong_quotes_is_refused() -> None:
    with pytest.raises(StatementUnreadable, match="a quote stands where none may"):
        read_csv(b'day,amount,memo\n2026-01-02,1,"a\n2026-01-02,2,b\n', PLAIN, is_exact=True)


def test_no_quotes_where_none_are_declared() -> None:
    assert one('day,amount,memo\n2026-01-02,3,5" disk\n', changed(quote="")).entries["memo"].to_list() == ['5" disk']


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "utf-8-sig"])
def test_ends_of_lines_and_encodings(end: str, encoding: str) -> None:
    text = end.join(["day,amount,memo", "2026-01-02,1,Café", "2026-01-03,2,b"])
    statement = one(text, changed(encoding=encoding))
    assert statement.entries["memo"].to_list() == ["Café", "b"]


def test_bytes_of_another_encoding_cost_their_row() -> None:
    statement = one(b"day,amount,memo\n2026-01-02,1,Caf\xe9\n2026-01-03,2,b\n")
    assert minors(statement) == [200]
    assert broken(statement) == [(1, "encoding")]


def test_a_mark_of_another_encoding_is_told() -> None:
    with pytest.raises(StatementUnreadable, match="its mark says that it is utf-16"):
        one("day,amount,memo\n2026-01-02,1,a\n".encode("utf-16"))


def test_control_characters_are_white_space() -> None:
    assert one("day,amount,memo\n2026-01-02,1, a\0\tb\x1b \n").entries["memo"].to_list() == ["a b"]


def test_a_long_memo_is_cut_and_a_long_reference_broken() -> None:
    columns = {"booked_on": "day", "amount": "amount", "memo": "memo", "bank_reference": "id"}
    statement = one(
        f"day,amount,memo,id\n2026-01-02,1,{'m' * 2000},a\n2026-01-02,1,b,{'r' * 2000}\n", changed(columns=columns)
    )
    assert [len(memo) for memo in statement.entries["memo"].to_list()] == [1000]
    assert broken(statement) == [(2, "contract")]


def test_accounts_and_currencies_by_column() -> None:
    columns = {"booked_on": "day", "amount": "amount", "account": "acc", "currency": "ccy"}
    rows = ["1,A 1,EUR", "2,B,JPY", "3,A1,EUR", "4,,EUR", "5,B,???", "6,A1,JPY", "7.5,B,JPY"]
    text = "day,amount,acc,ccy\n" + "".join(f"2026-01-02,{row}\n" for row in rows)
    statements = read_statements(text.encode(), format="csv", dialect=Dialect(columns=columns))
    assert [(one.account, one.currency, minors(one)) for one in statements] == [
        ("A1", "EUR", [100, 300]), ("B", "JPY", [2]), ("A1", "JPY", [6]),
    ]  # fmt: skip
    assert broken(statements[0]) == [(4, "contract"), (5, "currency")]
    assert broken(statements[1]) == [(7, "amount")]


def test_several_columns_make_a_memo() -> None:
    columns = {"booked_on": 1, "amount": 2, "memo": (3, 4)}
    statement = one("2026-01-02,1,a,b\n2026-01-02,2,,c\n", changed(columns=columns, header=False))
    assert statement.entries["memo"].to_list() == ["a b", "c"]


def test_an_empty_table_has_no_entries() -> None:
    assert one("day,amount,memo\n").entries.height == 0


def test_equal_rows_are_all_there() -> None:
    assert minors(one("day,amount,memo\n" + "2026-01-02,1,a\n" * 3)) == [100, 100, 100]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,amount,memo\n2026-01-02,1,a\n", "columns.booked_on: no column is called 'day'"),
        ("day,amount,memo,memo\n2026-01-02,1,a,b\n", "2 columns are called 'memo'"),
        ("\n\n", "is empty"),
        ('day,"amount,memo\n2026-01-02,1,a\n', "the header's quotes are wrong"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(text: str, words: str) -> None:
    with pytest.raises(StatementUnreadable, match=words):
        one(text)


def test_a_table_without_account_is_refused() -> None:
    with pytest.raises(StatementUnreadable, match="no account and known currency"):
        one("day,amount,memo\n2026-01-02,1,a\n", changed(account=""))
    (filled,) = read_statements(
        b"day,amount,memo\n2026-01-02,1,a\n", format="csv", dialect=changed(account=""), account="B"
    )
    assert filled.account == "B"


def test_a_file_of_another_form_is_refused_as_a_whole() -> None:
    with pytest.raises(StatementUnreadable, match="more than 10,000 entries are broken"):
        one("day,amount,memo\n" + "2026-01-02,x,a\n" * 10_001)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"columns": {"amount": "amount"}}, "columns.booked_on"),
        ({"columns": {"booked_on": "day"}}, "columns"),
        ({"columns": {"booked_on": "day", "amount": "a", "credit": "b", "debit": "c"}}, "columns"),
        ({"columns": {"booked_on": "day", "amount": "a", "type": "t"}}, "columns.type"),
        ({"columns": {"booked_on": "day", "amount": "a", "date": "t"}}, "columns"),
        ({"columns": {"booked_on": ("day", "time"), "amount": "a"}}, "columns.booked_on"),
        ({"columns": {"booked_on": 0, "amount": 1}}, "columns.booked_on"),
        ({"columns": {"booked_on": "day", "amount": "a", "currency": "c"}}, "currency"),
        ({"header": False}, "columns.booked_on"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"quote": ","}, "quote"),
        ({"decimal": ";"}, "decimal"),
        ({"decimal": ".", "thousands": "."}, "thousands"),
        ({"dates": "%d.%m"}, "dates"),
        ({"dates": "%d.%m.%Q"}, "dates"),
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": "hex"}, "encoding"),
        ({"currency": "XXQ"}, "currency"),
        ({"skip": -1}, "skip"),
        ({"credits": ("C",)}, "columns.type"),
    ],
)
def test_a_dialect_says_all_and_nothing_twice(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        check_dialect(changed(**changes))
    assert refused.value.where == where
    assert refused.value.todo


def test_what_is_not_declared_is_not_read() -> None:
    with pytest.raises(StatementUnreadable, match="nothing declares what its columns hold"):
        read_statements(b"day,amount\n2026-01-02,1\n")
    with pytest.raises(Refused, match="no format of statements"):
        read_statements(b"day,amount\n2026-01-02,1\n", format="xls")
    with pytest.raises(NotFound):
        read_statements(Path("/nowhere/at/all.csv"))
    with pytest.raises(StatementUnreadable, match="is empty"):
        read_statements(b"\n\0\n")


def test_a_million_quotes_and_one_long_line_end_in_time() -> None:
    before = time.process_time()
    for text in ('"\n' * 20_000, "\"a\n''\n" * 10_000, '"' * 2_000_000, "x" * 5_000_000, "," * 50_000):
        with pytest.raises(StatementUnreadable):
            one("day,amount,memo\n" * 1 + text + "\n" + "2026-01-02,x,a\n" * 10_001)
    assert time.process_time() - before < 20


@dataclass
class Parquet:
    """How a Parquet file is written for a test."""

    columns: dict[str, Any]

    def bytes(self) -> bytes:
        """The file."""
        buffer = io.BytesIO()
        pl.DataFrame(self.columns).write_parquet(buffer)
        return buffer.getvalue()


DAYS = [date(2026, 1, 2)] * 2


def test_parquet_holds_exact_amounts() -> None:
    data = Parquet({"day": DAYS, "amount": [Decimal("1.10"), Decimal("-2.20")], "memo": ["a", None]}).bytes()
    assert format_of(data) == "parquet"
    (statement,) = read_statements(data, dialect=PLAIN)
    assert minors(statement) == [110, -220]
    assert statement.entries["memo"].to_list() == ["a", ""]


def test_parquet_moments_and_whole_numbers() -> None:
    moments = [datetime(2026, 1, 2, 23, 30), datetime(2026, 1, 3, 0, 30)]  # noqa: DTZ001 - a column without a zone
    (statement,) = read_statements(
        Parquet({"day": moments, "amount": [1, -2], "memo": ["", ""]}).bytes(), dialect=PLAIN
    )
    assert statement.entries.select("minor", "booked_on").rows() == [(100, date(2026, 1, 2)), (-200, date(2026, 1, 3))]


def test_parquet_floats_only_where_declared() -> None:
    amounts = [221.91, 0.07, 1.005, float("nan"), float("inf"), 1e300, None, 48413.25, 90071992547409.92, 123456789.01]
    data = Parquet({"day": [date(2026, 1, 2)] * 10, "amount": amounts, "memo": [""] * 10}).bytes()
    with pytest.raises(StatementUnreadable, match="floating point"):
        read_statements(data, dialect=PLAIN)
    (statement,) = read_statements(data, dialect=changed(float=True))
    assert minors(statement) == [22191, 7, 4841325, 12345678901]
    assert broken(statement) == [
        (3, "amount"),
        (4, "amount"),
        (5, "amount"),
        (6, "amount"),
        (7, "amount"),
        (9, "amount"),
    ]
    assert b'"amount":"1.005"' in statement.broken[0].data


@pytest.mark.parametrize("kind", [pl.Date(), pl.Datetime("ms"), pl.Datetime("us", "Asia/Tokyo")])
def test_a_day_that_has_no_year_costs_its_row(kind: pl.DataType) -> None:
    """At it polars panics, which is no ``Exception``, and ended every feed."""
    far = 2**31 - 1 if kind == pl.Date() else 2**63 - 1
    near = 20_000 if kind == pl.Date() else 20_000 * (86_400_000 if kind == pl.Datetime("ms") else 86_400_000_000)
    days = pl.Series([near, far, -far, None], dtype=pl.Int64()).cast(kind)
    buffer = io.BytesIO()
    pl.DataFrame({"day": days, "amount": ["1", "2", "3", "4"], "memo": ["a", "b", "c", "d"]}).write_parquet(buffer)
    (statement,) = read_statements(buffer.getvalue(), dialect=PLAIN)
    assert minors(statement) == [100]
    assert broken(statement) == [(2, "date"), (3, "date"), (4, "date")]
    assert str(far).encode() in statement.broken[0].data


def test_a_damaged_parquet_is_refused() -> None:
    whole = Parquet({"day": DAYS, "amount": ["1", "2"], "memo": ["a", "b"]}).bytes()
    for place in range(4, len(whole) - 1, 37):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        for data in (bytes(damaged), whole[:place]):
            try:
                read_statements(data, format="parquet", dialect=PLAIN)
            except StatementUnreadable as refused:
                assert refused.todo  # noqa: PT017 - damage of a text may go unseen


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_a_small_parquet_that_says_to_be_huge_is_refused(
    kind: type[pl.DataType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dictionaries let a file repeat one long text for every row."""
    monkeypatch.setattr(parquet_file, "LARGEST", 50_000)
    columns = {"day": [date(2026, 1, 2)] * 300, "amount": ["1"] * 300, "memo": ["m" * 500] * 300}
    buffer = io.BytesIO()
    pl.DataFrame(columns).with_columns(pl.col("memo").cast(kind)).write_parquet(buffer)
    assert len(buffer.getvalue()) < 10_000
    with pytest.raises(StatementUnreadable, match="bytes of text"):
        read_statements(buffer.getvalue(), dialect=PLAIN)


def test_without_a_header_most_rows_say_how_many_cells_there_are() -> None:
    dialect = changed(columns={"booked_on": 1, "amount": 2}, header=False)
    statement = one("a line of words\n2026-01-02,1\n2026-01-02,2\n", dialect)
    assert minors(statement) == [100, 200]
    assert broken(statement) == [(1, "syntax")]


def test_parquet_of_odd_types_is_refused() -> None:
    data = Parquet({"day": DAYS, "amount": ["1", "2"], "memo": [[1], [2]]}).bytes()
    with pytest.raises(StatementUnreadable, match=r"'memo' is List\(Int64\), which is no memo"):
        read_statements(data, dialect=PLAIN)


def test_the_real_payments(shared_data: Path) -> None:
    dialect = Dialect(
        columns={"booked_on": "transaction_date", "amount": "amount", "memo": "memo", "bank_reference": "unique_id"},
        account="SENDER", currency="GBP", float=True,
    )  # fmt: skip
    before = time.process_time()
    (statement,) = read_statements(shared_data / "payments" / "origin.parquet", dialect=dialect)
    assert statement.entries.height == 22_540
    assert not statement.broken
    exact = pl.read_parquet(shared_data / "payments" / "origin.parquet")["amount"].sum()
    assert statement.entries["minor"].sum() == pytest.approx(exact * 100)
    assert not findings_of(statement)
    assert time.process_time() - before < 5


def test_utc_is_not_looked_at() -> None:
    zoned = [datetime(2026, 1, 2, 23, 30, tzinfo=UTC)]
    (statement,) = read_statements(Parquet({"day": zoned, "amount": [1], "memo": [""]}).bytes(), dialect=PLAIN)
    assert statement.entries["booked_on"].to_list() == [date(2026, 1, 2)]
