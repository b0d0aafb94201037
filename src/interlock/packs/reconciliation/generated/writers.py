"""Statements written in the formats that banks, acquirers and an ERP send. Small and exact; pure.

Each writes what its format can carry of an entry, and no more. Formats: ISO 20022 camt.053.001.08, SWIFT MT940,
OFX 1.0.2, a CSV with decimal commas as European programs export it, and Parquet.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape

import msgspec
import polars as pl

from interlock.money import Money, exponent
from interlock.packs.reconciliation.generated.month import ACCOUNTS, Planned

CSV_DIALECT = {
    "delimiter": ";",
    "decimal": ",",
    "dates": "%d.%m.%Y",
    "columns": {
        "booked_on": "Day",
        "value_on": "Due",
        "amount": "Amount",
        "currency": "Currency",
        "account": "Account",
        "counterparty": "Partner",
        "counterparty_account": "Partner account",
        "reference": "Number",
        "bank_reference": "Id",
        "memo": "Text",
    },
}
"""How ``csv_of`` writes, as the settings of a source say it."""

PARQUET_DIALECT = {
    "columns": {
        "booked_on": "booked_on",
        "value_on": "value_on",
        "amount": "amount",
        "memo": "memo",
        "counterparty": "counterparty",
        "reference": "reference",
        "bank_reference": "id",
    },
}
"""How ``parquet_of`` writes; account and currency are the source's."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A statement to write.

    Attributes:
        account: The account.
        currency: Its currency.
        number: The statement's number.
        made_at: When the bank made it.
        first_day: The first day that it covers.
        last_day: The last one.
        opening: The balance before, in minor units.
        closing: The balance that it states; a false one where its totals do not add up.
        entries: What it states.
        broken: Whether one entry more stands in it that nobody can read.
    """

    account: str
    currency: str
    number: int
    made_at: datetime
    first_day: date
    last_day: date
    opening: int
    closing: int
    entries: tuple[Planned, ...]
    broken: bool = False


def camt_of(statement: Written) -> bytes:
    """camt.053.001.08, one statement."""
    money = statement.currency
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">',
        f"<BkToCstmrStmt><GrpHdr><MsgId>M{statement.number}-{statement.made_at:%Y%m%d%H%M}</MsgId>",
        f"<CreDtTm>{statement.made_at:%Y-%m-%dT%H:%M:%SZ}</CreDtTm></GrpHdr>",
        f"<Stmt><Id>{statement.number}</Id><ElctrncSeqNb>{statement.number}</ElctrncSeqNb>",
        f"<CreDtTm>{statement.made_at:%Y-%m-%dT%H:%M:%SZ}</CreDtTm>",
        f"<FrToDt><FrDtTm>{statement.first_day}T00:00:00</FrDtTm><ToDtTm>{statement.last_day}T23:59:59</ToDtTm></FrToDt>",
        f"<Acct><Id><IBAN>{statement.account}</IBAN></Id><Ccy>{money}</Ccy></Acct>",
        _camt_balance("OPBD", statement.opening, money, statement.first_day),
        _camt_balance("CLBD", statement.closing, money, statement.last_day),
        *(_camt_entry(one, money) for one in statement.entries),
    ]
    if statement.broken:
        parts.append(
            f'<Ntry><Amt Ccy="{money}">1O,50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
            f"<BookgDt><Dt>{statement.last_day}</Dt></BookgDt><AcctSvcrRef>BROKEN</AcctSvcrRef></Ntry>"
        )
    parts.append("</Stmt></BkToCstmrStmt></Document>\n")
    return "\n".join(parts).encode()


def _camt_balance(kind: str, minor: int, currency: str, day: date) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{_plain(abs(minor), currency)}</Amt>'
        f"<CdtDbtInd>{'DBIT' if minor < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _camt_entry(one: Planned, currency: str) -> str:
    side, place = ("Cdtr", "CdtrAcct") if (one.minor < 0) != one.reverses else ("Dbtr", "DbtrAcct")
    reference = f"<Refs><EndToEndId>{escape(one.reference)}</EndToEndId></Refs>" if one.reference else ""
    party = (
        f"<RltdPties><{side}><Pty><Nm>{escape(one.counterparty)}</Nm></Pty></{side}>"
        f"<{place}><Id><IBAN>{one.counterparty_account}</IBAN></Id></{place}></RltdPties>"
        if one.counterparty
        else ""
    )
    return (
        f'<Ntry><Amt Ccy="{currency}">{_plain(abs(one.minor), currency)}</Amt>'
        f"<CdtDbtInd>{'DBIT' if one.minor < 0 else 'CRDT'}</CdtDbtInd>"
        + ("<RvslInd>true</RvslInd>" if one.reverses else "")
        + f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{one.booked_on}</Dt></BookgDt><ValDt><Dt>{one.value_on}</Dt></ValDt>"
        f"<AcctSvcrRef>{one.bank_reference}</AcctSvcrRef>"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{'ICDT' if one.minor < 0 else 'RCDT'}</Cd><SubFmlyCd>ESCT</SubFmlyCd>"
        f"</Fmly></Domn></BkTxCd><NtryDtls><TxDtls>{reference}{party}"
        f"<RmtInf><Ustrd>{escape(one.memo)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def mt940_of(statement: Written) -> bytes:
    """MT940, one statement, with ``:86:`` in the subfields that German banks use."""
    lines = [
        f":20:ST{statement.number}",
        f":25:{statement.account}",
        f":28C:{statement.number}/1",
        f":60F:{_mt940_balance(statement.opening, statement.currency, statement.first_day)}",
    ]
    for one in statement.entries:
        lines += _mt940_entry(one, statement.currency)
    if statement.broken:
        lines += [f":61:{statement.last_day:%y}1399{statement.last_day:%m%d}D1,50NTRFNONREF", ":86:BROKEN"]
    lines += [f":62F:{_mt940_balance(statement.closing, statement.currency, statement.last_day)}", "-", ""]
    return "\r\n".join(lines).encode("ascii", "replace")


def _mt940_balance(minor: int, currency: str, day: date) -> str:
    return f"{'D' if minor < 0 else 'C'}{day:%y%m%d}{currency}{_comma(abs(minor), currency)}"


def _mt940_entry(one: Planned, currency: str) -> list[str]:
    mark = ("D" if one.minor < 0 else "C") if not one.reverses else ("RC" if one.minor < 0 else "RD")
    own = one.reference[:16] or "NONREF"
    fields = [f"?{20 + place}{part}" for place, part in enumerate(_subfields(one.memo))]
    if one.counterparty:
        fields += [f"?31{one.counterparty_account}", f"?32{one.counterparty[:27]}"]
    line = f":86:{'177' if one.minor < 0 else '166'}?00TRANSFER"
    lines: list[str] = []
    for field in fields:
        if len(line) + len(field) > 65:  # noqa: PLR2004 - what MT940 allows a line
            lines.append(line)
            line = ""
        line += field
    first = f":61:{one.value_on:%y%m%d}{one.booked_on:%m%d}{mark}{_comma(abs(one.minor), currency)}"
    return [f"{first}NTRF{own}//{one.bank_reference}", *lines, line]


def _subfields(memo: str) -> Iterator[str]:
    """A text in parts of at most 27 characters, none of which ends at a space: readers put them together as is."""
    while memo:
        end = min(27, len(memo))
        while end < len(memo) and " " in memo[end - 1 : end + 1]:
            end -= 1
        yield memo[:end]
        memo = memo[end:]


def ofx_of(statement: Written) -> bytes:
    """OFX 1.0.2 (SGML), one bank account."""
    lines = [
        "OFXHEADER:100", "DATA:OFXSGML", "VERSION:102", "SECURITY:NONE", "ENCODING:USASCII", "CHARSET:1252",
        "COMPRESSION:NONE", "OLDFILEUID:NONE", "NEWFILEUID:NONE", "", "<OFX><BANKMSGSRSV1><STMTTRNRS>",
        f"<TRNUID>{statement.number}<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>{statement.currency}",
        f"<BANKACCTFROM><ACCTID>{statement.account}<ACCTTYPE>CHECKING</BANKACCTFROM>",
        f"<BANKTRANLIST><DTSTART>{statement.first_day:%Y%m%d}<DTEND>{statement.last_day:%Y%m%d}",
    ]  # fmt: skip
    for one in statement.entries:
        lines += [
            f"<STMTTRN><TRNTYPE>{'DEBIT' if one.minor < 0 else 'CREDIT'}<DTPOSTED>{one.booked_on:%Y%m%d}120000",
            f"<TRNAMT>{_plain(one.minor, statement.currency)}<FITID>{one.bank_reference}",
            *([f"<REFNUM>{one.reference}"] if one.reference else []),
            *([f"<NAME>{escape(one.counterparty[:32])}"] if one.counterparty else []),
            f"<MEMO>{escape(one.memo)}</STMTTRN>",
        ]
    if statement.broken:
        lines += ["<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20261345<TRNAMT>-1O<FITID>BROKEN<MEMO>BROKEN</STMTTRN>"]
    lines += [
        f"</BANKTRANLIST><LEDGERBAL><BALAMT>{_plain(statement.closing, statement.currency)}",
        f"<DTASOF>{statement.last_day:%Y%m%d}</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>",
        "",
    ]
    return "\r\n".join(lines).encode("ascii", "replace")


def csv_of(entries: Iterable[Planned], *, broken: bool = False) -> bytes:
    """A CSV by ``CSV_DIALECT``; each row says its account and currency."""
    rows = ["Day;Due;Amount;Currency;Account;Partner;Partner account;Number;Id;Text"]
    for one in entries:
        account, currency = account_of(one)
        amount = _plain(one.minor, currency).replace(".", ",")
        cells = [
            f"{one.booked_on:%d.%m.%Y}", f"{one.value_on:%d.%m.%Y}", amount, currency, account, one.counterparty,
            one.counterparty_account, one.reference, one.bank_reference, one.memo,
        ]  # fmt: skip
        rows.append(";".join(f'"{cell}"' if ";" in cell or '"' in cell else cell for cell in cells))
    if broken:
        account, currency = account_of(next(iter(entries)))
        rows.append(f"31.02.2026;31.02.2026;1O,50;{currency};{account};;;;BROKEN;")
    return ("\n".join(rows) + "\n").encode()


def parquet_of(entries: Sequence[Planned], currency: str, *, broken: bool = False) -> bytes:
    """A Parquet table by ``PARQUET_DIALECT``; amounts are text, days are dates."""
    table = {
        "booked_on": [one.booked_on for one in entries],
        "value_on": [one.value_on for one in entries],
        "amount": [_plain(one.minor, currency) for one in entries],
        "memo": [one.memo for one in entries],
        "counterparty": [one.counterparty for one in entries],
        "reference": [one.reference for one in entries],
        "id": [one.bank_reference for one in entries],
    }
    if broken:
        last = {"amount": "1O.500", "memo": "BROKEN", "counterparty": "", "reference": "", "id": "BROKEN"}
        table = {name: [*values, last.get(name, values[-1])] for name, values in table.items()}
    written = io.BytesIO()
    days = {"booked_on": pl.Date(), "value_on": pl.Date()}
    schema = {name: days.get(name, pl.String()) for name in table}
    pl.DataFrame(table, schema=schema).write_parquet(written, compression="zstd")
    return written.getvalue()


def account_of(one: Planned) -> tuple[str, str]:
    """The account that states an entry, and its currency."""
    expected, actual, currency = ACCOUNTS[one.place]
    return (expected if one.side == "expected" else actual), currency


def _plain(minor: int, currency: str) -> str:
    return f"{Money.of_minor(minor, currency).amount:f}"


def _comma(minor: int, currency: str) -> str:
    """With a decimal comma, which stands also where nothing follows it, as SWIFT has it."""
    text = _plain(minor, currency)
    return text.replace(".", ",") if exponent(currency) else f"{text},"
