"""One ``Ntry`` of camt.053 as drafts of entries. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from interlock.packs.reconciliation.statements.frame import Draft
from interlock.packs.reconciliation.statements.xml_nodes import Node

_DECIMAL = re.compile(r"[0-9]{1,30}(?:\.[0-9]{0,12})?\Z")
_WAYS = {"CRDT": "", "DBIT": "-"}
_STATES = frozenset({"BOOK", ""})
_TRUE = frozenset({"true", "1"})
_NONE = frozenset({"NOTPROVIDED", "NONREF"})


def drafts_of(node: Node, *, where: str, state: str) -> list[Draft]:
    """The entry; or each of its transactions, where the bank gives amounts of several that add up to the entry.

    Args:
        node: The ``Ntry``.
        where: Where it stands.
        state: Its state: ``BOOK``, or another that nobody knows.
    """
    whole = _entry(node, where)
    if not whole.rule and state not in _STATES:
        return [_wrong(whole, "syntax", f"its state {state[:40]!r} is unknown", "ask the bank whether it is booked")]
    details = list(node.all("NtryDtls", "TxDtls"))
    if whole.rule or len(details) < 2:  # noqa: PLR2004 - two are several
        return [_told(whole, node, details[0])] if details and not whole.rule else [whole]
    parts = _parts(whole, node, details)
    return parts or [_batch(whole, node, details)]


def _entry(node: Node, where: str) -> Draft:
    amount, way = node.first("Amt"), node.words("CdtDbtInd")
    text = amount.text if amount else ""
    draft = Draft(
        where=where,
        amount=f"{_WAYS.get(way, '')}{text}",
        currency=amount.attributes.get("Ccy", "") if amount else "",
        booked=node.any_words(("BookgDt", "Dt"), ("BookgDt", "DtTm")),
        value=node.any_words(("ValDt", "Dt"), ("ValDt", "DtTm")),
        memo=node.words("AddtlNtryInf"),
        bank_reference=_given(node.words("AcctSvcrRef")),
        reference=_given(node.words("NtryRef")),
        code=_code(node.first("BkTxCd")),
        reverses=node.words("RvslInd") in _TRUE,
    )
    if way not in _WAYS:
        said = f"its direction is {way[:20]!r}" if way else "it says neither credit nor debit"
        return _wrong(draft, "syntax", said, "ask the bank: CdtDbtInd is CRDT or DBIT")
    if text.startswith(("-", "+")):
        return _wrong(
            draft, "amount", f"{text[:60]!r} has a sign, and CdtDbtInd is its sign", "ask the bank which counts"
        )
    return draft


def _wrong(draft: Draft, rule: str, what: str, todo: str) -> Draft:
    return msgspec.structs.replace(draft, rule=rule, what=what, todo=todo)


def _told(whole: Draft, entry: Node, details: Node) -> Draft:
    """The entry with what its one transaction says of it."""
    name, account = _other_side(details, comes_in=not whole.amount.startswith("-"), reverses=whole.reverses)
    return msgspec.structs.replace(
        whole,
        memo=" ".join(_memo(details)) or details.words("AddtlTxInf") or whole.memo,
        counterparty=name,
        counterparty_account=account,
        reference=_joined([*_references(details), whole.reference]),
        bank_reference=whole.bank_reference or _given(details.words("Refs", "AcctSvcrRef")),
        code=whole.code or _code(details.first("BkTxCd") or entry.first("BkTxCd")),
    )


def _batch(whole: Draft, entry: Node, details: list[Node]) -> Draft:
    """The entry with what all its transactions say; who the other party is, only where it is one."""
    told = [_told(whole, entry, one) for one in details[:_MOST_TOLD]]
    names, accounts = {one.counterparty for one in told}, {one.counterparty_account for one in told}
    return msgspec.structs.replace(
        whole,
        memo=_joined([whole.memo, *(one.memo for one in told)]),
        counterparty=names.pop() if len(names) == 1 else "",
        counterparty_account=accounts.pop() if len(accounts) == 1 else "",
        reference=_fitting([reference for one in details[:_MOST_TOLD] for reference in _references(one)]),
    )


_MOST_TOLD = 200
_LONGEST_REFERENCE = 1_000


def _fitting(texts: list[str]) -> str:
    """As many of the references as an entry has room for, whole ones."""
    joined = ""
    for text in dict.fromkeys(texts):
        if len(joined) + len(text) + 1 > _LONGEST_REFERENCE:
            break
        joined = f"{joined} {text}".strip()
    return joined


def _parts(whole: Draft, entry: Node, details: list[Node]) -> list[Draft]:
    """Each transaction as an entry, if their amounts are all given in the entry's currency and add up to it."""
    amounts = [_amount(one, whole) for one in details]
    if not _DECIMAL.match(whole.amount.removeprefix("-")) or any(one is None for one in amounts):
        return []
    if sum(one for one in amounts if one is not None) != Decimal(whole.amount):
        return []
    own = [_given(one.words("Refs", "AcctSvcrRef")) for one in details]
    shared = Counter(own)
    made: list[Draft] = []
    times: Counter[str] = Counter()
    for place, (one, amount) in enumerate(zip(details, amounts, strict=True), start=1):
        told = _told(whole, entry, one)
        reference = own[place - 1] if shared[own[place - 1]] == 1 else ""
        within = _within(whole, one, f"{amount:f}", times) if whole.bank_reference else ""
        made.append(
            msgspec.structs.replace(
                told,
                where=f"{whole.where}, TxDtls[{place}]",
                amount=f"{amount:f}",
                bank_reference=reference or within,
                reference=told.reference,
            )
        )
    return made


def _within(whole: Draft, details: Node, amount: str, times: Counter[str]) -> str:
    """A transaction's place in its entry by what it is, not by where it stands: banks tell them in other orders too."""
    own = next(
        (one for name in ("TxId", "EndToEndId", "UETR", "InstrId") if (one := _given(details.words("Refs", name)))), ""
    )
    told = f"{whole.bank_reference}/{own or amount}"
    times[f"{told} {amount}"] += 1
    again = times[f"{told} {amount}"]
    return told if again == 1 else f"{told}/{again}"


def _amount(details: Node, whole: Draft) -> Decimal | None:
    """A transaction's amount, signed; its own direction, else the entry's."""
    found = details.first("Amt") or details.first("AmtDtls", "TxAmt", "Amt")
    if found is None or found.attributes.get("Ccy", "") != whole.currency or not _DECIMAL.match(found.text):
        return None
    way = details.words("CdtDbtInd")
    if way and way not in _WAYS:
        return None
    sign = _WAYS[way] if way else ("-" if whole.amount.startswith("-") else "")
    return Decimal(f"{sign}{found.text}")


def _memo(details: Node) -> Iterator[str]:
    yield from (one.text for one in details.all("RmtInf", "Ustrd") if one.text)
    for one in details.all("RmtInf", "Strd"):
        yield from (ref.text for ref in one.all("CdtrRefInf", "Ref") if ref.text)
        yield from (number.text for number in one.all("RfrdDocInf", "Nb") if number.text)
        yield from (more.text for more in one.all("AddtlRmtInf") if more.text)


def _references(details: Node) -> list[str]:
    paths = (("EndToEndId",), ("InstrId",), ("PmtInfId",), ("MndtId",), ("TxId",), ("UETR",), ("ChqNb",))
    found = [_given(details.words("Refs", *path)) for path in paths]
    structured = [_given(one.text) for one in details.all("RmtInf", "Strd", "CdtrRefInf", "Ref")]
    return [one for one in [*found, *structured] if one]


def _other_side(details: Node, *, comes_in: bool, reverses: bool) -> tuple[str, str]:
    """Name and account of the other party: who pays what comes in. A reversal keeps the parties of what it reverses."""
    role = "Dbtr" if comes_in is not reverses else "Cdtr"
    parties = details.first("RltdPties")
    if parties is None:
        return "", ""
    name = parties.any_words((role, "Nm"), (role, "Pty", "Nm"), (role, "Agt", "FinInstnId", "Nm"),
                             (f"Ultmt{role}", "Nm"), (f"Ultmt{role}", "Pty", "Nm"))  # fmt: skip
    account = parties.any_words((f"{role}Acct", "Id", "IBAN"), (f"{role}Acct", "Id", "Othr", "Id"))
    return name, account


def _code(node: Node | None) -> str:
    if node is None:
        return ""
    domain = [node.words("Domn", "Cd"), node.words("Domn", "Fmly", "Cd"), node.words("Domn", "Fmly", "SubFmlyCd")]
    return "-".join(part for part in domain if part) or node.words("Prtry", "Cd")


def _given(text: str) -> str:
    return "" if text.upper() in _NONE else text


def _joined(texts: list[str]) -> str:
    return " ".join(dict.fromkeys(text for text in texts if text))
