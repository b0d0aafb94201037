"""What may be the total of a receipt: each distinct amount, described by its labels, place and arithmetic. Pure.

A candidate is a value, not one print of it: a total that stands also beside CASH, or twice, is one candidate whose
prints support each other. Sums are of whole sen, so they are exact.
"""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.packs.receipts.amounts import Amount, Cut, Label, amounts_of, cuts_of
from interlock.packs.receipts.page import Page

MOST_CANDIDATES = 80
"""Receipts have up to about 60 distinct amounts; of more, those with labels and then the largest are kept."""

_SPOILED = (
    Label.SUB | Label.EXCLUDING | Label.COUNT | Label.DISCOUNT | Label.CHANGE | Label.POINTS | Label.SUMMARY | Label.TAX
)
_NO_LABEL = Label(0)
_ROUNDING_CENTS = 4
_GST = 6


class TotalCandidate(msgspec.Struct, frozen=True):
    """One amount that may be the total.

    Attributes:
        value: The exact amount.
        prints: Where it is printed, from top to bottom; never empty.
    """

    value: Decimal
    prints: tuple[Amount, ...]

    @property
    def cents(self) -> int:
        """The amount in sen."""
        return int(self.value * 100)

    def called(self, label: Label) -> bool:
        """Whether one of its prints stands beside this label."""
        return any(amount.labels & label for amount in self.prints)


class Sums(msgspec.Struct, frozen=True):
    """What the labels on a receipt say about its arithmetic, in sen.

    Attributes:
        paid_less_change: Every amount handed over less every change.
        sub_and_tax: Every sub total with every tax added.
        less_discount: Every total or sub total less every discount.
        rounded: Every total or sub total with every printed rounding added or taken off.
        items: The running sums of the last amounts of the rows before the first total.
        all_items: The last of these sums, or zero.
        values: Every amount that is printed.
    """

    paid_less_change: frozenset[int]
    sub_and_tax: frozenset[int]
    less_discount: frozenset[int]
    rounded: frozenset[int]
    items: frozenset[int]
    all_items: int
    values: frozenset[int]


class TotalQuestion(msgspec.Struct, frozen=True):
    """All candidates of one receipt, with what they share.

    Attributes:
        candidates: Distinct values, the first printed first.
        amounts: Every print of every amount.
        cuts: Bare whole numbers that may be what a comma left.
        sums: The arithmetic of the labels.
    """

    candidates: tuple[TotalCandidate, ...]
    amounts: tuple[Amount, ...]
    cuts: tuple[Cut, ...]
    sums: Sums


def total_question(page: Page) -> TotalQuestion:
    """Gather the candidates of a page; near-linear in its words, since candidates are bounded."""
    amounts = amounts_of(page)
    prints: dict[Decimal, list[Amount]] = {}
    for amount in amounts:
        prints.setdefault(amount.value, []).append(amount)
    candidates = [TotalCandidate(value, tuple(found)) for value, found in prints.items()]
    if len(candidates) > MOST_CANDIDATES:
        ranked = sorted(candidates, key=lambda c: (not c.called(Label.TOTAL | Label.CASH | Label.CARD), -c.value))
        kept = {candidate.value for candidate in ranked[:MOST_CANDIDATES]}
        candidates = [candidate for candidate in candidates if candidate.value in kept]
    sums = _sums_of(candidates, amounts)
    return TotalQuestion(tuple(candidates), amounts, cuts_of(page), sums)


def is_plain_total(amount: Amount) -> bool:
    """Whether an amount is called a total and nothing that a final total is not."""
    labels = amount.labels
    if labels & Label.TAX and labels & Label.INCLUDING:
        labels &= ~Label.TAX
    return bool(labels & Label.TOTAL) and not labels & _SPOILED


def _named(candidates: list[TotalCandidate], label: Label, *, but: Label = _NO_LABEL) -> list[int]:
    """The absolute values, in sen, of the candidates beside a label; bounded, so that pairs stay cheap."""
    found = [
        abs(c.cents) for c in candidates if any(a.labels & label and not a.labels & but for a in c.prints) and c.value
    ]
    return found[:24]


def _sums_of(candidates: list[TotalCandidate], amounts: tuple[Amount, ...]) -> Sums:
    paid = _named(candidates, Label.CASH | Label.CARD, but=Label.CHANGE)
    change = [*_named(candidates, Label.CHANGE), 0]
    totals = _named(candidates, Label.TOTAL | Label.SUB | Label.AMOUNT)
    taxes = _named(candidates, Label.TAX, but=Label.TOTAL)
    discounts = _named(candidates, Label.DISCOUNT)
    rounding = [c for c in _named(candidates, Label.ROUNDING) if c <= _ROUNDING_CENTS + 1]
    items, running = set[int](), 0
    for amount in amounts:
        if amount.labels & (Label.TOTAL | Label.SUB | Label.CASH):
            break
        if amount.last:
            running += int(amount.value * 100)
            items.add(running)
    return Sums(
        paid_less_change=frozenset(p - c for p in paid for c in change if p > c),
        sub_and_tax=frozenset(t + x for t in totals for x in taxes),
        less_discount=frozenset(t - d for t in totals for d in discounts if t > d),
        rounded=frozenset(v for t in totals for r in rounding for v in (t + r, t - r)),
        items=frozenset(items),
        all_items=running,
        values=frozenset(c.cents for c in candidates),
    )


def _arithmetic(candidate: TotalCandidate, sums: Sums) -> list[float]:
    cents = candidate.cents
    near = [cents + off for off in range(-_ROUNDING_CENTS, _ROUNDING_CENTS + 1) if off and cents + off in sums.values]
    tax = round(cents * _GST / (100 + _GST))
    pairs = sum(1 for value in sums.values if 0 < value < cents - value and cents - value in sums.values)
    handed = sum(1 for value in sums.values if value > cents > 0 and value - cents in sums.values)
    return [
        cents in sums.paid_less_change,
        cents in sums.sub_and_tax,
        cents in sums.less_discount,
        cents in sums.rounded,
        cents in sums.items,
        cents == sums.all_items,
        abs(cents - sums.all_items) <= _ROUNDING_CENTS,
        len(near),
        bool(near) and cents % 5 == 0 and any(value % 5 for value in near),
        bool(near) and cents % 5 != 0 and any(value % 5 == 0 for value in near),
        tax > 0 and (tax in sums.values or tax + 1 in sums.values or tax - 1 in sums.values),
        min(pairs, 5),
        min(handed, 5),
    ]


def _place(candidate: TotalCandidate, page: Page, plain: list[Amount]) -> list[float]:
    prints = candidate.prints
    named = [amount for amount in prints if is_plain_total(amount)]
    lowest = (named or prints)[-1].word
    tallest = max(amount.word.height for amount in (named or prints))
    value = candidate.value
    return [
        len(prints),
        len(named),
        bool(named) and named[-1] is plain[-1],
        bool(named) and named[0] is plain[0],
        bool(named) and value == max(amount.value for amount in plain),
        bool(named) and value == min(amount.value for amount in plain),
        page.down(lowest.middle),
        page.down(prints[0].word.middle),
        page.down(prints[-1].word.middle),
        max(page.across(amount.word.right) for amount in prints),
        tallest / page.height,
        any(amount.signed for amount in prints),
        any(amount.last for amount in prints),
        any(amount.alone for amount in prints),
        min(amount.inside for amount in prints),
    ]


def _names(candidate: TotalCandidate) -> list[float]:
    """Labels of all prints, of the plain totals alone, and of the rows around prints that stand without words."""
    together, above, below, best = Label(0), Label(0), Label(0), Label(0)
    for amount in candidate.prints:
        together |= amount.labels
        if not amount.text.strip(" :.-RM$"):
            above |= amount.above
            below |= amount.below
        if is_plain_total(amount):
            best |= amount.labels
    strict = any(a.labels & Label.GRAND and is_plain_total(a) for a in candidate.prints)
    including = any(a.labels & Label.INCLUDING and a.labels & Label.TOTAL for a in candidate.prints)
    return [
        *(bool(together & label) for label in Label),
        *(bool(best & label) for label in (Label.GRAND, Label.INCLUDING, Label.ROUNDED, Label.ROUNDING, Label.AMOUNT)),
        *(bool(above & label) for label in (Label.TOTAL, Label.CASH, Label.CARD, Label.CHANGE, Label.SUB, Label.TAX)),
        *(bool(below & label) for label in (Label.TOTAL, Label.CASH, Label.CARD, Label.CHANGE, Label.SUB, Label.TAX)),
        strict,
        including,
    ]


def total_features(question: TotalQuestion, page: Page) -> NDArray[np.float32]:
    """One row of numbers for each candidate: float32 ``[candidates, features]``, in the order of the candidates."""
    plain = [amount for amount in question.amounts if is_plain_total(amount)]
    values = sorted((candidate.value for candidate in question.candidates), reverse=True)
    rank = {value: place for place, value in enumerate(values)}
    largest = max(values[0], Decimal("0.01")) if values else Decimal(1)
    bound = max((a.value for a in plain), default=largest) or largest
    cut = sum(cut.owed for cut in question.cuts)
    rows = [
        [
            *_names(candidate),
            *_place(candidate, page, plain),
            *_arithmetic(candidate, question.sums),
            rank[candidate.value],
            float(candidate.value / largest),
            float(candidate.value / bound),
            math.log10(max(float(candidate.value), 0.001)),
            candidate.value < 0,
            candidate.cents % 5 == 0,
            len(values),
            len(plain),
            cut,
        ]
        for candidate in question.candidates
    ]
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(rows[0]) if rows else 0)
