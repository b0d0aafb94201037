"""The control group beside the others: value, margin, cost and cycle time of a case, and what may be called a cause.

Pure. INVARIANT: a cause is named only where cases were drawn by lot, enough of each group are compared, all but a few
have ended, and all that the figure is made of is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import numpy as np

from interlock.autonomy.betting import Floats
from interlock.business.contrast import FEWEST, Contrast, contrast_of
from interlock.business.drawn import CaseLoss, CaseOf
from interlock.business.figures import declared_currency
from interlock.business.sums import USD, fine, major
from interlock.business.terms import BusinessTerms

MOST_CASES = 10_000
"""The newest so many of a time are compared, of both groups."""
MOST_OPEN = 0.05
"""Of a group: where more have not ended, those that have are not what was drawn."""
ENDED = ("done", "cancelled", "answered")
"""A question without a case is answered: it ends, costs and may lose, and is worth nothing by itself."""
_UNITS = ((2 * 3600, 3600, "hours"), (2 * 60, 60, "minutes"), (0, 1, "seconds"))
BY_LOT = "Cases are drawn by lot, so what differs beyond chance is caused by letting decisions go by themselves."
NO_CAUSE = "No cause can be told yet"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a case in both groups.

    Attributes:
        name: For programs.
        title: For people.
        treated: Its mean in the cases that go on as the workflow does; None: it is not known.
        control: And in those that people decide.
        change: The first less the second.
        low: The lower end of the 95 % interval of that.
        high: The upper end.
        cases: How many cases of each group are in it.
        few: Whether these are too few.
        beyond_chance: Whether the interval is all above 0, or all below.
        is_cause: Whether the difference may be called what the workflow changes.
        note: What it leaves out; why it is no cause.
    """

    name: str
    title: str
    treated: str | None
    control: str | None
    change: str | None
    low: str | None
    high: str | None
    cases: tuple[int, int]
    few: bool
    beyond_chance: bool
    is_cause: bool
    note: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The control group beside the others.

    Attributes:
        since: Cases that began from this moment on.
        until: Before this one.
        steps: How many shares counted for them, one after the other.
        treated: How many cases went on as the workflow does.
        control: How many people decided.
        under_way: How many of each have not ended: they are in no figure.
        differences: What differs.
        says: What may be said of cause, in a sentence.
        note: What else to know of the cases.
    """

    since: datetime
    until: datetime
    steps: int
    treated: int
    control: int
    under_way: tuple[int, int]
    differences: tuple[Difference, ...]
    says: str
    note: str


class _Amounts(msgspec.Struct, frozen=True):
    """The money of a case, in one currency."""

    value: Decimal
    cost: Decimal
    losses: Decimal


class _Books:
    """Reckons cases in one currency, and notes what is missing."""

    def __init__(self, terms: BusinessTerms, losses: Sequence[CaseLoss], currency: str) -> None:
        self._terms, self.currency = terms, currency
        self._losses: dict[UUID, list[CaseLoss]] = defaultdict(list)
        for one in losses:
            self._losses[one.case_id].append(one)
        self.no_value: set[str] = set()
        self.no_cost: set[str] = set()
        self.no_loss: set[str] = set()

    def of(self, case: CaseOf) -> _Amounts:
        return _Amounts(self._value(case), self._cost(case), self._lost(case))

    def _value(self, case: CaseOf) -> Decimal:
        worth = self._terms.worth
        if worth is None:
            self.no_value.add("what a case is worth is not stated")
            return Decimal(0)
        if case.state != "done" or (worth.conclusions and case.conclusion not in worth.conclusions):
            return Decimal(0)
        if worth.each is not None:
            return self._in(worth.each.amount, worth.each.currency, self.no_value)
        if case.exposure_minor is None or not case.currency:
            self.no_value.add("the exposure of some cases is not known")
            return Decimal(0)
        part = major(case.exposure_minor, case.currency) * worth.share.numerator / worth.share.denominator
        return self._in(part, case.currency, self.no_value)

    def _cost(self, case: CaseOf) -> Decimal:
        terms, total = self._terms, case.cost
        if terms.processor_hour:
            total += case.cpu_us * terms.processor_hour / (3600 * 1_000_000)
        else:
            self.no_cost.add("processors have no price (prices_processor_hour)")
        if terms.person_hour:
            total += case.people_ms * terms.person_hour / (3600 * 1000)
        elif case.people_ms or case.untimed:
            self.no_cost.add("people's time has no price (prices_person_hour)")
        if case.untimed:
            self.no_cost.add("how long some reviews took is not known")
        return self._in(total, USD, self.no_cost)

    def _lost(self, case: CaseOf) -> Decimal:
        if case.unknown:
            self.no_loss.add("the outcomes of some decisions that went by themselves are not known")
        total = Decimal(0)
        for one in self._losses.get(case.id, ()):
            stated = self._terms.losses.get(one.point)
            minor = one.loss_minor
            if minor is None and stated and one.exposure_minor is not None and one.currency == stated[1]:
                minor = stated[0].of(max(one.exposure_minor, 0))
            if minor is None or not one.currency:
                self.no_loss.add("what some wrong decisions lost is not known")
                continue
            total += self._in(major(minor, one.currency) / Decimal(one.propensity), one.currency, self.no_loss)
        return total

    def _in(self, amount: Decimal, currency: str, missing: set[str]) -> Decimal:
        if not amount:
            return amount
        told = self._terms.rates.convert(amount, currency, self.currency)
        if told is None:
            missing.add(f"no rate from {currency} to {self.currency} is declared with its date")
        return told or Decimal(0)


def compare(
    cases: Sequence[CaseOf], losses: Sequence[CaseLoss], terms: BusinessTerms, since: datetime, until: datetime
) -> Compared:
    """The groups beside one another.

    Args:
        cases: All that were drawn of those that began in that time.
        losses: Their wrong decisions.
        terms: What is declared.
        since: From when on they began.
        until: Until when.
    """
    ended = [one for one in cases if one.state in ENDED]
    drawn, over = _numbers(cases), _numbers(ended)
    under_way = drawn[0] - over[0], drawn[1] - over[1]
    currency = declared_currency(terms) or next((one.currency for one in cases if one.currency), USD)
    books = _Books(terms, losses, currency)
    reckoned = {one.id: books.of(one) for one in ended}
    many_open = any(rest > MOST_OPEN * whole for rest, whole in zip(under_way, drawn, strict=True))
    told = f"{under_way[0]:,} and {under_way[1]:,} cases of the groups have not ended"
    open_too = {told} if many_open else set[str]()

    def money(name: str, title: str, of: Callable[[_Amounts], Decimal], *missing: set[str]) -> Difference:
        found = contrast_of(_by_step(ended, lambda one: float(of(reckoned[one.id]))))
        return _told(name, title, found, lambda x: fine(Decimal(repr(x)), currency), open_too.union(*missing))

    # INVARIANT: of all that were drawn: which of them are done, not cancelled, is decided after the lot
    spans = contrast_of(_by_step(ended, lambda one: one.seconds))
    longest = max(spans.treated, spans.control) if spans is not None else 0.0
    size, unit = next((size, unit) for least, size, unit in _UNITS if longest >= least)
    differences = (
        money("value", "Value", lambda one: one.value, books.no_value),
        money("margin", "Margin", lambda one: one.value - one.cost - one.losses, books.no_value, books.no_cost,
              books.no_loss),
        money("cost", "Cost, with its losses", lambda one: one.cost + one.losses, books.no_cost, books.no_loss),
        money("losses", "Losses by wrong decisions", lambda one: one.losses, books.no_loss),
        _told("cycle_time", "Time until it ends", spans, lambda x: f"{x / size:.3g} {unit}", open_too),
    )  # fmt: skip
    return Compared(
        since=since, until=until, steps=len({one.step for one in cases}), treated=drawn[0], control=drawn[1],
        under_way=under_way, differences=differences, says=_says(differences), note=_note(cases),
    )  # fmt: skip


def _numbers(cases: Sequence[CaseOf]) -> tuple[int, int]:
    control = sum(one.is_control for one in cases)
    return len(cases) - control, control


def _by_step(cases: Sequence[CaseOf], of: Callable[[CaseOf], float]) -> list[tuple[Floats, Floats]]:
    values: dict[datetime, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for one in cases:
        values[one.step][one.is_control].append(of(one))
    return [(np.array(one), np.array(other)) for _, (one, other) in sorted(values.items())]


def _told(
    name: str, title: str, found: Contrast | None, said: Callable[[float], str], missing: set[str]
) -> Difference:  # fmt: skip
    notes = sorted(missing)
    if found is None:
        notes.append("there are not two cases of each group that ended")
        return Difference(
            name=name, title=title, treated=None, control=None, change=None, low=None, high=None, cases=(0, 0),
            few=True, beyond_chance=False, is_cause=False, note="; ".join(notes),
        )  # fmt: skip
    if found.few:
        notes.append(f"too few: {FEWEST} cases of each group are needed")
    if found.low is None:
        notes.append("nothing varies within the groups, so chance has no measure")
    told = [f"{found.left_out:,} cases of steps with one group alone are left out"] if found.left_out else []
    low, high = (None if end is None else _signed(said(end)) for end in (found.low, found.high))
    return Difference(
        name=name, title=title, treated=said(found.treated), control=said(found.control),
        change=_signed(said(found.change)), low=low, high=high, cases=found.cases, few=found.few,
        beyond_chance=found.low is not None and found.high is not None and (found.low > 0 or found.high < 0),
        is_cause=not notes, note="; ".join([*notes, *told]),
    )  # fmt: skip


def _signed(told: str) -> str:
    return told if told.startswith("-") else f"+{told}"


def _says(differences: Sequence[Difference]) -> str:
    causes = [one for one in differences if one.is_cause]
    if not causes:
        why = next((one.note for one in differences if one.note), "no case was drawn")
        return f"{NO_CAUSE}: {why}. A difference between the groups proves none."
    beyond = (one for one in causes if one.beyond_chance)
    told = "; ".join(f"{one.title.lower()} {one.change} a case (95 %: {one.low} to {one.high})" for one in beyond)
    return f"{BY_LOT} {f'Caused so: {told}.' if told else 'So far no difference is beyond chance.'}"


def _note(cases: Sequence[CaseOf]) -> str:
    most = f"of the newest {MOST_CASES:,} cases; " if len(cases) >= MOST_CASES else ""
    return f"{most}people see the same proposals in both groups; what people decided counts as they said"
