"""Made-up entries of two sides with the truth of what belongs together, to train and to test matching on.

They look like what banks and books write and like none of the public data sets: invoices with references and IBANs,
card payments with hardly a text, people's names in many spellings, subscriptions of one price. How much is exact, late,
cut off or left out differs from case to case, so that a model cannot learn one habit. The same seed gives the same
cases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl

from interlock.money import Money
from interlock.packs.reconciliation.matching.wishes import Members
from interlock.packs.reconciliation.terms import ReconciliationTerms

START = date(2025, 1, 6)
_FIRST = (
    "ALICIA",
    "BENEDIKT",
    "CORINNA",
    "DEMIR",
    "ELSPETH",
    "FARID",
    "GRETA",
    "HAKON",
    "INGRID",
    "JASPER",
    "KALINA",
    "LORENA",
    "MATEUSZ",
    "NADIA",
    "OLUF",
    "PRIYA",
    "QUENTIN",
    "ROSALIE",
    "SANJAY",
    "TOBIAS",
    "ULRIKA",
    "VIKRAM",
    "WANDA",
    "XIMENA",
    "YUSUF",
    "ZORA",
    "ANSELM",
    "BRITTA",
    "CEDRIC",
    "DAGNY",
)
_LAST = (
    "AALTONEN",
    "BRANDTNER",
    "CASTELLANI",
    "DRUMMOND",
    "EKWUEME",
    "FITZROY",
    "GUNNARSSON",
    "HOLLERAN",
    "IVANCIC",
    "JANKOWSKI",
    "KOSTOPOULOS",
    "LINDQVIST",
    "MORIARTY",
    "NAKAMURA",
    "OYELARAN",
    "PETROVSKA",
    "QUILLIAM",
    "ROTHSCHILD",
    "SZABO",
    "THORNBURY",
    "UHLMANN",
    "VERBRUGGEN",
    "WHITTAKER",
    "YAMAGUCHI",
    "ZIMMERLI",
    "ABERNATHY",
    "BLOMQUIST",
    "CHAUDHRY",
    "DEVEREUX",
    "EISENBERG",
    "FAIRWEATHER",
    "GOLDSMITH",
    "HARGREAVES",
)
_TRADE = (
    "ALPINE",
    "HARBOR",
    "CEDAR",
    "NORTHWIND",
    "GRANITE",
    "MERIDIAN",
    "COPPER",
    "LANTERN",
    "WILLOW",
    "SUMMIT",
    "ORCHARD",
    "BEACON",
    "FALCON",
    "COBALT",
    "THISTLE",
    "QUARRY",
    "ANCHOR",
    "JUNIPER",
    "PIONEER",
    "TIDEWATER",
)
_LINE = (
    "LOGISTICS",
    "FOODS",
    "TEXTILES",
    "PRINTING",
    "ELECTRIC",
    "SOFTWARE",
    "TIMBER",
    "PAPER",
    "CHEMICALS",
    "OPTICS",
    "MACHINES",
    "SEEDS",
)
_LEGAL = ("GMBH", "LTD", "BV", "SARL", "AB", "INC", "SPA", "")


@dataclass(frozen=True, eq=False)
class Case:
    """Entries of two sides, the terms they are matched on, and the truth.

    Attributes:
        name: The style and the seed.
        expected: The expected entries, by ``matching.entries.COLUMNS``.
        actual: The actual entries.
        terms: Tolerance, window, fees.
        truth: What belongs together.
    """

    name: str
    expected: pl.DataFrame
    actual: pl.DataFrame
    terms: ReconciliationTerms
    truth: frozenset[Members]


@dataclass(frozen=True)
class Habits:
    """How the entries of a case behave; shares from 0 to 1.

    Attributes:
        exact: Of matched pairs, those of equal amounts.
        fee: Of the others, those from which the declared fee was taken.
        noise: By how much the rest differ at most, as a share of the amount.
        late: The mean of the days that pass.
        cut: Where memos are cut off.
        kept: How often the text of the expected side comes back.
        known: How often counterparty and account come with the entry.
        alone: Entries of either side that have no partner.
        grouped: Matches that are groups.
        twice: Actual entries that come twice.
    """

    exact: float
    fee: float
    noise: float
    late: float
    cut: int
    kept: float
    known: float
    alone: float
    grouped: float
    twice: float


@dataclass
class _Desk:
    """A case in the making."""

    dice: Random
    habits: Habits
    currency: str
    fee: int
    name: str
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = field(default_factory=lambda: ([], []))
    truth: list[Members] = field(default_factory=list[Members])

    def put(self, side: int, minor: int, day: int, texts: dict[str, str], *, reverses: bool = False) -> str:
        """Add an entry to a side and give its identity."""
        number = len(self.rows[side])
        identity = hashlib.sha256(f"{self.name}/{side}/{number}".encode()).hexdigest()[:32]
        on = START + timedelta(days=day)
        row = {"identity": identity, "account": ("books", "bank")[side], "currency": self.currency, "minor": minor}
        row |= {"booked_on": on, "value_on": on, "memo": "", "counterparty": "", "counterparty_account": ""}
        row |= {"reference": "", "bank_reference": f"B{number}" if side else "", "code": "", "reverses": reverses}
        self.rows[side].append(row | texts)
        return identity

    def lag(self) -> int:
        """Days that pass: mostly few, at times many, seldom back."""
        if self.dice.random() < 0.04:  # noqa: PLR2004 - one in twenty-five
            return -self.dice.randint(1, 2)
        return min(int(self.dice.expovariate(1.0 / max(self.habits.late, 0.1))), 25)

    def paid(self, minor: int) -> int:
        """What comes of an amount."""
        dice, habits = self.dice, self.habits
        if dice.random() < habits.exact:
            return minor
        if dice.random() < habits.fee and abs(minor) > 4 * self.fee:
            return minor - self.fee
        if dice.random() < 0.05:  # noqa: PLR2004 - two digits exchanged
            return _exchanged(minor, dice)
        return round(minor * (1.0 + max(-habits.noise, min(habits.noise, dice.gauss(0.0, habits.noise / 3)))))


def _exchanged(minor: int, dice: Random) -> int:
    digits = list(str(abs(minor)))
    if len(digits) > 2:  # noqa: PLR2004 - the first digit stays
        at = dice.randrange(1, len(digits) - 1)
        digits[at], digits[at + 1] = digits[at + 1], digits[at]
    return int("".join(digits)) * (1 if minor > 0 else -1)


Style = Callable[[_Desk, int], tuple[int, dict[str, str], dict[str, str]]]
"""From the desk and a number: an amount, the texts of the expected entry, and those of the actual one."""


def _money(dice: Random, *, least: int = 500, most: int = 2_000_000) -> int:
    amount = int(least * (most / least) ** dice.random())
    return amount - amount % dice.choice((1, 1, 5, 100, 500)) or least


def _iban(number: int) -> str:
    digest = hashlib.sha256(f"iban/{number}".encode()).hexdigest()
    return f"DE{int(digest[:16], 16) % 10**20:020d}"


def _cut(text: str, desk: _Desk) -> str:
    """A text as a bank hands it on."""
    dice = desk.dice
    if dice.random() < 0.1:  # noqa: PLR2004 - one in ten
        text = text.replace(" ", "", 1)
    return text[: desk.habits.cut].strip() if dice.random() < 0.8 else text  # noqa: PLR2004 - most


def _invoices(desk: _Desk, number: int) -> tuple[int, dict[str, str], dict[str, str]]:
    dice, habits = desk.dice, desk.habits
    of = dice.randrange(40)
    name = f"{_TRADE[of % len(_TRADE)]} {_LINE[of % len(_LINE)]} {_LEGAL[of % len(_LEGAL)]}".strip()
    invoice = f"{dice.choice(('INV', 'RE', 'FA'))}-2025-{10_000 + number}"
    mine = {
        "memo": f"Invoice {invoice} {name.title()}",
        "counterparty": name.title(),
        "counterparty_account": _iban(of),
    }
    mine["reference"] = invoice
    words = [invoice if dice.random() < habits.kept else "", dice.choice(("", name, name.split(" ")[0]))]
    if dice.random() < 0.3:  # noqa: PLR2004 - some write the number alone
        words[0] = words[0].split("-")[-1]
    dice.shuffle(words)
    text = " ".join([dice.choice(("SEPA CREDIT", "ZAHLUNG", "PAYMENT", "TRF", "")), *words]).strip()
    theirs = {"memo": _cut(text, desk), "code": "NTRF"}
    if dice.random() < habits.known:
        theirs |= {"counterparty": name, "counterparty_account": _iban(of)}
    if dice.random() < habits.kept / 2:
        theirs["reference"] = invoice.replace("-", "")
    return _money(dice), mine, theirs


def _cards(desk: _Desk, number: int) -> tuple[int, dict[str, str], dict[str, str]]:
    dice, habits = desk.dice, desk.habits
    code = hashlib.sha256(f"{desk.name}{number}".encode()).hexdigest()[:10].upper()
    shop = dice.choice(_TRADE)
    mine = {"memo": f"Card sale {shop.title()}", "reference": code}
    theirs = {"memo": dice.choice(("POS", "CARD SETTLEMENT", f"POS {shop}", "")), "code": "POS"}
    if dice.random() < habits.kept:
        theirs["memo"] = f"{theirs['memo']} {code[: dice.choice((8, 10))]}".strip()
    return _money(dice, least=100, most=30_000), mine, theirs


def _people(desk: _Desk, number: int) -> tuple[int, dict[str, str], dict[str, str]]:
    dice, habits = desk.dice, desk.habits
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    spellings = (
        f"{first} {last}",
        f"{first[0]} {last}",
        f"{last} {first}",
        f"{last} {first[0]}",
        f"{first[0]} {last[0]}",
    )
    mine_name = dice.choice(spellings[:3])
    same = dice.random() < habits.kept
    theirs_name = mine_name if same else dice.choice(spellings)
    why = dice.choice(("rent", "dues", "gift", "lesson", f"order {number}", ""))
    ends = ("FPI", "SO", "DD", "FASTER PAYMENT", "")
    mine = {"memo": _cut(f"{mine_name} {why} {dice.choice(ends)}".strip(), desk)}
    theirs = {
        "memo": _cut(f"{theirs_name} {why if dice.random() < habits.kept else ''} {dice.choice(ends)}".strip(), desk)
    }
    if dice.random() < habits.known:
        mine["counterparty"] = f"{first} {last}".title()
    return _money(dice, least=300, most=500_000), mine, theirs


def _subscriptions(desk: _Desk, number: int) -> tuple[int, dict[str, str], dict[str, str]]:
    _, mine, theirs = _people(desk, number)
    customer = f"K{desk.dice.randrange(100_000, 999_999)}"
    mine["reference"] = customer
    if desk.dice.random() < desk.habits.kept:
        theirs["memo"] = _cut(f"{theirs['memo']} {customer}", desk)
    return desk.dice.choice((999, 999, 1999, 4900, 12_000)), mine, theirs


STYLES: dict[str, Style] = {"invoices": _invoices, "cards": _cards, "people": _people, "subscriptions": _subscriptions}


def make_cases(seed: int, rounds: int, size: int) -> Iterator[Case]:
    """Cases of every style, each with habits of its own.

    Args:
        seed: Of the dice.
        rounds: How many of each style.
        size: How many matches each has at most, at least a third of it.
    """
    for turn in range(rounds):
        for style in STYLES:
            yield make_case(f"{style}-{seed}-{turn}", style, size)


def make_case(name: str, style: str, size: int) -> Case:
    """One case; its name is its seed."""
    dice = Random(name)  # noqa: S311 - made-up data that anybody can make again
    habits = Habits(
        exact=dice.choice((1.0, 0.95, 0.9, 0.8, 0.5, 0.3)),
        fee=dice.choice((0.0, 0.3, 0.8)),
        noise=dice.choice((0.002, 0.01, 0.02, 0.1)),
        late=dice.choice((0.5, 1.5, 3.0, 6.0)),
        cut=dice.choice((18, 27, 35, 65, 140)),
        kept=dice.choice((0.3, 0.6, 0.85, 0.97)),
        known=dice.choice((0.0, 0.3, 0.8, 1.0)),
        alone=dice.choice((0.01, 0.05, 0.15)),
        grouped=dice.choice((0.0, 0.05, 0.15)),
        twice=dice.choice((0.0, 0.01)),
    )
    desk = _Desk(dice, habits, dice.choice(("EUR", "GBP", "JPY", "KWD")), dice.choice((100, 250, 1500)), name)
    days = dice.choice((20, 60, 120))
    for number in range(dice.randint(size // 3, size)):
        _one(desk, STYLES[style], number, dice.randrange(days))
    share = Decimal(str(dice.choice((max(habits.noise, 0.005), max(habits.noise * 1.5, 0.02)))))
    terms = ReconciliationTerms(
        name="rehearsal",
        tolerance_share=share,
        fees=(Money.of_minor(desk.fee, desk.currency),),
        days_later=dice.choice((15, 30)),
        days_earlier=dice.choice((3, 5)),
    )
    frames = [pl.DataFrame(rows) for rows in desk.rows]
    return Case(name, frames[0], frames[1], terms, frozenset(desk.truth))


def _one(desk: _Desk, style: Style, number: int, day: int) -> None:
    """One match, or an entry alone, or a group."""
    dice, habits = desk.dice, desk.habits
    minor, mine, theirs = style(desk, number)
    chance = dice.random()
    if chance < habits.alone:
        desk.put(0, minor, day, mine)
    elif chance < 2 * habits.alone:
        desk.put(1, minor, day, theirs)
        if dice.random() < 0.2:  # noqa: PLR2004 - taken back the day after
            desk.put(1, -minor, day + 1, theirs, reverses=dice.random() < 0.5)  # noqa: PLR2004 - not always marked
    elif chance < 2 * habits.alone + habits.grouped and minor > 1000:  # noqa: PLR2004 - enough to be split
        _group(desk, minor, day, mine, theirs)
    else:
        one = desk.put(0, minor, day, mine)
        paid, on = desk.paid(minor), day + desk.lag()
        other = desk.put(1, paid, on, theirs)
        desk.truth.append((frozenset({one}), frozenset({other})))
        if dice.random() < habits.twice:
            desk.put(1, paid, on, theirs)


def _group(desk: _Desk, minor: int, day: int, mine: dict[str, str], theirs: dict[str, str]) -> None:
    """One amount in parts on one side, or on both."""
    dice = desk.dice
    forms = ((1, dice.randint(2, 4)), (dice.randint(2, 4), 1), (dice.randint(2, 4), 1), (2, 2))
    counts = dice.choice(forms)
    paid = desk.paid(minor) if dice.random() < 0.2 else minor  # noqa: PLR2004 - most come to the whole
    chosen: list[set[str]] = [set(), set()]
    for side, (whole, texts) in enumerate(((minor, mine), (paid, theirs))):
        for part in _parts(whole, counts[side], dice):
            on = day + dice.randint(0, 2) + (desk.lag() if side else 0)
            own = dict(texts)
            if counts[side] > 1 and "reference" in own and not side:
                own["reference"] += f"/{len(chosen[side])}"
            chosen[side].add(desk.put(side, part, on, own))
    desk.truth.append((frozenset(chosen[0]), frozenset(chosen[1])))


def _parts(minor: int, count: int, dice: Random) -> list[int]:
    cuts = sorted(dice.sample(range(1, minor), count - 1)) if count > 1 else []
    return [end - start for start, end in zip([0, *cuts], [*cuts, minor], strict=True)]
