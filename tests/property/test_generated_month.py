"""What is generated reads back as what was meant, whatever the seed."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.packs.reconciliation.entry import Side, Statement
from interlock.packs.reconciliation.generated import HandedFile, Month, Planned, make_files, make_month
from interlock.packs.reconciliation.generated.month import ACCOUNTS, KINDS
from interlock.packs.reconciliation.generated.names import iban
from interlock.packs.reconciliation.generated.writers import CSV_DIALECT, PARQUET_DIALECT
from interlock.packs.reconciliation.statements import CsvDialect, read_statements

Meaning = tuple[str, str, int, date, date, bool]


def statements_of(file: HandedFile) -> list[Statement]:
    dialects: dict[str, Any] = {"csv": CSV_DIALECT, "parquet": PARQUET_DIALECT}
    declared = dialects.get(file.name.rpartition(".")[2])
    dialect = msgspec.convert(declared, CsvDialect) if declared else None
    _, account, currency = ACCOUNTS[{"gulf": "GULF"}.get(file.source, "BANK")]
    stated = {"account": account, "currency": currency} if file.source == "gulf" else {}
    return read_statements(file.data, dialect=dialect, **stated)


def meant(one: Planned) -> Meaning:
    expected, actual, currency = ACCOUNTS[one.place]
    account = expected if one.side is Side.EXPECTED else actual
    return account, currency, one.minor, one.booked_on, one.value_on, one.reverses and one.place in {"BANK", "RUNS"}


def read(statement: Statement) -> list[Meaning]:
    columns = statement.entries.select("minor", "booked_on", "value_on", "reverses")
    return [(statement.account, statement.currency, *row) for row in columns.iter_rows()]


def words(text: str) -> set[str]:
    return set(text.upper().split())


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_each_file_reads_back_as_what_was_meant(seed: int, count: int) -> None:
    month = make_month(seed, count)
    by_id = {one.id: one for one in month.entries}
    stated: set[str] = set()
    for file in make_files(month):
        statements = statements_of(file)
        found = Counter(meaning for statement in statements for meaning in read(statement))
        planned = Counter(meant(by_id[one]) for one in file.states)
        assert planned <= found, file.name
        assert found.total() - planned.total() == (1 if file.fault == "superseded" and found else 0), file.name
        assert sum(len(statement.broken) for statement in statements) == file.broken, file.name
        stated |= set(file.states)
    assert stated == set(by_id)


def test_what_a_payer_writes_reaches_the_reader_in_every_format() -> None:
    month = make_month(3, 200)
    by_reference = {one.bank_reference: one for one in month.entries if one.bank_reference}
    formats: set[str] = set()
    for file in make_files(month):
        for statement in statements_of(file):
            for bank_reference, memo, name, reference in statement.entries.select(
                "bank_reference", "memo", "counterparty", "reference"
            ).iter_rows():
                one = by_reference.get(bank_reference)
                if one is not None:
                    assert words(one.memo) <= words(memo), file.name
                    assert words(name) <= words(one.counterparty), file.name
                    assert words(one.reference) <= words(reference), file.name
                    formats.add(statement.format)
    assert formats == {"camt.053.001.08", "mt940", "ofx", "csv", "parquet"}


def test_the_statements_of_a_bank_go_on_from_one_another_but_for_the_false_one() -> None:
    files = {file.name: file for file in make_files(make_month(5, 300))}
    weeks = [statements_of(files[f"bank-{week}.xml"])[0] for week in range(1, 7)]
    for before, after in itertools.pairwise(weeks):
        assert before.closing is not None
        assert after.opening is not None
        assert before.closing.minor == after.opening.minor
    first, second = (statements_of(files[name])[0] for name in ("bank-2-first.xml", "bank-2.xml"))
    assert (first.number, first.account) == (second.number, second.account)
    assert first.made_at is not None
    assert second.made_at is not None
    assert first.made_at < second.made_at
    false = statements_of(files["bank-3-first.xml"])[0]
    assert false.opening is not None
    assert false.closing is not None
    assert false.opening.minor + int(false.entries["minor"].sum()) != false.closing.minor


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_the_truth_speaks_of_every_entry_once(seed: int, count: int) -> None:
    month = make_month(seed, count)
    assert month == make_month(seed, count)
    together = [one for belongs in month.belongs for one in (*belongs.expected, *belongs.actual)]
    assert Counter([*together, *month.alone]) == Counter(one.id for one in month.entries)
    assert sum(one.side is Side.EXPECTED for one in month.entries) >= count
    by_id = {one.id: one for one in month.entries}
    for belongs in month.belongs:
        expected, actual = (sum(by_id[one].minor for one in side) for side in (belongs.expected, belongs.actual))
        assert 0 not in {by_id[one].minor for one in (*belongs.expected, *belongs.actual)}
        if belongs.kind in {"fee", "rounding"}:
            assert 0 < abs(expected - actual) <= max(3, abs(expected) * 0.015)
        else:
            assert expected == actual, belongs.kind


def test_a_month_of_a_thousand_has_every_kind() -> None:
    month = make_month(7)
    assert _kinds(month) == set(KINDS)


def _kinds(month: Month) -> set[str]:
    causes = {"reversal": "returned", "missing": "missing"}
    alone = {causes.get(cause, cause) for cause in month.alone.values()}
    unexpected = (
        {"unexpected"}
        if any(month.alone.get(one.id) and one.side is Side.ACTUAL for one in month.entries)
        else set[str]()
    )
    return {belongs.kind for belongs in month.belongs} | alone | unexpected


@pytest.mark.parametrize("number", [0, 1, 9_999])
def test_account_numbers_have_right_check_digits(number: int) -> None:
    account = iban(number)
    assert int(f"{account[4:]}1314{account[2:4]}") % 97 == 1
