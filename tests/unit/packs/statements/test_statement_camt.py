"""camt.053 in its versions, and what may be wrong with it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from interlock.errors import StatementUnreadable
from interlock.packs.reconciliation.entry import Balance, Statement
from interlock.packs.reconciliation.statements import findings_of, read_statements, xml_nodes

SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


def entry(
    amount: str = "10.00", way: str = "CRDT", rest: str = "", *, currency: str = "EUR", state: str = "<Sts>BOOK</Sts>"
) -> str:
    days = "<BookgDt><Dt>2026-04-10</Dt></BookgDt><ValDt><Dt>2026-04-11</Dt></ValDt>"
    return f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>{state}{days}{rest}</Ntry>'


def balance(kind: str, amount: str, day: str = "2026-04-01", *, currency: str = "EUR", way: str = "CRDT") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt>"
        f"<CdtDbtInd>{way}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def document(*parts: str, version: str = "08", account: str = "<IBAN>DE02</IBAN>", head: str = "") -> bytes:
    space = f' xmlns="{SPACE}{version}"' if version else ""
    return (
        f"<Document{space}><BkToCstmrStmt><GrpHdr><CreDtTm>2026-04-30T10:00:00+02:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>S-1</Id>{head}<Acct><Id>{account}</Id></Acct>{''.join(parts)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def one(*parts: str, version: str = "08", account: str = "<IBAN>DE02</IBAN>", head: str = "") -> Statement:
    (statement,) = read_statements(document(*parts, version=version, account=account, head=head))
    return statement


@pytest.mark.parametrize("version", ["02", "03", "04", "06", "08", "10", "11", "12", "13", "14", ""])
def test_each_version(version: str) -> None:
    new = version >= "08"
    name = "<Dbtr><Pty><Nm>ACME</Nm></Pty></Dbtr>" if new else "<Dbtr><Nm>ACME</Nm></Dbtr>"
    parties = f"<RltdPties>{name}<DbtrAcct><Id><IBAN>FR 76</IBAN></Id></DbtrAcct></RltdPties>"
    details = (
        f"<NtryDtls><TxDtls><Refs><EndToEndId>E2E</EndToEndId></Refs>{parties}"
        "<RmtInf><Ustrd>two</Ustrd><Ustrd>lines</Ustrd></RmtInf></TxDtls></NtryDtls>"
    )
    state = "<Sts><Cd>BOOK</Cd></Sts>" if new else "<Sts>BOOK</Sts>"
    family = "<Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly>"
    code = f"<AcctSvcrRef>B-1</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd>{family}</Domn></BkTxCd>"
    statement = one(entry(rest=code + details, state=state), version=version)
    assert statement.format == (f"camt.053.001.{version}" if version else "camt.053")
    assert statement.made_at == datetime(2026, 4, 30, 8, tzinfo=UTC)
    row = statement.entries.row(0, named=True)
    del row["where"]
    assert row == {
        "line": 1, "minor": 1000, "booked_on": date(2026, 4, 10), "value_on": date(2026, 4, 11), "memo": "two lines",
        "counterparty": "ACME", "counterparty_account": "FR76", "reference": "E2E", "bank_reference": "B-1",
        "code": "PMNT-RCDT-ESCT", "reverses": False,
    }  # fmt: skip


def test_what_is_not_booked_is_left_out_and_told() -> None:
    statement = one(
        entry(), entry("5.00", state="<Sts>PDNG</Sts>"), entry("6.00", state="<Sts><Cd>INFO</Cd></Sts>"), entry("0.00")
    )
    assert statement.entries["minor"].to_list() == [1000]
    assert [(noted.rule, noted.count) for noted in statement.noted] == [("pending", 2), ("zero", 1)]
    assert {finding.rule for finding in findings_of(statement)} == {"pending", "zero"}


def test_an_unknown_state_is_broken() -> None:
    (broken,) = one(entry(state="<Sts>MAYBE</Sts>")).broken
    assert "MAYBE" in broken.what


def parts(*amounts: str, tag: str = "Amt") -> str:
    written = [f'<Amt Ccy="EUR">{amount}</Amt>' if amount else "" for amount in amounts]
    if tag == "AmtDtls":
        written = [f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>" for amount in written]
    details = [
        f"<TxDtls><Refs><EndToEndId>E{place}</EndToEndId></Refs>{amount}</TxDtls>"
        for place, amount in enumerate(written)
    ]
    return f"<NtryDtls>{''.join(details)}</NtryDtls>"


@pytest.mark.parametrize("tag", ["Amt", "AmtDtls"])
def test_a_batch_with_the_amounts_of_all_is_several_entries(tag: str) -> None:
    statement = one(entry("10.00", "DBIT", "<AcctSvcrRef>B</AcctSvcrRef>" + parts("7.50", "2.50", tag=tag)))
    assert statement.entries.select("minor", "reference", "bank_reference").rows() == [
        (-750, "E0", "B/E0"),
        (-250, "E1", "B/E1"),
    ]


def test_a_transaction_has_its_own_reference_where_no_other_has_the_same() -> None:
    own = [f"<Refs><AcctSvcrRef>{name}</AcctSvcrRef>" for name in ("T1", "T2", "T2")]
    told = parts("1.00", "2.00", "3.00")
    for place, reference in enumerate(own):
        told = told.replace(f"<Refs><EndToEndId>E{place}", f"{reference}<EndToEndId>E{place}")
    statement = one(entry("6.00", rest=f"<AcctSvcrRef>B</AcctSvcrRef>{told}"))
    assert statement.entries["bank_reference"].to_list() == ["T1", "B/E1", "B/E2"]


@pytest.mark.parametrize("amounts", [("7.50", ""), ("7.50", "2.49"), ("", "")])
def test_a_batch_whose_amounts_do_not_add_up_is_one_entry(amounts: tuple[str, ...]) -> None:
    statement = one(entry("10.00", "DBIT", parts(*amounts)))
    assert statement.entries.select("minor", "reference").rows() == [(-1000, "E0 E1")]


def test_totals_count_the_transactions_of_a_batch() -> None:
    summary = (
        "<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries><TtlCdtNtries><Sum>13.00</Sum></TtlCdtNtries>"
        "<TtlDbtNtries><Sum>0.00</Sum></TtlDbtNtries></TxsSummry>"
    )
    statement = one(summary, entry("10.00", rest=parts("7.50", "2.50")), entry("3.00"))
    assert statement.entries.height == 3
    assert not findings_of(statement)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (entry("-5.00"), "amount"),
        (entry("1.001"), "amount"),
        (entry("9" * 30), "amount"),
        (entry("1e9"), "amount"),
        (entry(""), "amount"),
        (entry(way="CREDIT"), "syntax"),
        (entry(currency="USD"), "currency"),
        (entry().replace("2026-04-10", "2026-02-30"), "date"),
        (entry().replace("2026-04-10", "0000-00-00"), "date"),
        (entry().replace("2026-04-10", "1901-01-01"), "contract"),
        (entry(rest=f"<AcctSvcrRef>{'x' * 301}</AcctSvcrRef>"), "contract"),
    ],
)
def test_a_broken_entry_costs_itself(broken: str, rule: str) -> None:
    statement = one(
        "<Bal/>", entry("1.00"), broken, entry("2.00"), head="", account="<IBAN>DE02</IBAN></Id><Ccy>EUR</Ccy><Id>"
    )
    assert statement.entries["minor"].to_list() == [100, 200]
    ((line, found, data),) = [(one.line, one.rule, one.data) for one in statement.broken]
    assert (line, found) == (2, rule)
    assert data.startswith(b"<Ntry")


def test_several_currencies_are_several_statements() -> None:
    statements = read_statements(
        document(balance("OPBD", "1.00"), balance("OPBD", "2.00", currency="USD"),
                 entry("3.00"), entry("4.00", currency="USD"),
                 balance("CLBD", "4.00", "2026-04-30"), balance("CLBD", "6.00", "2026-04-30", currency="USD"))
    )  # fmt: skip
    assert [(one.currency, one.opening, one.entries["minor"].to_list()) for one in statements] == [
        ("EUR", Balance(minor=100, on=date(2026, 4, 1)), [300]),
        ("USD", Balance(minor=200, on=date(2026, 4, 1)), [400]),
    ]
    assert not any(findings_of(statement) for statement in statements)


def test_pages_and_interim_balances() -> None:
    page = "<StmtPgntn><PgNb>2</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>"
    statement = one(balance("ITBD", "5.00"), balance("ITBD", "15.00", "2026-04-30"), entry("10.00"), head=page)
    assert statement.number == "S-1/2"
    assert statement.opening == Balance(minor=500, on=date(2026, 4, 1))
    assert statement.closing == Balance(minor=1500, on=date(2026, 4, 30))
    assert not findings_of(statement)


def test_a_reversal_keeps_the_direction_that_it_states() -> None:
    statement = one(entry(way="DBIT", rest="<RvslInd>true</RvslInd>"))
    assert statement.entries.select("minor", "reverses").rows() == [(-1000, True)]


def test_money_overdrawn_is_negative() -> None:
    assert one(balance("OPBD", "5.00", way="DBIT"), entry()).opening == Balance(minor=-500, on=date(2026, 4, 1))


LAUGHS = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Document>&b;</Document>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (LAUGHS.encode(), "document type"),
        (b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Document/>', "document type"),
        (b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>', "document type"),
        (document(entry())[:-30], "no well-formed XML"),
        (b"<" * 100_000, "no well-formed XML"),
        (b"<a>" * 300 + b"</a>" * 300, "nested more than|no well-formed XML"),
        (b"<Document>" + b"x" * 20_000_000, "no well-formed XML"),
        (b"<Document>\0</Document>", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="utf-8"?><Document>\xff</Document>', "no well-formed XML"),
        (document(version="08").replace(b"camt.053", b"camt.054"), "is camt.054"),
        (b"<Document><BkToCstmrAcctRpt/></Document>", "camt.052"),
        (document(entry(), account=""), "names no account"),
        (document(entry(currency="ZZZ")), "no known currency"),
        (document(entry(), account=f"<IBAN>{'9' * 101}</IBAN>"), "101 characters"),
        (entry().encode(), "outermost element is <Ntry>"),
        (b"<html><body>log in</body></html>", "holds no statement"),
    ],
)
def test_a_hostile_document_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(StatementUnreadable, match=words) as refused:
        read_statements(data, format="camt")
    assert refused.value.todo


@pytest.mark.parametrize("data", [b"<Document>" + b"<a/>" * 1_001 + b"</Document>", document("<Bal/>" * 1_001)])
def test_parts_without_end_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_nodes, "_MOST_NODES", 1_000)
    with pytest.raises(StatementUnreadable, match="more than 1,000 parts"):
        read_statements(data, format="camt")


def test_an_entry_of_thousands_of_transactions_is_read() -> None:
    """4,000 direct debits, each told in some 26 elements, are more than 100,000 parts of one entry."""
    assert one(entry("5.00"), entry(rest=f"<NtryDtls>{'<x/>' * 110_000}</NtryDtls>")).entries.height == 2


PAGED = "<{0}><PgNb>{1}</PgNb><LastPgInd>{2}</LastPgInd></{0}>"


def message(*statements: str, page: str = "") -> bytes:
    head = f"<GrpHdr><CreDtTm>2026-04-30T10:00:00Z</CreDtTm>{page}</GrpHdr>"
    return f'<Document xmlns="{SPACE}02"><BkToCstmrStmt>{head}{"".join(statements)}</BkToCstmrStmt></Document>'.encode()


def piece(*parts: str, page: str = "", number: str = "S-1") -> str:
    return f"<Stmt><Id>{number}</Id>{page}<Acct><Id><IBAN>DE02</IBAN></Id></Acct>{''.join(parts)}</Stmt>"


LAST = "2026-04-10"
FIRST = (balance("OPBD", "10.00"), balance("ITBD", "9.75", LAST), entry("0.25", "DBIT"))
SECOND = (balance("ITBD", "9.75", LAST), balance("CLBD", "9.50", LAST), entry("0.25", "DBIT"))


@pytest.mark.parametrize("tag", ["StmtPgntn", ""])
def test_pages_in_one_file_are_one_statement(tag: str) -> None:
    """So that equal entries on two pages are two of one statement."""
    pages = [PAGED.format(tag, *page) if tag else "" for page in ((1, "false"), (2, "true"))]
    (statement,) = read_statements(message(piece(*FIRST, page=pages[0]), piece(*SECOND, page=pages[1])))
    assert statement.entries.select("line", "minor").rows() == [(1, -25), (2, -25)]
    assert (statement.opening, statement.closing) == (
        Balance(minor=1000, on=date(2026, 4, 1)), Balance(minor=950, on=date(2026, 4, 10)),
    )  # fmt: skip
    assert statement.number == "S-1"
    assert not findings_of(statement)


def test_pages_in_two_messages_have_numbers_of_their_own() -> None:
    """Else the second would be taken for a correction of the first."""
    for head in ("MsgPgntn", ""):
        pages = [PAGED.format(head, *page) if head else "" for page in ((1, "false"), (2, "true"))]
        found = [
            read_statements(message(piece(*parts), page=page))[0]
            for parts, page in zip((FIRST, SECOND), pages, strict=True)
        ]
        assert [one.number for one in found] == (["S-1/1", "S-1/2"] if head else ["S-1/1000", "S-1/975"])
        assert not any(findings_of(one) for one in found)


def test_pages_that_do_not_meet_are_held_as_a_whole() -> None:
    pages = [PAGED.format("StmtPgntn", *page) for page in ((1, "false"), (2, "true"))]
    other = (balance("ITBD", "9.70", LAST), balance("CLBD", "9.50", LAST), entry("0.20", "DBIT"))
    (statement,) = read_statements(message(piece(*FIRST, page=pages[0]), piece(*other, page=pages[1])))
    assert {one.rule for one in findings_of(statement)} == {"balance"}


def test_the_opening_balances_day_is_that_of_the_statement_before() -> None:
    """PRCD has the day before; a statement that began on it would correct that of the day before, of the same id."""
    statement = one(balance("PRCD", "5.00", "2026-04-09"), balance("CLBD", "15.00", "2026-04-10"), entry())
    assert statement.first_day == date(2026, 4, 10)


def test_what_may_be_drawn_is_no_opening_balance() -> None:
    statement = one(balance("OPAV", "500.00"), balance("CLBD", "15.00", "2026-04-10"), entry())
    assert statement.opening is None
    assert not findings_of(statement)


@pytest.mark.parametrize(
    "inner",
    [
        '<x:Ntry xmlns:x="urn:own"><x:Amt Ccy="EUR">777.00</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd></x:Ntry>',
        entry("777.00"),
        f"<BkToCstmrStmt><Stmt>{entry('777.00')}</Stmt></BkToCstmrStmt>",
    ],
)
def test_what_a_bank_adds_is_no_entry(inner: str) -> None:
    added = f"<SplmtryData><Envlp>{inner}</Envlp></SplmtryData>"
    assert one(entry(rest=added), added).entries["minor"].to_list() == [1000]


def test_utf_16_and_a_byte_order_mark() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?>' + document(entry()).decode()
    (statement,) = read_statements(text.encode("utf-16"))
    assert statement.entries.height == 1
    (marked,) = read_statements(b"\xef\xbb\xbf" + document(entry()))
    assert marked.entries.height == 1
