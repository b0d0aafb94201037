"""MT940, the customer statement of SWIFT, and MT942, its interim report.

Source: SWIFT Standards, Category 9, MT 940 and MT 942; the structured field 86 by the German banks' appendix 3 (DFÜ
agreement), and the one with tags between slashes by the Dutch banks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from interlock.errors import MoneyInvalid, StatementUnreadable
from interlock.money import Money, exponent
from interlock.packs.reconciliation.entry import Balance, Noted, Statement, Totals
from interlock.packs.reconciliation.statements.draft import LONGEST_DATA
from interlock.packs.reconciliation.statements.frame import Draft, statement_of
from interlock.packs.reconciliation.statements.mt940_details import details_of
from interlock.packs.reconciliation.statements.mt940_fields import (
    Field,
    Line,
    Stated,
    currency_of,
    fields_of,
    line_of,
    made_at,
    stated,
)
from interlock.packs.reconciliation.statements.pages import Page, first_day_of, joined, own_number
from interlock.packs.reconciliation.statements.source import decoded, marked_encoding, one_line_end, plain_word

_AFTER_REFERENCE = frozenset({"21", "25", "28", "NS", "13", "34", "60"})
_OF_A_LINE = frozenset({"86", "NS"})
_OPENING = ("60F", "60", "60M")
_CLOSING = ("62F", "62", "62M")
_LONGEST_FIELD = 20_000


class _Block(msgspec.Struct):
    """The fields of one statement.

    Attributes:
        line: Where it begins.
        head: What tells of the statement as a whole.
        lines: Its entries, each with the fields that follow it.
    """

    line: int
    head: list[Field]
    lines: list[list[Field]]


def read_mt940(data: bytes, *, account: str = "", currency: str = "") -> list[Statement]:
    """The statements of an MT940 or MT942 file; each ``:20:`` begins one, or the next page of the one before.

    Args:
        data: The file, in UTF-8 or, failing that, in Windows-1252.
        account: The account, where a statement names none.
        currency: The currency, where a statement names none.

    Raises:
        StatementUnreadable: it has no fields, or a statement without account or currency.
    """
    text = one_line_end(_text(data))
    blocks = _blocks(fields_of(text))
    if not blocks:
        raise StatementUnreadable(
            "the file holds no field of a statement, such as :20: or :61:",
            todo="ask who sent it for the MT940 file of the account",
        )
    return joined(_page(block, account=account, currency=currency) for block in blocks)


def _text(data: bytes) -> str:
    marked = marked_encoding(data)
    if marked:
        return decoded(data, marked)
    try:
        return decoded(data, "utf-8")
    except StatementUnreadable:
        # the set of characters of SWIFT is within both; names of people are not
        return data.decode("cp1252", "replace")


def _blocks(fields: list[Field]) -> list[_Block]:
    blocks: list[_Block] = []
    for place, field in enumerate(fields):
        following = fields[place + 1].tag if place + 1 < len(fields) else "60"
        # a time of day at the beginning of a line of text looks like a field, but none of a head follows it
        if not blocks or (field.tag == "20" and following in _AFTER_REFERENCE):
            blocks.append(_Block(field.line, [], []))
        block = blocks[-1]
        if field.tag == "61":
            block.lines.append([field])
        elif block.lines and field.tag in _OF_A_LINE and not _is_closed(block):
            block.lines[-1].append(field)
        elif field.tag not in _OF_A_LINE:
            block.head.append(field)
    return blocks


def _is_closed(block: _Block) -> bool:
    """Whether the closing balance has come: what follows it tells of the statement, and not of its last line."""
    last = block.head[-1] if block.head else None
    return last is not None and last.tag in {"62", "64", "65"} and last.line > block.lines[-1][0].line


def _page(block: _Block, *, account: str, currency: str) -> Page:
    head = _head(block)
    statement = _statement(block, head, account=account, currency=currency)
    number, _, place = _number(head).partition("/")
    is_page = statement.format == "mt940" and place.isascii() and place.isdigit()
    return Page(
        statement=statement,
        number=number.strip().lstrip("0"),
        place=int(place) if is_page else None,
        opens_between=_first(head, _OPENING) == "60M",
        closes_between=_first(head, _CLOSING) == "62M",
    )


def _number(head: dict[str, Field]) -> str:
    found = head.get("28C") or head.get("28")
    return found.value if found else ""


def _first(head: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in head), "")


def _account(head: dict[str, Field]) -> str:
    """The account; option P of the field has the bank's identifier code in a second line."""
    if "25" in head:
        return plain_word(head["25"].value)
    return plain_word(head["25P"].value.partition("\n")[0]) if "25P" in head else ""


def _statement(block: _Block, head: dict[str, Field], *, account: str, currency: str) -> Statement:
    where = f"line {block.line}"
    own = _account(head) or account
    if not own:
        raise StatementUnreadable("the statement names no account (:25:)", where=where, todo="give it beside the file")
    noted: list[Noted] = []
    read = {full: found for full, field in head.items() if (found := _read(field, noted))}
    money = _currency(read.values(), head, currency)
    if not money:
        said = "; ".join(one.what for one in noted)[:200] or "it has no balance (:60F:, :62F:) and no floor (:34F:)"
        raise StatementUnreadable(
            f"the statement names no currency of today: {said}", where=where, todo="give it beside the file"
        )
    opening, closing = (_balance(read, names, money, noted) for names in (_OPENING, _CLOSING))
    drafts = [_draft(fields, number, money) for number, fields in enumerate(block.lines, start=1)]
    interim = opening is None and ("13D" in head or "34F" in head)
    made = head.get("13D") or head.get("13")
    return statement_of(
        drafts,
        {number: _bytes(fields) for number, fields in enumerate(block.lines, start=1)},
        format="mt942" if interim else "mt940",
        account=own,
        currency=money,
        number=own_number(_number(head)),
        made_at=made_at(made) if made else None,
        first_day=first_day_of(opening, closing),
        last_day=closing.on if closing else None,
        opening=opening,
        closing=closing,
        totals=_totals(read, money),
        noted=tuple(noted),
    )


def _head(block: _Block) -> dict[str, Field]:
    """The fields of the statement as a whole by tag: the first of each, and of its closing balances the last.

    A second account within a statement is a line of text whose tag was mangled; it must not move entries to it.
    """
    head: dict[str, Field] = {}
    for field in block.head:
        if field.tag == "62":
            head[field.full] = field
        else:
            head.setdefault(field.full, field)
    return head


def _read(field: Field, noted: list[Noted]) -> Stated | None:
    if field.tag not in {"60", "62", "34", "90"}:
        return None
    found = stated(field) if len(field.value) <= _LONGEST_FIELD else None
    if found is None or not _known(found.currency):
        if field.tag != "34":  # a floor is of no matter beside its currency
            rule = "totals" if field.tag == "90" else "balance"
            noted.append(
                Noted(rule=rule, what=f"line {field.line}: :{field.full}: {field.value[:40]!r} cannot be read")
            )
        return None
    return found


def _known(currency: str) -> bool:
    try:
        exponent(currency)
    except MoneyInvalid:
        return False
    return True


def _currency(found: Iterable[Stated], head: dict[str, Field], given: str) -> str:
    told = (currency_of(head[name]) for name in (*_OPENING, *_CLOSING) if name in head)
    return next((one for one in (*(one.currency for one in found), *told, given) if one and _known(one)), "")


def _balance(read: dict[str, Stated], names: tuple[str, ...], currency: str, noted: list[Noted]) -> Balance | None:
    found = read.get(_first(read, names))
    if found is None:
        return None
    minor = _minor(found, currency)
    if minor is None:
        noted.append(Noted(rule="balance", what=f"a balance of {found.amount} {found.currency} is none of the account"))
        return None
    return Balance(minor=minor, on=found.on)


def _minor(found: Stated, currency: str) -> int | None:
    try:
        return Money(found.amount, currency).minor if found.currency == currency else None
    except MoneyInvalid:
        return None


def _totals(read: dict[str, Stated], currency: str) -> Totals:
    debit, credit = read.get("90D"), read.get("90C")
    sums = {
        name: abs(minor)
        for name, found in (("debit", debit), ("credit", credit))
        if found and (minor := _minor(found, currency)) is not None
    }
    both = (debit.count, credit.count) if debit and credit else (None, None)
    count = None if both[0] is None or both[1] is None else both[0] + both[1]
    return Totals(count=count, debit=sums.get("debit"), credit=sums.get("credit"))


def _draft(fields: list[Field], number: int, currency: str) -> Draft:
    where = f"line {fields[0].line}"
    too_long = any(len(field.value) > _LONGEST_FIELD for field in fields)
    line = None if too_long else line_of(fields)
    if line is None:
        what = f"the statement line {fields[0].value[:60]!r} cannot be read"
        todo = "it has to begin with day, mark (C, D, RC, RD), amount with a comma and a type: ask the bank"
        return Draft(line=number, where=where, currency=currency, rule="syntax", what=what, todo=todo)
    return _told(line, number, where)


def _told(line: Line, number: int, where: str) -> Draft:
    said = details_of(line.texts)
    value = line.value_on.isoformat()
    return Draft(
        line=number,
        where=where,
        amount=f"{line.amount:f}",
        booked=line.booked_on.isoformat() if line.booked_on else value,
        value=value,
        memo=said.memo,
        counterparty=said.counterparty,
        counterparty_account=said.counterparty_account,
        reference=said.reference,
        bank_reference=said.bank_reference,
        code=said.code,
        reverses=line.reverses,
    )


def _bytes(fields: list[Field]) -> bytes:
    return "\n".join(f":{field.full}:{field.value}" for field in fields).encode("utf-8", "replace")[:LONGEST_DATA]
