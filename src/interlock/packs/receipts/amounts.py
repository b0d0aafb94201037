"""Every amount of money on a page, with what is printed around it. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import IntFlag, auto

import msgspec

from interlock.packs.receipts.page import Page, Word

MOST_AMOUNTS = 1000
"""Receipts have up to about 150 amounts; a page made to cost time has its surplus ignored, at the bottom."""

_LONGEST_LABEL = 200
_MONEY = re.compile(
    r"(?<![0-9.])(-\s?)?(RM\s?|MYR\s?|\$\s?)?(-\s?)?(?<![0-9])([0-9]{1,7}|(?<![A-Z0-9)])(?=\.))\.([0-9]{2})(?![0-9]|\.[0-9])(\s?%)?(-(?![0-9]))?"
)
_WHOLE = re.compile(r"-?(?:RM|MYR|\$)?\s?-?([1-9][0-9]{0,2})\Z")
_LABELLED_WHOLE = re.compile(r"(?:RM|MYR|\$|:)\s*-?([1-9][0-9]{0,2})\Z")

_NO_CUT = re.compile(r"STAMP|TIME|[LI]TEM|GST\s?\(S|#|COUNTER|CASHLER|TRANSACT|[0-9]:|TABLE|PAX|NO\b|QUAN")


class Label(IntFlag):
    """What the words beside an amount call it; several may hold."""

    TOTAL = auto()
    """TOTAL in any form"""
    GRAND = auto()
    """what is finally owed: NETT TOTAL, GRAND TOTAL, AMOUNT DUE, ROUNDED TOTAL, TOTAL INCLUSIVE OF GST"""
    SUB = auto()
    """SUB TOTAL"""
    EXCLUDING = auto()
    """before tax"""
    INCLUDING = auto()
    """with tax"""
    TAX = auto()
    """GST, SST, service charge"""
    CASH = auto()
    """what was handed over in cash"""
    CARD = auto()
    """what was paid by card or another way"""
    CHANGE = auto()
    """what was given back"""
    ROUNDING = auto()
    """the adjustment to five sen"""
    ROUNDED = auto()
    """the total after rounding"""
    DISCOUNT = auto()
    """what was taken off"""
    COUNT = auto()
    """a number of pieces"""
    SUMMARY = auto()
    """a line of the tax summary: SR, ZRL, @ 6%"""
    AMOUNT = auto()
    """AMOUNT, AMT, PRICE"""
    POINTS = auto()
    """loyalty points and their balance"""


_LABELS: tuple[tuple[Label, re.Pattern[str]], ...] = tuple(
    (label, re.compile(pattern))
    for label, pattern in (
        (Label.TOTAL, r"T[O0]T[AE]?L|JUMLAH|TTL\b"),
        (
            Label.GRAND,
            r"GRAND|NETT?\b|AMOUNT DUE|DUE\b|PAYABLE|BALANCE D|TO PAY|BAYAR|TOTAL\s?(?:SALES?|AMOUNT|AMT|RM|\(RM\))",
        ),
        (Label.SUB, r"SUB\s?-?\.?\s?T[O0]T|SUB\s?TTL|SUBT"),
        (Label.EXCLUDING, r"EXC|BEFORE|W/O|WITHOUT|TAXABLE"),
        (Label.INCLUDING, r"INC|WITH GST|W/GST|AFTER"),
        (Label.TAX, r"\bGST|\bG\.S\.T|\bTAX\b|\bSST|SERVICE|SVC|SERV\b|\bVAT"),
        (Label.CASH, r"C[AO]SH(?!IER)|TENDER|RECEIVED|TUNAI|BAYARAN"),
        (Label.CARD, r"VISA|MASTER|CARD|DEBIT|CREDIT|AMEX|EPAY|PAID|PAYMENT|MYDEBIT|VOUCHER"),
        (Label.CHANGE, r"CHANG|BAKI|BALANCE\b(?! D)|\bCHNG|RETURN"),
        (Label.ROUNDING, r"ROUND(?!ED)|RND|ADJ"),
        (Label.ROUNDED, r"ROUNDED|AFTER (?:ROUND|ADJ)|AFTER RND"),
        (Label.DISCOUNT, r"DISC|SAV(?:ING|ED)|LESS\b|PROMO|COUPON|REBATE|DEPOSIT"),
        (Label.COUNT, r"\bQTY|QUANTITY|\bITEMS?\b|PCS|COUNT|LITRE|\bKG\b"),
        (Label.SUMMARY, r"\bSR\b|\bZRL?\b|\bSR\s?[=:@]|@\s?\(?[06]|6(?:\.00?)?\s?%|0(?:\.00?)?\s?%|SUMMARY"),
        (Label.AMOUNT, r"AMOUNT|\bAMT|PRICE|HARGA"),
        (Label.POINTS, r"POINT|BONUSLINK|REWARD|MEMBER|B/F|LOYALTY"),
    )
)


class Amount(msgspec.Struct, frozen=True):
    """One amount as printed.

    Attributes:
        value: The exact amount.
        word: The OCR word that holds it.
        labels: What the words to its left on its row call it, its own word included.
        above: What the row above calls itself: print is often skewed against its label, or set under it.
        below: The same for the row below.
        text: The words to its left, as read.
        signed: Whether a currency sign stands before it, in its word or as the word to its left.
        last: Whether no other amount stands to its right.
        alone: Whether its word holds nothing else.
        inside: How many other amounts stand to its left on the row.
    """

    value: Decimal
    word: Word
    labels: Label
    above: Label
    below: Label
    text: str
    signed: bool
    last: bool
    alone: bool
    inside: int


class Cut(msgspec.Struct, frozen=True):
    """A bare whole number where an amount belongs: what is left of "1,007.50" after a cut at the comma.

    Attributes:
        value: The whole number, which were the thousands.
        word: The OCR word that ends with it.
        labels: What the words to its left call it.
        text: The words to its left, as read.
    """

    value: int
    word: Word
    labels: Label
    text: str = ""

    @property
    def owed(self) -> bool:
        """Whether it stands where what is owed or handed over belongs, and is no count, time or number of a till."""
        return bool(self.labels & (Label.TOTAL | Label.CASH)) and not (
            self.labels & (Label.COUNT | Label.POINTS) or _NO_CUT.search(self.text)
        )


def labels_of(text: str) -> Label:
    """Every label in an upper-case text."""
    found = Label(0)
    for label, pattern in _LABELS:
        if pattern.search(text):
            found |= label
    return found


def amounts_of(page: Page) -> tuple[Amount, ...]:
    """Every amount with two decimals, from top to bottom; percentages are none. Linear in the page's text."""
    names = [labels_of(_MONEY.sub(" ", " ".join(word.text for word in row))) for row in page.rows]
    around = [Label(0), *names, Label(0)]
    found: list[Amount] = []
    for number, row in enumerate(page.rows):
        found.extend(_amounts_of_row(row, around[number], around[number + 2]))
        if len(found) > MOST_AMOUNTS:
            break
    return tuple(found[:MOST_AMOUNTS])


def _amounts_of_row(row: tuple[Word, ...], above: Label, below: Label) -> list[Amount]:
    found: list[Amount] = []
    texts: list[str] = []
    for word in row:
        for match in _MONEY.finditer(word.text):
            if match[6]:
                continue
            value = Decimal(f"{match[4] or 0}.{match[5]}")
            if len(found) >= MOST_AMOUNTS:
                break
            before = " ".join([*texts, word.text[: match.start()]]).strip()[-_LONGEST_LABEL:]
            label_text = _MONEY.sub(" ", before)
            found.append(
                Amount(
                    value=-value if match[1] or match[3] or match[7] else value,
                    word=word,
                    labels=labels_of(label_text),
                    above=above,
                    below=below,
                    text=label_text[-60:],
                    signed=bool(match[2]) or before.endswith(("RM", "MYR", "$")),
                    last=True,
                    alone=match[0].strip() == word.text,
                    inside=len(found),
                )
            )
        texts = [*texts, word.text][-12:]
    return [msgspec.structs.replace(amount, last=place == len(found) - 1) for place, amount in enumerate(found)]


def cuts_of(page: Page) -> tuple[Cut, ...]:
    """Every bare whole number below 1,000 that ends a row which its words call an amount, and that holds no amount."""
    found: list[Cut] = []
    for row in page.rows:
        last = row[-1]
        if any(_MONEY.search(word.text) for word in row):
            continue
        alone = _WHOLE.match(last.text) if len(row) > 1 else None
        within = _LABELLED_WHOLE.search(last.text)
        match = alone or within
        if match:
            before = " ".join([*(word.text for word in row[:-1]), last.text[: match.start()]])
            found.append(Cut(int(match[1]), last, labels_of(before), before[-60:]))
    return tuple(found)
