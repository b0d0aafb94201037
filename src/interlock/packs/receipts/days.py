"""What may be the date of a receipt: each distinct date, described by its style, labels and place. Pure.

No feature knows which year it is: a reader that was trained on receipts of 2018 must read those of any year.
"""

from __future__ import annotations

import re
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.packs.receipts.dates import FoundDate, Style, find_dates
from interlock.packs.receipts.page import Page, Word

MOST_CANDIDATES = 60
"""Receipts have up to about 6 distinct dates; of more, the first printed are kept."""

_DATE = re.compile(r"DATE|\bDT\b|TARIKH|\bDD:")
_TIME = re.compile(r"\b[0-2]?[0-9][:.][0-5][0-9](?:[:.][0-5][0-9])?\s?(?:[AP]\.?M)?\b|TIME")
_OTHER = re.compile(
    r"EXPIR|VALID|UNTIL|DELIVER|PRINT|SINCE|BEFORE|ACT\b|EFFECTIVE|PERIOD|PROMO|FROM|\bTO\b|DUE|BIRTH|ENTRY|REF"
)
_SALE = re.compile(r"INV|BILL|RECEIPT|TRANS|SALE|SLIP|DOC|ORDER|CASHIER|POS\b|TERMINAL|PAID")
_MOST_PRINTS = 300
_FAR_DAYS = 400
_LONGEST_ROW = 1000


class DatePrint(msgspec.Struct, frozen=True):
    """One print of a date.

    Attributes:
        found: The date and how it was written.
        word: The OCR word in which it starts.
        before: The words to its left on its row.
        after: The words to its right.
        above: The words of the row above.
        better: Whether a less doubtful reading covers the same signs.
    """

    found: FoundDate
    word: Word
    before: str
    after: str
    above: str
    better: bool


class DateCandidate(msgspec.Struct, frozen=True):
    """One date that may be the receipt's.

    Attributes:
        value: The date.
        prints: Where it is printed, from top to bottom; never empty.
    """

    value: date
    prints: tuple[DatePrint, ...]


def date_candidates(page: Page) -> tuple[DateCandidate, ...]:
    """Every distinct date of a page, the first printed first; linear in the page's text."""
    prints: dict[date, list[DatePrint]] = {}
    above, seen = "", 0
    for row in page.rows:
        text = " ".join(word.text for word in row)[:_LONGEST_ROW]
        taken: list[tuple[int, int]] = []
        if seen > _MOST_PRINTS:
            break
        for found in find_dates(text):
            better = any(found.start < end and start < found.end for start, end in taken)
            seen += 1
            taken.append((found.start, found.end))
            if found.value in prints or len(prints) < MOST_CANDIDATES:
                prints.setdefault(found.value, []).append(
                    DatePrint(
                        found=found,
                        word=_word_at(row, found.start),
                        before=text[: found.start][-60:],
                        after=text[found.end :][:40],
                        above=above[-80:],
                        better=better,
                    )
                )
        above = text
    return tuple(DateCandidate(value, tuple(places)) for value, places in prints.items())


def _word_at(row: tuple[Word, ...], place: int) -> Word:
    end = 0
    for word in row:
        end += len(word.text) + 1
        if place < end:
            return word
    return row[-1]


def date_features(candidates: tuple[DateCandidate, ...], page: Page) -> NDArray[np.float32]:
    """One row of numbers for each candidate: float32 ``[candidates, features]``, in the order of the candidates."""
    values = sorted(candidate.value for candidate in candidates)
    rows = [
        [*_writing(candidate), *_around(candidate), *_among(candidate, candidates, values, page)]
        for candidate in candidates
    ]
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(rows[0]) if rows else 0)


def _writing(candidate: DateCandidate) -> list[float]:
    styles = {place.found.style for place in candidate.prints}
    return [
        *(style in styles for style in Style),
        min(styles),
        all(place.better for place in candidate.prints),
        any(place.found.start == 0 for place in candidate.prints),
        any(not place.before.strip(" :") or place.before.endswith((" ", ":")) for place in candidate.prints),
    ]


def _around(candidate: DateCandidate) -> list[float]:
    prints = candidate.prints
    return [
        any(_DATE.search(place.before) for place in prints),
        any(_DATE.search(place.above) and not place.before.strip() for place in prints),
        any(_TIME.search(place.after) for place in prints),
        any(_TIME.search(place.before) for place in prints),
        any(_OTHER.search(place.before) or _OTHER.search(place.after) for place in prints),
        all(_OTHER.search(place.before) or _OTHER.search(place.after) for place in prints),
        any(_SALE.search(place.before) for place in prints),
        any(_SALE.search(place.above) for place in prints),
        any(_OTHER.search(place.above) for place in prints),
    ]


def _among(
    candidate: DateCandidate, candidates: tuple[DateCandidate, ...], values: list[date], page: Page
) -> list[float]:
    place = candidates.index(candidate)
    best = [other.value for other in candidates if not all(print_.better for print_ in other.prints)]
    anchor = sorted(best or values)[len(best or values) // 2]
    return [
        len(candidates),
        len(best),
        place,
        place == len(candidates) - 1,
        len(candidate.prints),
        candidate.value == values[0],
        candidate.value == values[-1],
        min(abs((candidate.value - anchor).days), _FAR_DAYS),
        page.down(candidate.prints[0].word.middle),
        page.down(candidate.prints[-1].word.middle),
        candidate.prints[0].word.height / page.height,
    ]
