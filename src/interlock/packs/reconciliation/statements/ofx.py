"""OFX and QFX: statements of bank accounts and of cards, in the notations of versions 1.x and 2.x."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import msgspec

from interlock.errors import MoneyInvalid, StatementUnreadable
from interlock.money import Money, exponent
from interlock.packs.reconciliation.entry import Balance, Noted, Statement
from interlock.packs.reconciliation.statements.draft import LONGEST_DATA
from interlock.packs.reconciliation.statements.frame import Draft, statement_of
from interlock.packs.reconciliation.statements.ofx_tags import Mark, marks_of, text_of
from interlock.packs.reconciliation.statements.source import plain_word

_STATEMENTS = frozenset({"STMTRS", "CCSTMTRS"})
_PARTS = frozenset({
    "BANKACCTFROM", "CCACCTFROM", "BANKTRANLIST", "STMTTRN", "LEDGERBAL", "AVAILBAL", "PAYEE", "BANKACCTTO",
    "CCACCTTO", "CURRENCY", "ORIGCURRENCY", "BALLIST", "BAL", "BANKTRANLISTP", "STMTTRNP", "STATUS",
})  # fmt: skip
_WHEN = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})(?:([0-9]{2}))?(?:\.[0-9]{1,6})?)?"
    r"(?:\[([+-]?[0-9]{1,2}(?:\.[0-9]{1,2})?)(?::[A-Za-z]{1,10})?\])?\Z"
)
_AMOUNT = re.compile(r"[+-]?[0-9]*[.,]?[0-9]*\Z")


class _Open(msgspec.Struct):
    """A statement that is being read.

    Attributes:
        line: The line where it begins.
        head: Its own leaves, by ``PART/NAME``; the first of each counts.
        drafts: The entries so far.
        data: Their bytes.
        parts: The parts that are open, the innermost last.
        entry: The leaves of the entry that is open; None: none is.
        start: Where that entry begins.
        began: The line where it does.
        pending: How many entries are not booked yet.
    """

    line: int
    head: dict[str, str]
    drafts: list[Draft]
    data: dict[int, bytes]
    parts: list[str]
    entry: dict[str, str] | None = None
    start: int = 0
    began: int = 0
    pending: int = 0


def read_ofx(data: bytes, *, account: str = "", currency: str = "") -> list[Statement]:
    """The statements of an OFX or QFX file.

    Args:
        data: The file.
        account: The account, where a statement names none.
        currency: The currency, where a statement names none.

    Raises:
        StatementUnreadable: it is no OFX, cut off, of another encoding than it says, or holds no statement.
    """
    text = text_of(data)
    server = ""
    found: list[_Open] = []
    opened: _Open | None = None
    for mark in marks_of(text):
        if mark.name in _STATEMENTS:
            opened = None if mark.ends else _Open(mark.line, {}, [], {}, [])
            found += [opened] if opened else []
        elif mark.name == "DTSERVER" and not mark.ends:
            server = server or mark.text
        elif opened is not None:
            _take(opened, mark, text)
    if not found:
        raise StatementUnreadable(
            "the file holds no statement of a bank account or a card (STMTRS, CCSTMTRS)",
            todo="ask who sent it for the statement; securities and bills are not read",
        )
    is_xml = "OFXHEADER" not in text.partition("<")[0].upper()
    form = "ofx2" if is_xml else "ofx"
    return [_statement(one, form, moment(server), account=account, currency=currency) for one in found]


def moment(text: str) -> datetime | None:
    """A date and time of OFX in UTC; without an offset it is in UTC already. None for none."""
    match = _WHEN.match(text.strip())
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        written = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return written - timedelta(hours=float(match[7] or 0))
    except (ValueError, OverflowError):
        return None


def day(text: str) -> str:
    """The day of a date of OFX, as written, in ISO form; the text itself if it is none."""
    match = _WHEN.match(text.strip())
    return f"{match[1]}-{match[2]}-{match[3]}" if match else text.strip()


def _take(opened: _Open, mark: Mark, text: str) -> None:
    name = mark.name
    if name in _PARTS:
        if name == "STMTTRNP":
            opened.pending += not mark.ends
        _part(opened, mark, text)
    elif not mark.ends:
        inner = opened.parts[-1] if opened.parts else ""
        if opened.entry is not None:
            opened.entry.setdefault(name if inner == "STMTTRN" else f"{inner}/{name}", mark.text)
        else:
            opened.head.setdefault(f"{inner}/{name}" if inner else name, mark.text)


def _part(opened: _Open, mark: Mark, text: str) -> None:
    name = mark.name
    if not mark.ends:
        if name == "STMTTRN":
            if opened.entry is not None:
                _close(opened, text, mark.start, is_whole=False)
            opened.entry, opened.start, opened.began = {}, mark.start, mark.line
        opened.parts.append(name)
    elif name in opened.parts:
        del opened.parts[opened.parts.index(name) :]
        if name in {"STMTTRN", "BANKTRANLIST"} and opened.entry is not None:
            _close(opened, text, mark.end, is_whole=name == "STMTTRN")


def _close(opened: _Open, text: str, end: int, *, is_whole: bool) -> None:
    if opened.entry is None:
        return
    line = len(opened.drafts) + 1
    draft = _draft(opened.entry, line, f"line {opened.began}")
    if not is_whole:
        draft = msgspec.structs.replace(
            draft, rule="syntax", what="the entry has no end (</STMTTRN>)", todo="ask the bank for the file again"
        )
    opened.drafts.append(draft)
    opened.data[line] = text[opened.start : min(end, opened.start + LONGEST_DATA)].encode("utf-8", "replace")
    opened.entry = None


def _draft(entry: dict[str, str], line: int, where: str) -> Draft:
    amount = entry.get("TRNAMT", "").strip()
    memo = " ".join(dict.fromkeys(part for part in (entry.get("MEMO", ""),) if part))
    name = entry.get("NAME") or entry.get("PAYEE/NAME", "")
    account = entry.get("BANKACCTTO/ACCTID") or entry.get("CCACCTTO/ACCTID", "")
    references = (entry.get("REFNUM", ""), entry.get("CHECKNUM", ""), entry.get("SRVRTID", ""))
    draft = Draft(
        line=line,
        where=where,
        amount=amount.replace(",", ".") if _AMOUNT.match(amount) else amount,
        currency=entry.get("CURRENCY/CURSYM", ""),
        booked=day(entry.get("DTPOSTED", "")),
        value=day(entry.get("DTAVAIL", "")),
        memo=memo,
        counterparty=name,
        counterparty_account=account,
        reference=" ".join(dict.fromkeys(part for part in references if part)),
        bank_reference=entry.get("FITID", ""),
        code=entry.get("TRNTYPE", ""),
    )
    if corrected := entry.get("CORRECTFITID"):
        return msgspec.structs.replace(
            draft,
            rule="correction",
            what=f"it corrects the entry {corrected[:60]!r}, which may be booked already",
            todo="look at both with the bank; a corrected statement can be handed in instead",
        )
    return draft


def _statement(opened: _Open, form: str, made: datetime | None, *, account: str, currency: str) -> Statement:
    head, where = opened.head, f"line {opened.line}"
    number = next((head[f"{part}/ACCTID"] for part in ("BANKACCTFROM", "CCACCTFROM") if f"{part}/ACCTID" in head), "")
    bank = head.get("BANKACCTFROM/BANKID", "")
    own = plain_word(f"{bank}/{number}" if bank and number else number) or account
    if not own:
        raise StatementUnreadable(
            "the statement names no account (ACCTID)", where=where, todo="give it beside the file"
        )
    money = head.get("CURDEF", "").strip().upper() or currency
    try:
        exponent(money)
    except MoneyInvalid as cause:
        raise StatementUnreadable(
            f"the statement's currency (CURDEF) is {money[:20]!r}, which is none", where=where, todo=cause.todo
        ) from cause
    noted: list[Noted] = []
    if opened.pending:
        what = f"{opened.pending:,} of its entries are not booked, and were left out"
        noted.append(Noted(rule="pending", what=what, count=opened.pending))
    first_day, last_day = (_day(head.get(f"BANKTRANLIST/{name}", "")) for name in ("DTSTART", "DTEND"))
    return statement_of(
        opened.drafts,
        opened.data,
        format=form,
        account=own,
        currency=money,
        # it has no number; what its server makes later of the same days takes the place of what it made before
        number=f"{first_day} to {last_day}" if first_day and last_day else "",
        made_at=made,
        first_day=first_day,
        last_day=last_day,
        closing=_closing(head, money, noted),
        noted=tuple(noted),
    )


def _closing(head: dict[str, str], currency: str, noted: list[Noted]) -> Balance | None:
    text = head.get("LEDGERBAL/BALAMT", "").strip()
    if not text:
        return None
    try:
        return Balance(minor=Money(text.replace(",", "."), currency).minor, on=_day(head.get("LEDGERBAL/DTASOF", "")))
    except MoneyInvalid as cause:
        noted.append(Noted(rule="balance", what=f"the ledger balance cannot be read: {cause.what}"))
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(day(text))
    except ValueError:
        return None
