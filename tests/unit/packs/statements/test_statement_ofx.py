"""OFX in both notations, and what may be wrong with it."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.entry import Balance, Statement
from interlock.packs.reconciliation.statements import findings_of, format_of, read_statements

HEADER = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n"


def entry(
    amount: str = "1.00", fitid: str = "F1", rest: str = "<NAME>Shop &amp; Co", day: str = "20260320120000[-5:EST]"
) -> str:
    return f"<STMTTRN>\n<TRNTYPE>DEBIT\n<DTPOSTED>{day}\n<TRNAMT>{amount}\n<FITID>{fitid}\n{rest}\n</STMTTRN>\n"


def document(*entries: str, currency: str = "USD", account: str = "<BANKID>021\n<ACCTID>77", tail: str = "") -> str:
    return (
        f"{HEADER}<OFX>\n<SIGNONMSGSRSV1><SONRS><DTSERVER>20260401\n</SONRS></SIGNONMSGSRSV1>\n<BANKMSGSRSV1><STMTTRNRS>"
        f"<STMTRS>\n<CURDEF>{currency}\n<BANKACCTFROM>\n{account}\n</BANKACCTFROM>\n<BANKTRANLIST>\n<DTSTART>20260301\n"
        f"<DTEND>20260331\n{''.join(entries)}</BANKTRANLIST>\n{tail}</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
    )


def one(text: str, encoding: str = "cp1252") -> Statement:
    assert format_of(text.encode(encoding)) == "ofx"
    (statement,) = read_statements(text.encode(encoding))
    return statement


def test_sgml() -> None:
    tail = "<LEDGERBAL><BALAMT>12.50<DTASOF>20260331</LEDGERBAL>"
    statement = one(document(entry(rest="<NAME>Shop &amp; Co\n<MEMO>caf\xe9\n<CHECKNUM>9"), tail=tail))
    assert (statement.format, statement.account, statement.currency) == ("ofx", "021/77", "USD")
    assert (statement.first_day, statement.last_day) == (date(2026, 3, 1), date(2026, 3, 31))
    assert statement.made_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert statement.closing == Balance(minor=1250, on=date(2026, 3, 31))
    row = statement.entries.row(0, named=True)
    assert (row["counterparty"], row["memo"], row["reference"], row["bank_reference"]) == (
        "Shop & Co",
        "caf\xe9",
        "9",
        "F1",
    )
    assert (row["minor"], row["booked_on"], row["code"]) == (100, date(2026, 3, 20), "DEBIT")


def test_xml() -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><?OFX OFXHEADER="200" VERSION="211"?><OFX><CREDITCARDMSGSRSV1>'
        "<CCSTMTTRNRS><CCSTMTRS><CURDEF>EUR</CURDEF><CCACCTFROM><ACCTID>4111</ACCTID></CCACCTFROM><BANKTRANLIST><STMTTRN>"
        "<TRNTYPE>CREDIT</TRNTYPE><DTPOSTED>20260320</DTPOSTED><TRNAMT>1,50</TRNAMT><FITID>7</FITID><NAME><![CDATA[A<B]]></NAME>"
        "<MEMO>caf&#233; &#x41;&amp;#66; &#xD800;</STMTTRN></BANKTRANLIST>"
        "</CCSTMTRS></CCSTMTTRNRS></CREDITCARDMSGSRSV1></OFX>"
    )
    statement = one(text, "utf-8")
    assert (statement.format, statement.account) == ("ofx2", "4111")
    assert statement.entries.select("minor", "counterparty", "memo").rows() == [(150, "A<B", "café A&#66; &#xD800;")]


def test_an_empty_leaf_hides_nothing() -> None:
    row = one(document(entry(rest="<MEMO>\n<NAME>Shop\n<PAYEE><NAME>Other</PAYEE>"))).entries.row(0, named=True)
    assert (row["memo"], row["counterparty"]) == ("", "Shop")


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (entry("1.2.3"), "amount"),
        (entry(""), "amount"),
        (entry("1e9"), "amount"),
        (entry(day="20260230"), "date"),
        (entry(day=""), "date"),
        (entry(rest="<CORRECTFITID>F0<CORRECTACTION>DELETE"), "correction"),
        (entry(rest="<CURRENCY><CURRATE>1.1<CURSYM>CHF</CURRENCY>"), "currency"),
        (entry().replace("</STMTTRN>", ""), "syntax"),
    ],
)
def test_a_broken_entry_costs_itself(broken: str, rule: str) -> None:
    statement = one(document(entry("1.00"), broken, entry("2.00", "F2")))
    assert statement.entries["minor"].to_list() == [100, 200]
    assert [(one.line, one.rule) for one in statement.broken] == [(2, rule)]
    assert statement.broken[0].data.startswith(b"<STMTTRN>")


def test_the_same_id_twice_is_told() -> None:
    (finding,) = findings_of(one(document(entry(), entry())))
    assert (finding.rule, "entries 1, 2" in finding.what) == ("repeated", True)


def test_sections_that_never_end_cost_no_time() -> None:
    before = time.process_time()
    with pytest.raises(StatementUnreadable, match="holds no statement"):
        read_statements(f"{HEADER}<OFX>{'<![CDATA[' * 300_000}</OFX>".encode())
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document(entry())[:-30], "ends before </OFX>"),
        (document(entry(), currency="ZZZ"), "CURDEF.*'ZZZ'"),
        (document(entry(), account=""), "names no account"),
        (HEADER + "<OFX></OFX>", "holds no statement"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><OFX></OFX>', "document type"),
        (HEADER.replace("1252", "9999") + "<OFX></OFX>", "is not cp9999"),
        (HEADER.replace("USASCII", "UTF-8") + "<OFX>\xe9</OFX>", "is not utf-8"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(StatementUnreadable, match=words) as refused:
        read_statements(text.encode("cp1252"), format="ofx")
    assert refused.value.todo
