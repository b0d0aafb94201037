"""Which statements go on where others end, and what follows for equal entries of both. Pure.

A statement's balances say where it stands: what opens with the balance that another one closed with states what came
after it. So an entry that both state is two entries, while one that overlapping statements state is one. Where what
both state comes to nothing, either reading gives the same balances, and it is taken for the same entries told twice.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

_NUMBER = re.compile(r"[0-9]{1,18}(/[0-9]{1,18})?")


class Linkable(msgspec.Struct, frozen=True, kw_only=True):
    """A statement in force that states both balances.

    Attributes:
        id: The statement.
        account: Its account.
        currency: Its currency.
        number: Its number.
        content: A digest of what it states.
        begins: The first day of it or of its entries.
        ends: The last one.
        opening_minor: The balance before its entries.
        closing_minor: The balance after them.
    """

    id: UUID
    account: str
    currency: str
    number: str
    content: UUID
    begins: date
    ends: date
    opening_minor: int
    closing_minor: int


class Stating(msgspec.Struct, frozen=True, kw_only=True):
    """How often a statement states entries that nothing tells apart.

    Attributes:
        statement: The statement.
        base: The first of these entries.
        minor: The amount of each.
        booked_on: The day of each.
        times: How often.
    """

    statement: UUID
    base: UUID
    minor: int
    booked_on: date
    times: int


class Link(NamedTuple):
    """One statement, and one that goes on where it ends."""

    before: UUID
    after: UUID


def links_of(statements: Iterable[Linkable]) -> list[Link]:
    """Each pair of which the second may go on where the first ends, on a day that both cover."""
    opening: dict[tuple[str, str, int], list[Linkable]] = defaultdict(list)
    every = sorted(statements, key=_order)
    for one in every:
        opening[one.account, one.currency, one.opening_minor].append(one)
    return [
        Link(one.id, other.id)
        for one in every
        for other in opening[one.account, one.currency, one.closing_minor]
        if other.id != one.id and _follows(one, other)
    ]


def shared_days(statements: Iterable[Linkable], links: Iterable[Link]) -> dict[UUID, tuple[date, date]]:
    """The days that a linked statement shares with others, from the first to the last."""
    known = {one.id: one for one in statements}
    shared: dict[UUID, tuple[date, date]] = {}
    for link in links:
        days = known[link.after].begins, known[link.before].ends
        for one in link:
            first, last = shared.get(one, days)
            shared[one] = min(first, days[0]), max(last, days[1])
    return shared


def shifts_of(
    statements: Iterable[Linkable], links: Sequence[Link], stating: Iterable[Stating]
) -> dict[tuple[UUID, UUID], int]:
    """By how many its equal entries have gone before, for each statement and first of equal entries; never 0.

    Args:
        statements: All of an account that cover a day.
        links: See ``links_of``.
        stating: What the linked ones state of the days that they share.
    """
    stated: dict[UUID, Counter[UUID]] = defaultdict(Counter)
    minor: dict[UUID, int] = {}
    for one in stating:
        stated[one.statement][one.base] = one.times
        minor[one.base] = one.minor
    following: dict[UUID, list[UUID]] = defaultdict(list)
    waits: Counter[UUID] = Counter()
    for link in links:
        both = stated[link.before] & stated[link.after]
        if both and sum(minor[base] * times for base, times in both.items()) == 0:
            continue
        following[link.before].append(link.after)
        waits[link.after] += 1
    gone: dict[UUID, Counter[UUID]] = defaultdict(Counter)
    seen: set[UUID] = set()
    for one in _in_turn([each.id for each in sorted(statements, key=_order)], following, waits):
        seen.add(one)
        told = gone[one] + stated[one]
        for after in following[one]:
            if after not in seen:
                gone[after] |= told
    return {(one, base): gone[one][base] for one, bases in stated.items() for base in bases if gone[one][base]}


def _in_turn(every: Sequence[UUID], following: Mapping[UUID, list[UUID]], waits: Counter[UUID]) -> list[UUID]:
    """Each after those that it waits for; in a ring, whose balances come back, the first by its number goes first."""
    ready = [one for one in every if not waits[one]]
    left = iter(every)
    done: dict[UUID, None] = {}
    while len(done) < len(every):
        one = ready.pop() if ready else next(left)
        if one in done:
            continue
        done[one] = None
        for after in following.get(one, ()):
            waits[after] -= 1
            if not waits[after]:
                ready.append(after)
    return list(done)


def _order(one: Linkable) -> tuple[date, date, tuple[int, ...], str, str]:
    return one.begins, one.ends, _numbers(one.number), one.number, one.content.hex


def _numbers(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("/")) if _NUMBER.fullmatch(number) else ()


def _follows(one: Linkable, other: Linkable) -> bool:
    """Whether the days, and the numbers where these say it, allow that the other goes on where this one ends."""
    mine, theirs = _numbers(one.number), _numbers(other.number)
    if mine and theirs and mine > theirs:
        return False
    return one.begins <= other.begins <= one.ends <= other.ends
