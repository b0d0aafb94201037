"""What happened in the month: entries on both sides, and which of them belong together. Pure; seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.generated.names import company, iban

FIRST_DAY = date(2026, 3, 2)
DAYS = 28
"""How long the month is: four whole weeks."""

BANK, RUNS, CARDS, OVERSEAS, GULF = "BANK", "RUNS", "CARDS", "OVERSEAS", "GULF"

ACCOUNTS: dict[str, tuple[str, str, str]] = {
    BANK: ("open-items", iban(1), "EUR"),
    RUNS: ("payment-runs", iban(2), "EUR"),
    CARDS: ("card-sales", "ACQ-88120", "EUR"),
    OVERSEAS: ("export-japan", "JP0042-7719", "JPY"),
    GULF: ("export-gulf", "KW81-0007", "KWD"),
}
"""By place: the account on the expected side, on the actual side, and the currency of both."""

KINDS = {
    "exact": 56,
    "fee": 6,
    "rounding": 4,
    "combined": 6,
    "split": 5,
    "batch": 4,
    "late": 4,
    "duplicate": 3,
    "returned": 2,
    "missing": 4,
    "unexpected": 3,
    "wrong-amount": 3,
}
"""Of a hundred events, how many are of which kind; see the functions below."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is meant.

    Attributes:
        id: Its name in the truth; in no file.
        side: Who states it.
        place: Which of ``ACCOUNTS``.
        minor: Signed minor units; positive is money that comes in.
        booked_on: The day of booking.
        value_on: The day from which it counts.
        memo: What it says for people.
        counterparty: The other party.
        counterparty_account: Its account.
        reference: The identifiers that travel with the payment; not every payer sends them on.
        bank_reference: By which the bank tells it from all others.
        reverses: Whether it is marked as taking an earlier one back.
    """

    id: str
    side: Side
    place: str
    minor: int
    booked_on: date
    value_on: date
    memo: str
    counterparty: str
    counterparty_account: str = ""
    reference: str = ""
    bank_reference: str = ""
    reverses: bool = False


class Belongs(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together.

    Attributes:
        kind: Of what kind it is.
        expected: The ids of the expected entries.
        actual: The ids of the actual ones.
        instead: Actual entries any of which would do as well (of two equal payments nobody can say which is the one).
    """

    kind: str
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    instead: tuple[str, ...] = ()


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The month and its truth.

    Attributes:
        seed: It follows from this, ``count`` and ``first_day``.
        first_day: Its first day; it has four weeks.
        entries: All of them, by side, place and day.
        belongs: What belongs together.
        alone: Why an entry stays alone, by its id: missing, duplicate, reversal, wrong-amount.
    """

    seed: int
    first_day: date
    entries: tuple[Planned, ...]
    belongs: tuple[Belongs, ...]
    alone: dict[str, str]


def make_month(seed: int, count: int = 1_000, first_day: date = FIRST_DAY) -> Month:
    """Plan a month.

    Args:
        seed: Of every chance.
        count: How many entries are expected, at least; a few more, since groups are not cut.
        first_day: The month's first day.
    """
    plan = _Plan(seed, first_day)
    while plan.expected < count:
        plan.happen()
    order = {place: number for number, place in enumerate(ACCOUNTS)}
    entries = sorted(plan.entries, key=lambda one: (one.side, order[one.place], one.booked_on, len(one.id), one.id))
    return Month(seed=seed, first_day=first_day, entries=tuple(entries), belongs=tuple(plan.belongs), alone=plan.alone)


class _Plan:
    """The month as it grows, event by event."""

    def __init__(self, seed: int, first_day: date) -> None:
        self._first_day = first_day
        self._chance = random.Random(seed)  # noqa: S311 - made-up data, not secrets
        self._number = 0
        self.expected = 0
        self.entries: list[Planned] = []
        self.belongs: list[Belongs] = []
        self.alone: dict[str, str] = {}

    def happen(self) -> None:
        """One event more."""
        kind = self._chance.choices(list(KINDS), list(KINDS.values()))[0]
        place = self._chance.choices(list(ACCOUNTS), [46, 24, 18, 6, 6])[0]
        if kind == "batch":
            place = CARDS
        due = self._first_day + timedelta(days=self._chance.randrange(DAYS))
        {
            "combined": self._combined,
            "split": self._split,
            "batch": self._batch,
            "duplicate": self._duplicate,
            "returned": self._returned,
            "missing": self._missing,
            "unexpected": self._unexpected,
        }.get(kind, self._pair)(kind, place, due)

    def _pair(self, kind: str, place: str, due: date) -> None:
        """One for one: exact; less a fee; off by rounding; late; or of an amount that somebody typed wrongly."""
        asked = self._asked(place, due)
        minor = asked.minor
        sign = 1 if minor > 0 else -1
        if kind == "fee":
            minor -= max(1, abs(minor) * self._chance.randint(30, 140) // 10_000)
        elif kind == "rounding":
            minor += self._chance.choice([-3, -2, -1, 1, 2, 3])
        elif kind == "wrong-amount":
            minor += sign * abs(minor) * self._chance.randint(18, 60) // 100
        days = self._chance.randint(5, 9) if kind == "late" else self._chance.choice([0, 0, 0, 1, 1, 2, 3])
        paid = self._paid(asked, minor, asked.value_on + timedelta(days=days))
        if kind == "wrong-amount":
            self.alone |= {asked.id: kind, paid.id: kind}
        else:
            self._together(kind, [asked], [paid])

    def _combined(self, kind: str, place: str, due: date) -> None:
        """One payment for several invoices."""
        first = self._asked(place, due)
        asked = [first, *(self._asked(place, due, like=first) for _ in range(self._chance.randint(1, 3)))]
        numbers = " ".join(one.reference for one in asked)
        paid = self._paid(first, sum(one.minor for one in asked), first.value_on + timedelta(days=1), numbers)
        self._together(kind, asked, [paid])

    def _split(self, kind: str, place: str, due: date) -> None:
        """Several payments for one invoice."""
        asked = self._asked(place, due)
        parts = self._parts(asked.minor, self._chance.randint(2, 3))
        paid = [
            self._paid(asked, part, asked.value_on + timedelta(days=2 * day), f"{asked.reference} PART {day + 1}")
            for day, part in enumerate(parts)
        ]
        self._together(kind, [asked], paid)

    def _batch(self, kind: str, place: str, due: date) -> None:
        """Sales of a day that the acquirer pays out in two sums."""
        first = self._asked(place, due, comes_in=True)
        asked = [first, *(self._asked(place, due, like=first) for _ in range(self._chance.randint(1, 2)))]
        number = f"BATCH{self._next():06d}"
        parts = self._parts(sum(one.minor for one in asked), 2)
        numbers = " ".join([number, *(one.reference for one in asked)])
        paid = [self._paid(first, part, first.value_on + timedelta(days=1), numbers) for part in parts]
        self._together(kind, asked, paid)

    def _duplicate(self, kind: str, place: str, due: date) -> None:
        """Somebody pays twice."""
        asked = self._asked(place, due)
        paid = [self._paid(asked, asked.minor, asked.value_on + timedelta(days=day)) for day in (1, 2)]
        self._together(kind, [asked], paid[:1], instead=[paid[1].id])
        self.alone[paid[1].id] = kind

    def _returned(self, kind: str, place: str, due: date) -> None:
        """A payment that goes back, and comes again."""
        asked = self._asked(place, due)
        days = [asked.value_on + timedelta(days=day) for day in (0, 1, 4)]
        first = self._paid(asked, asked.minor, days[0])
        back = self._paid(asked, -asked.minor, days[1], f"RETURNED {asked.reference}", reverses=True)
        again = self._paid(asked, asked.minor, days[2])
        self._together(kind, [asked], [again], instead=[first.id])
        self.alone |= {first.id: "reversal", back.id: "reversal"}

    def _missing(self, kind: str, place: str, due: date) -> None:
        """What never comes."""
        self.alone[self._asked(place, due).id] = kind

    def _unexpected(self, kind: str, place: str, due: date) -> None:
        """What nobody expects: the bank's charges."""
        del kind
        number = self._next()
        charge = Planned(
            id=f"a{number}",
            side=Side.ACTUAL,
            place=place,
            minor=-self._chance.randint(90, 4_900),
            booked_on=due,
            value_on=due,
            memo=f"ACCOUNT CHARGES {due:%m%Y} NO {number}",
            counterparty="",
            bank_reference=f"B{number:08d}",
        )
        self.entries.append(charge)
        self.alone[charge.id] = "missing"

    def _asked(self, place: str, due: date, *, like: Planned | None = None, comes_in: bool = False) -> Planned:
        """One expected entry more: an invoice, a bill in a payment run, a sale by card."""
        number = self._next()
        minor = int(self._chance.lognormvariate(10.6, 1.1)) + 500
        goes_out = not comes_in and place in {BANK, RUNS} and self._chance.random() < (0.9 if place == RUNS else 0.1)
        if like is not None:
            goes_out = like.minor < 0
        name = like.counterparty if like else company(self._chance)
        reference = f"{'PO' if goes_out else 'RE'}26{number:06d}"
        asked = Planned(
            id=f"e{number}",
            side=Side.EXPECTED,
            place=place,
            minor=-minor if goes_out else minor,
            booked_on=due,
            value_on=due,
            memo=f"{'Bill' if goes_out else 'Invoice'} {reference} {name}",
            counterparty=name,
            counterparty_account=like.counterparty_account if like else iban(100 + self._chance.randrange(9_000)),
            reference=reference,
        )
        self.expected += 1
        self.entries.append(asked)
        return asked

    def _paid(self, asked: Planned, minor: int, day: date, numbers: str = "", *, reverses: bool = False) -> Planned:
        """One actual entry more, as the other side writes it."""
        number = self._next()
        numbers = numbers or asked.reference
        way = self._chance.random()
        memo = f"{asked.counterparty.upper()} {numbers}" if way < 0.75 else f"PAYMENT {numbers}"  # noqa: PLR2004 - shares
        if way > 0.93:  # noqa: PLR2004 - some say nothing but their name
            memo = f"{asked.counterparty.upper()} THANK YOU"
        paid = Planned(
            id=f"a{number}",
            side=Side.ACTUAL,
            place=asked.place,
            minor=minor,
            booked_on=day,
            value_on=day,
            memo=memo,
            counterparty=asked.counterparty,
            counterparty_account=asked.counterparty_account,
            reference=asked.reference if numbers == asked.reference and way < 0.5 else "",  # noqa: PLR2004 - half of them
            bank_reference=f"B{number:08d}",
            reverses=reverses,
        )
        self.entries.append(paid)
        return paid

    def _parts(self, minor: int, count: int) -> Iterator[int]:
        """An amount in uneven parts, none of them zero."""
        rest = minor
        for left in range(count - 1, 0, -1):
            part = rest * self._chance.randint(30, 60) // 100 // left
            yield part
            rest -= part
        yield rest

    def _together(
        self, kind: str, asked: list[Planned], paid: list[Planned], *, instead: list[str] | None = None
    ) -> None:
        self.belongs.append(
            Belongs(
                kind=kind,
                expected=tuple(one.id for one in asked),
                actual=tuple(one.id for one in paid),
                instead=tuple(instead or ()),
            )
        )

    def _next(self) -> int:
        self._number += 1
        return self._number
