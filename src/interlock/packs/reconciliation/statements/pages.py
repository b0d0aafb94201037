"""The pages of one statement as the one statement that they are. Pure.

Entries that are equal in all they tell are told apart by their turn within a statement, so those of two pages have to
be counted together; and only the whole runs from the opening balance to the closing one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from datetime import date, timedelta

import msgspec
import polars as pl

from interlock.packs.reconciliation.entry import Balance, Noted, Statement, Totals

_NO_NUMBER = re.compile(r"0*(?:/[0-9]*)?")
_DAY = timedelta(days=1)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, or a page of one.

    Attributes:
        statement: As it was read.
        number: Of the statement, without its page.
        place: The page, from 1; None where it does not say.
        is_last: Whether it says that no page follows.
        opens_between: Whether its opening balance is one between pages.
        closes_between: Whether its closing balance is.
        whole: The number of the statement where all its pages are there; empty: the first page's.
    """

    statement: Statement
    number: str
    place: int | None = None
    is_last: bool = True
    opens_between: bool = False
    closes_between: bool = False
    whole: str = ""


def joined(pages: Iterable[Page]) -> list[Statement]:
    """Statements, where pages of one that follow each other are one.

    Pages follow each other if account, currency and number are the same and the page is the next; or, where pages have
    no numbers, if both balances are such as stand between pages, and equal. A page that does not open with what the one
    before closed with is joined too, and told: the whole is held for its balance.

    Args:
        pages: Of one file, in its order.
    """
    done: list[Statement] = []
    run: list[Page] = []
    for page in pages:
        if run and not _follows(run[-1], page):
            done.append(_whole(run))
            run = []
        run.append(page)
    return [*done, _whole(run)] if run else done


def own_number(text: str) -> str:
    """A statement's number; empty for 0, 00000 and 00000/001, which banks write that do not number theirs."""
    return "" if _NO_NUMBER.fullmatch(text.strip()) else text


def first_day_of(opening: Balance | None, closing: Balance | None) -> date | None:
    """The first day that a statement covers, where only its balances have days.

    Banks write an opening balance with the day that it was the closing one of, or with the next: the day after it is
    within the statement by either habit, and never within the statement before.
    """
    if opening is None or opening.on is None or opening.on == date.max:
        return None
    after = opening.on + _DAY
    return min(after, closing.on) if closing is not None and closing.on is not None else after


def _follows(before: Page, page: Page) -> bool:
    one, other = before.statement, page.statement
    if (one.account, one.currency, one.format, before.number) != (
        other.account, other.currency, other.format, page.number,
    ):  # fmt: skip
        return False
    closed, opens = one.closing, other.opening
    are_equal = closed is not None and opens is not None and closed.minor == opens.minor
    between = before.closes_between and page.opens_between
    if before.place is not None and page.place is not None:
        # a page may lack the balances in between, but whole statements that do not meet are no pages of one
        return page.place == before.place + 1 and (are_equal or between or closed is None or opens is None)
    return before.place is None and page.place is None and between and are_equal


def _whole(run: list[Page]) -> Statement:
    first, last = run[0], run[-1]
    if len(run) == 1:
        return first.statement
    pages = [page.statement for page in run]
    shifts = _shifts(pages)
    is_whole = first.place in {None, 1} and last.is_last and not first.opens_between and not last.closes_between
    made = [one.made_at for one in pages if one.made_at]
    begins, ends = ([day for one in pages if (day := getattr(one, name))] for name in ("first_day", "last_day"))
    return msgspec.structs.replace(
        first.statement,
        number=first.whole if is_whole and first.whole else first.statement.number,
        made_at=max(made, default=None),
        first_day=min(begins, default=None),
        last_day=max(ends, default=None),
        closing=last.statement.closing,
        totals=_totals(pages),
        entries=pl.concat(
            [one.entries.with_columns(pl.col("line") + shift) for one, shift in zip(pages, shifts, strict=True)]
        ),
        broken=tuple(
            msgspec.structs.replace(broken, line=broken.line + shift)
            for one, shift in zip(pages, shifts, strict=True)
            for broken in one.broken
        ),
        noted=(*(noted for one in pages for noted in one.noted), *_breaks(pages)),
    )


def _shifts(pages: list[Statement]) -> list[int]:
    """By how much the lines of each page are moved, so that each line of the whole has a number of its own."""
    shifts = [0]
    for one in pages[:-1]:
        good = one.entries["line"].max()
        lines = [good if isinstance(good, int) else 0, *(broken.line for broken in one.broken)]
        shifts.append(shifts[-1] + max(lines))
    return shifts


def _totals(pages: list[Statement]) -> Totals:
    """Those that one page alone states; where several do, nothing says whether they are of the page or of the whole."""
    stated = [one.totals for one in pages if one.totals != Totals()]
    return stated[0] if len(stated) == 1 else Totals()


def _breaks(pages: list[Statement]) -> list[Noted]:
    return [
        Noted(rule="balance", what=f"page {place} does not open with the balance that the page before closed with")
        for place, (one, other) in enumerate(itertools.pairwise(pages), start=2)
        if one.closing and other.opening and one.closing.minor != other.opening.minor
    ]
