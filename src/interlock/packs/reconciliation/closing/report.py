"""What an account came to on a day: from sums to a report that ties to the minor unit, or says where it does not. Pure.

For each side and currency, in entries and in money:

    opening + received + late - gone + undone - matched - written off - accepted = closing

``opening`` is what the last close left open. ``late`` are entries of days that were closed already, ``gone`` those that
no statement in force states any more, ``undone`` what was settled at the last close and is not settled so now: the
three are corrections of closed periods, which stay as they were signed. INVARIANT: a report depends on what it is given
alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import msgspec

from interlock.packs.reconciliation.closing.amounts import amount_text
from interlock.packs.reconciliation.closing.sums import Difference, Flow, Stated, Sums, Total, Unready

ABSENT, GONE, OPEN, MATCHED = "absent", "gone", "open", "matched"
WRITTEN_OFF, ACCEPTED = "written_off", "accepted"
SETTLED = (MATCHED, WRITTEN_OFF, ACCEPTED)


class Sum(msgspec.Struct, frozen=True):
    """So many entries with so much money."""

    entries: int = 0
    minor: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.entries + other.entries, self.minor + other.minor)

    def __sub__(self, other: Sum) -> Sum:
        return Sum(self.entries - other.entries, self.minor - other.minor)


class OpenPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is open: why, how old, how much."""

    why: str
    age: str
    sum: Sum


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What one side of the account came to in one currency; see the equation above."""

    side: str
    currency: str
    opening: Sum
    received: Sum
    late: Sum
    gone: Sum
    undone: Sum
    matched: Sum
    written_off: Sum
    accepted: Sum
    closing: Sum
    open: tuple[OpenPart, ...]

    @property
    def comes_to(self) -> Sum:
        """What the flows leave open."""
        had = self.opening + self.received + self.late + self.undone
        return had - self.gone - self.matched - self.written_off - self.accepted


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What the statements of one side and currency say: the first opening balance and the last closing one.

    Attributes:
        side: Whose.
        currency: ISO 4217.
        statements: How many; where there is none, both balances are where the last ones ended.
        opening: None where the first states none.
        closing: None where the last states none.
        moved: What their entries come to.
    """

    side: str
    currency: str
    statements: int
    opening: int | None
    closing: int | None
    moved: int


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What the matches of a currency differ by, booked as fees and differences: actual sums less expected ones.

    A match counts whole on each account that it settles an entry of: where the two sides have accounts of their own,
    both tell of the same differences.

    Attributes:
        currency: ISO 4217.
        matches: How many there are now.
        before: What they came to at the last close.
        total: What they come to.
        fees_before: What of it was booked as fees at the last close.
        fees: What of it is booked as fees; the rest as differences.
        elsewhere: What their entries on other accounts come to, actual less expected.
    """

    currency: str
    matches: int
    before: int
    total: int
    fees_before: int
    fees: int
    elsewhere: int

    @property
    def moved(self) -> int:
        """What was booked since the last close."""
        return self.total - self.before

    @property
    def fees_moved(self) -> int:
        """What of it as fees."""
        return self.fees - self.fees_before


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a report takes over from the last one that was signed.

    Attributes:
        digest: SHA-256 of its bytes, in hex; empty: there was none.
        openings: What it left open, by side and currency.
        differences: What its matches came to, by currency.
        fees: What of these was booked as fees.
        balances: Where its last statements ended, by side and currency, where they say it.
    """

    digest: str
    openings: Mapping[tuple[str, str], Sum]
    differences: Mapping[str, int]
    fees: Mapping[str, int]
    balances: Mapping[tuple[str, str], int]


NOTHING_SIGNED = Signed(
    digest="",
    openings=MappingProxyType({}),
    differences=MappingProxyType({}),
    fees=MappingProxyType({}),
    balances=MappingProxyType({}),
)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must hold of a report, and whether it does."""

    name: str
    holds: bool
    what: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an account came to.

    Attributes:
        reconciliation: The reconciliation.
        account: The account.
        first_day: The first day that was not closed before; None: no close was before.
        until: The last day.
        follows: SHA-256 of the report of the close before it, in hex; empty: there is none.
        lines: By side and currency.
        differences: By currency.
        balances: What the statements say, by side and currency.
        untied: Statements whose balances do not follow from the one before or from their entries.
        checks: What must hold.
        carried_over: What is not done, and is carried over by name.
    """

    reconciliation: str
    account: str
    first_day: date | None
    until: date
    follows: str
    lines: tuple[Line, ...]
    differences: tuple[Booked, ...]
    balances: tuple[Balance, ...]
    untied: tuple[Unready, ...]
    checks: tuple[Check, ...]
    carried_over: tuple[Unready, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all that must hold does."""
        return all(check.holds for check in self.checks)


def report_of(
    sums: Sums,
    *,
    reconciliation: str,
    account: str,
    first_day: date | None,
    until: date,
    signed: Signed = NOTHING_SIGNED,
    carried_over: Sequence[Unready] = (),
) -> Report:
    """The report of an account.

    Args:
        sums: As they are read.
        reconciliation: The reconciliation.
        account: The account.
        first_day: The first day that was not closed before.
        until: The last day.
        signed: What the last close says.
        carried_over: What is not done and is carried over.
    """
    lines = _lines(sums, signed.openings)
    differences = _differences(sums.differences, signed)
    return Report(
        reconciliation=reconciliation,
        account=account,
        first_day=first_day,
        until=until,
        follows=signed.digest,
        lines=lines,
        differences=differences,
        balances=_balances(sums.stated, signed.balances),
        untied=tuple(_untied(sums.stated, signed.balances)),
        checks=(*_rolls_forward(lines), *_booked(sums.flows, differences)),
        carried_over=tuple(carried_over),
    )


def _lines(sums: Sums, openings: Mapping[tuple[str, str], Sum]) -> tuple[Line, ...]:
    found = {(flow.side, flow.currency) for flow in sums.flows} | {(one.side, one.currency) for one in sums.totals}
    totals = {(one.side, one.currency): one for one in sums.totals}
    return tuple(
        _line(name, [one for one in sums.flows if (one.side, one.currency) == name], totals.get(name), openings)
        for name in sorted(found | openings.keys())
    )


def _line(
    name: tuple[str, str], flows: list[Flow], total: Total | None, openings: Mapping[tuple[str, str], Sum]
) -> Line:
    came = [flow for flow in flows if flow.was == ABSENT and flow.now_is != GONE]
    settled = {kind: _sum(flow for flow in flows if flow.now_is == kind and flow.was != kind) for kind in SETTLED}
    still = Sum()
    if total:
        still = Sum(total.entries - total.settled_entries, int(total.minor) - int(total.settled_minor))
    return Line(
        side=name[0],
        currency=name[1],
        opening=openings.get(name, Sum()),
        received=_sum(flow for flow in came if not flow.earlier),
        late=_sum(flow for flow in came if flow.earlier),
        gone=_sum(flow for flow in flows if flow.was != ABSENT and flow.now_is == GONE),
        undone=_sum(flow for flow in flows if flow.was in SETTLED and flow.now_is != flow.was),
        matched=settled[MATCHED],
        written_off=settled[WRITTEN_OFF],
        accepted=settled[ACCEPTED],
        closing=still,
        open=_open(flows),
    )


def _sum(flows: Iterable[Flow]) -> Sum:
    return sum((Sum(flow.entries, int(flow.minor)) for flow in flows), Sum())


def _open(flows: list[Flow]) -> tuple[OpenPart, ...]:
    mine = [flow for flow in flows if flow.now_is == OPEN]
    parts = sorted({(flow.why, flow.age) for flow in mine})
    return tuple(
        OpenPart(why=why, age=age, sum=_sum(flow for flow in mine if (flow.why, flow.age) == (why, age)))
        for why, age in parts
    )


def _rolls_forward(lines: Sequence[Line]) -> Iterable[Check]:
    for line in lines:
        parts = sum((part.sum for part in line.open), Sum())
        said = f"{line.side} {line.currency}: the flows leave {_shown(line.comes_to, line.currency)} open, "
        said += f"the parts of what is open come to {_shown(parts, line.currency)}, "
        said += f"and what is in force less what is settled is {_shown(line.closing, line.currency)}"
        holds = line.comes_to == parts == line.closing
        yield Check(name="rolls-forward", holds=holds, what=said)


def _differences(found: Sequence[Difference], signed: Signed) -> tuple[Booked, ...]:
    zero = Decimal(0)
    known = {one.currency: one for one in found}
    for currency in signed.differences.keys() - known.keys():
        known[currency] = Difference(currency=currency, matches=0, minor=zero, fees=zero, elsewhere=zero)
    return tuple(
        Booked(
            currency=currency,
            matches=one.matches,
            before=signed.differences.get(currency, 0),
            total=int(one.minor),
            fees_before=signed.fees.get(currency, 0),
            fees=int(one.fees),
            elsewhere=int(one.elsewhere),
        )
        for currency, one in sorted(known.items())
    )


def _booked(flows: Sequence[Flow], differences: Sequence[Booked]) -> Iterable[Check]:
    """Whether what is matched, with what its matches hold on other accounts, differs by what they are booked with."""
    known = {one.currency: one for one in differences}
    for currency in sorted({flow.currency for flow in flows}):
        matched = [flow for flow in flows if flow.currency == currency and flow.now_is == MATCHED]
        apart = sum(int(flow.minor) * (1 if flow.side == "actual" else -1) for flow in matched)
        booked, elsewhere = (known[currency].total, known[currency].elsewhere) if currency in known else (0, 0)
        said = f"{currency}: the sides of what is matched differ by {amount_text(apart, currency)} here "
        said += f"and {amount_text(elsewhere, currency)} on other accounts, "
        said += f"and the matches are booked with {amount_text(booked, currency)}"
        yield Check(name="differences", holds=apart + elsewhere == booked, what=said)


def _balances(stated: Sequence[Stated], ended: Mapping[tuple[str, str], int]) -> tuple[Balance, ...]:
    """What statements say; where there is none the last balance stands, so that the next period goes on from it."""
    silent = ended.keys() - {(one.side, one.currency) for one in stated}
    carried = [
        Balance(
            side=side, currency=currency, statements=0, opening=ended[side, currency], closing=ended[side, currency],
            moved=0,
        )
        for side, currency in silent
    ]  # fmt: skip
    said = [
        Balance(
            side=side,
            currency=currency,
            statements=len(mine),
            opening=mine[0].opening_minor,
            closing=mine[-1].closing_minor,
            moved=sum(int(one.minor) for one in mine),
        )
        for (side, currency), mine in _by_side(stated)
    ]
    return tuple(sorted([*carried, *said], key=lambda one: (one.side, one.currency)))


def _untied(stated: Sequence[Stated], ended: Mapping[tuple[str, str], int]) -> Iterable[Unready]:
    for (side, currency), mine in _by_side(stated):
        begins, last = mine[0].opening_minor, ended.get((side, currency))
        if begins is not None and last is not None and begins != last:
            said = f"statement {mine[0].number or mine[0].id} begins {amount_text(begins - last, currency)} "
            yield _unready(mine[0], f"{said}from where the statements of the last close ended", begins - last)
        for one in mine:
            if one.opening_minor is not None and one.closing_minor is not None:
                apart = one.closing_minor - one.opening_minor - int(one.minor)
                if apart:
                    said = f"the balances of statement {one.number or one.id} differ from its entries by "
                    yield _unready(one, f"{said}{amount_text(apart, currency)}", apart)
        for before, after in itertools.pairwise(mine):
            if before.closing_minor is None or after.opening_minor is None or _overlap(before, after):
                continue
            apart = after.opening_minor - before.closing_minor
            if apart:
                said = f"statement {after.number or after.id} begins {amount_text(apart, currency)} "
                yield _unready(after, f"{said}from where statement {before.number or before.id} ends", apart)


def _unready(one: Stated, what: str, apart: int) -> Unready:
    return Unready(kind="balance", id=one.id, currency=one.currency, minor=Decimal(abs(apart)), what=what)


def _overlap(before: Stated, after: Stated) -> bool:
    last, first = before.last_day, after.first_day
    return last is None or first is None or first < last


def _by_side(stated: Sequence[Stated]) -> list[tuple[tuple[str, str], list[Stated]]]:
    found: dict[tuple[str, str], list[Stated]] = {}
    for one in stated:
        found.setdefault((one.side, one.currency), []).append(one)
    return sorted(found.items())


def _shown(amount: Sum, currency: str) -> str:
    return f"{amount.entries} entries with {amount_text(amount.minor, currency)}"
