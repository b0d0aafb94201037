"""camt.053, the bank-to-customer statement of ISO 20022, in versions 001.02 to 001.14, with or without its namespace.

The versions differ in where names and entry states stand; both places are looked at, so that no version needs a reader
of its own. Source: ISO 20022 message definition reports, Bank-to-Customer Cash Management.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import msgspec

from interlock.errors import MoneyInvalid, StatementUnreadable
from interlock.money import Money, exponent
from interlock.packs.reconciliation.entry import Balance, Noted, Statement, Totals
from interlock.packs.reconciliation.statements.camt_entry import drafts_of
from interlock.packs.reconciliation.statements.draft import LONGEST_DATA
from interlock.packs.reconciliation.statements.frame import Draft, statement_of
from interlock.packs.reconciliation.statements.pages import Page, first_day_of, joined, own_number
from interlock.packs.reconciliation.statements.source import plain_word
from interlock.packs.reconciliation.statements.xml_nodes import Node, Part, parts_of

_ROOT = "BkToCstmrStmt"
_MESSAGE = re.compile(r"(camt|pain|pacs|acmt|admi)\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}")
_OTHERS = {
    "BkToCstmrAcctRpt": "camt.052, an intraday report, whose entries may still change",
    "BkToCstmrDbtCdtNtfctn": "camt.054, a notification, whose entries the statement repeats",
    "CstmrCdtTrfInitn": "pain.001, an order to pay",
    "CstmrDrctDbtInitn": "pain.008, an order to collect",
    "CstmrPmtStsRpt": "pain.002, a report of orders",
}
_CUTS: dict[str, tuple[str, ...]] = {
    "Ntry": ("Stmt", _ROOT), "Stmt": (_ROOT,), "GrpHdr": (_ROOT,), **dict.fromkeys(_OTHERS, ()),
}  # fmt: skip
"""What is read by itself, and within what it has to stand: a bank's own additions may hold elements of these names."""
_OPENING = ("OPBD", "PRCD")  # OPAV counts what may be drawn, credit lines too: no sum of entries leads from it to CLBD
_CLOSING = ("CLBD",)
_PENDING = frozenset({"PDNG", "INFO", "FUTR"})


class _Place(msgspec.Struct, frozen=True):
    """Which page something is.

    Attributes:
        number: The page, from 1; None where it does not say.
        is_last: Whether it says so, or says nothing.
    """

    number: int | None = None
    is_last: bool = True


class _Reading:
    """What has been read of one file."""

    def __init__(self) -> None:
        self.format = "camt.053"
        self.made_at: datetime | None = None
        self.page = _Place()
        self.seen = 0
        self.clear()

    def clear(self) -> None:
        """Forget the entries of the statement before."""
        self.drafts: list[Draft] = []
        self.data: dict[int, bytes] = {}
        self.entries = self.pending = self.split = 0


def read_camt(data: bytes, *, account: str = "", currency: str = "") -> list[Statement]:
    """The statements of a camt.053 file.

    A booked entry is one entry. Where it holds several transactions and the bank gives the amount of each, and these
    add up to the entry, each transaction is an entry. Entries that are pending or for information are left out.

    Args:
        data: The file.
        account: The account, where a statement names none.
        currency: The currency, where neither account nor balances name one.

    Raises:
        StatementUnreadable: it is no well-formed XML, no camt.053, or one without a statement.
    """
    reading = _Reading()
    pages: list[Page] = []
    outer = ""
    for part in parts_of(data, _CUTS):
        node = part.node
        if part.opens:
            outer = node.name
            _check_root(node)
            continue
        _note_format(reading, node)
        if node.name in _OTHERS:
            raise _other(_OTHERS[node.name])
        if node.name == "GrpHdr":
            reading.made_at = moment(node.words("CreDtTm"))
            reading.page = _place(node.first("MsgPgntn"))
        elif node.name == "Ntry":
            _take(reading, part)
        elif node.name == "Stmt":
            reading.seen += 1
            pages += _pages(reading, node, account=account, currency=currency)
            reading.clear()
    if not reading.seen:
        raise StatementUnreadable(
            f"the file holds no statement: its outermost element is <{outer[:60]}>, and there is no <Stmt>",
            todo="a camt.053 file has Document/BkToCstmrStmt/Stmt: ask who sent it for the statement",
        )
    return joined(_by_account(pages))


def moment(text: str) -> datetime | None:
    """An ISO 20022 date and time in UTC; one without a zone is taken for UTC; None for none."""
    try:
        found = datetime.fromisoformat(text[:40])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def day(node: Node | None) -> date | None:
    """The day of a choice of date, or date and time, as written."""
    text = node.any_words(("Dt",), ("DtTm",)) if node else ""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _check_root(node: Node) -> None:
    found = _MESSAGE.search(node.space)
    if found and not found.group(0).startswith("camt.053"):
        raise _other(_named(found.group(0)))


def _named(message: str) -> str:
    return next((what for what in _OTHERS.values() if what.startswith(message[:8])), message)


def _other(what: str) -> StatementUnreadable:
    return StatementUnreadable(f"the file is {what}, and no statement", todo="send the camt.053 of the account")


def _note_format(reading: _Reading, node: Node) -> None:
    found = _MESSAGE.search(node.space)
    if found and found.group(0).startswith("camt.053"):
        reading.format = found.group(0)


def _take(reading: _Reading, part: Part) -> None:
    node = part.node
    reading.entries += 1
    state = node.any_words(("Sts", "Cd"), ("Sts",), ("Sts", "Prtry"))
    if state in _PENDING:
        reading.pending += 1
        return
    where = f"Stmt[{reading.seen + 1}]/Ntry[{reading.entries}], line {node.line}"
    made = drafts_of(node, where=where, state=state)
    data = part.data(LONGEST_DATA)
    if len(made) > 1:
        reading.split += len(made) - 1
    for draft in made:
        line = len(reading.drafts) + 1
        reading.drafts.append(msgspec.structs.replace(draft, line=line))
        reading.data[line] = data


def _pages(reading: _Reading, node: Node, *, account: str, currency: str) -> Iterator[Page]:
    """One statement; where the account has no one currency, one for each currency of its balances and entries."""
    where = f"Stmt[{reading.seen}], line {node.line}"
    own = node.any_words(("Acct", "Id", "IBAN"), ("Acct", "Id", "Othr", "Id"), ("Acct", "Id", "PrtryAcct", "Id"))
    own = plain_word(own) or account
    if not own:
        raise StatementUnreadable(
            "the statement names no account", where=where, todo="give the account beside the file"
        )
    currencies = _currencies(reading, node, currency)
    if not currencies:
        raise StatementUnreadable(
            "the statement names no known currency", where=where, todo="give the currency beside it"
        )
    # <Id> is new with each telling; where the days say of which year a sequence number is, that is the statement's own
    has_days = bool(reading.drafts or _edge(node, "To"))
    sequence = node.any_words(("ElctrncSeqNb",), ("LglSeqNb",)) if has_days else ""
    number = own_number(sequence) or own_number(node.words("Id"))
    place = _place(node.first("StmtPgntn")) if node.first("StmtPgntn") else reading.page
    for is_first, one in zip([True, *[False] * len(currencies)], currencies, strict=False):
        drafts = [draft for draft in reading.drafts if _belongs(draft.currency, one, currencies, is_first=is_first)]
        noted = [*_notes(reading, is_first=is_first)]
        (opens_between, opening), (closes_between, closing) = (_edge_balance(node, one, at, noted) for at in _EDGES)
        statement = statement_of(
            drafts,
            reading.data,
            format=reading.format,
            account=own,
            currency=one,
            number=_number(number, place, opening if opens_between or closes_between else None),
            made_at=moment(node.words("CreDtTm")) or reading.made_at,
            first_day=_edge(node, "Fr") or first_day_of(opening, closing),
            last_day=_edge(node, "To") or (closing.on if closing else None),
            opening=opening,
            closing=closing,
            totals=_totals(reading, node, one, noted) if len(currencies) == 1 else Totals(),
            noted=tuple(noted),
        )
        yield Page(
            statement=statement,
            number=number,
            place=place.number,
            is_last=place.is_last,
            opens_between=opens_between,
            closes_between=closes_between,
            whole=number,
        )


def _by_account(pages: list[Page]) -> list[Page]:
    """Pages with those of one account and currency after each other: pages in several currencies stand in turns."""
    groups: dict[tuple[str, str], list[Page]] = {}
    for page in pages:
        groups.setdefault((page.statement.account, page.statement.currency), []).append(page)
    return [page for group in groups.values() for page in group]


def _place(node: Node | None) -> _Place:
    number = node.words("PgNb") if node else ""
    if node is None or not re.fullmatch("[0-9]{1,5}", number):
        return _Place()
    return _Place(int(number), node.words("LastPgInd") not in {"false", "0"})


def _number(number: str, place: _Place, opening: Balance | None) -> str:
    """The statement's id, with the page where it has several; one that does not count its pages has where it begins.

    A page is no correction of another one, so no two may have the same number.
    """
    if place.number is not None:
        return number if not number or (place.number == 1 and place.is_last) else f"{number}/{place.number}"
    return f"{number}/{opening.minor}" if number and opening else number


def _currencies(reading: _Reading, node: Node, currency: str) -> list[str]:
    declared = node.words("Acct", "Ccy")
    if declared:
        return [declared] if _known(declared) else []
    balances = [one.attributes.get("Ccy", "") for one in node.all("Bal", "Amt")]
    found = dict.fromkeys([*balances, *(draft.currency for draft in reading.drafts)])
    known = [one for one in found if _known(one)]
    return known or ([currency] if currency and _known(currency) else [])


def _belongs(own: str, currency: str, currencies: list[str], *, is_first: bool) -> bool:
    """An entry of a currency that the statement does not have is told, as broken, in its first one."""
    return own == currency or (is_first and own not in currencies)


def _known(currency: str) -> bool:
    try:
        exponent(currency)
    except MoneyInvalid:
        return False
    return True


def _edge(node: Node, side: str) -> date | None:
    text = node.any_words(("FrToDt", f"{side}DtTm"), ("FrToDt", f"{side}Dt"))
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _notes(reading: _Reading, *, is_first: bool) -> Iterator[Noted]:
    if reading.pending and is_first:
        what = f"{reading.pending:,} of its entries are not booked, and were left out"
        yield Noted(rule="pending", what=what, count=reading.pending)


def _edge_balance(
    node: Node, currency: str, edge: tuple[tuple[str, ...], int], noted: list[Noted]
) -> tuple[bool, Balance | None]:
    """The first or last balance of the first kind that the statement has, and whether it is one between pages."""
    kinds, place = edge
    for kind in kinds:
        if found := _balances(node, currency, kind):
            return False, _read_balance(found[place], currency, noted)
    between = _balances(node, currency, "ITBD")
    # one alone is where the page begins if it ends the statement, else where it ends
    is_both = len(between) == _BOTH_EDGES or (place == 0 and bool(_balances(node, currency, "CLBD")))
    if between and (is_both or place == -1):
        return True, _read_balance(between[place], currency, noted)
    return False, None


_EDGES = ((_OPENING, 0), (_CLOSING, -1))
_BOTH_EDGES = 2


def _balances(node: Node, currency: str, kind: str) -> list[Node]:
    found = (one for one in node.all("Bal") if one.words("Tp", "CdOrPrtry", "Cd") == kind)
    return [one for one in found if _currency_of(one) == currency]


def _currency_of(node: Node) -> str:
    amount = node.first("Amt")
    return amount.attributes.get("Ccy", "") if amount else ""


def _read_balance(node: Node, currency: str, noted: list[Noted]) -> Balance | None:
    text = node.words("Amt")
    way = node.words("CdtDbtInd")
    try:
        minor = Money(text, currency).minor
    except MoneyInvalid as cause:
        noted.append(Noted(rule="balance", what=f"a balance cannot be read (line {node.line}): {cause.what}"))
        return None
    if way not in {"CRDT", "DBIT"} or minor < 0:
        noted.append(Noted(rule="balance", what=f"a balance does not say credit or debit (line {node.line})"))
        return None
    return Balance(minor=-minor if way == "DBIT" else minor, on=day(node.first("Dt")))


def _totals(reading: _Reading, node: Node, currency: str, noted: list[Noted]) -> Totals:
    """What the summary says. Where entries were split, the count is raised to that of their transactions."""
    summary = node.first("TxsSummry")
    if summary is None:
        return Totals()
    count = summary.words("TtlNtries", "NbOfNtries")
    numbers: dict[str, int | None] = {}
    for name, path in (("credit", "TtlCdtNtries"), ("debit", "TtlDbtNtries")):
        numbers[name] = _sum(summary.words(path, "Sum"), currency, noted)
    net = summary.any_words(("TtlNtries", "TtlNetNtry", "Amt"), ("TtlNtries", "TtlNetNtryAmt"))
    way = summary.any_words(("TtlNtries", "TtlNetNtry", "CdtDbtInd"), ("TtlNtries", "CdtDbtInd"))
    whole = _sum(net, currency, noted)
    return Totals(
        count=int(count) + reading.split if re.fullmatch("[0-9]{1,15}", count) else None,
        credit=numbers["credit"],
        debit=numbers["debit"],
        net=None if whole is None or way not in {"CRDT", "DBIT"} else (-whole if way == "DBIT" else whole),
    )


def _sum(text: str, currency: str, noted: list[Noted]) -> int | None:
    if not text:
        return None
    try:
        return Money(text, currency).minor
    except MoneyInvalid as cause:
        noted.append(Noted(rule="totals", what=f"a total cannot be read: {cause.what}"))
        return None
