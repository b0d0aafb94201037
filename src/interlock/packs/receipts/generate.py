"""Made-up receipts with a known truth, for demonstrations and tests where no real ones may be kept.

The same seed, count and day give the same receipts. Vendors are plainly fictitious (``layouts.VENDORS``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Any

from interlock.errors import Refused
from interlock.packs.receipts.layouts import Purchase, Sheet, draw_purchase, print_purchase

CURRENCY = "MYR"
_MISREAD = {"0": "O", "1": "I", "5": "S", "8": "B", "O": "0", "A": "4", "E": "F", "L": "1", "T": "I"}
_FAINT = 0.12
"""The share of signs that faint print makes the OCR misread."""


class Kind(StrEnum):
    """What a receipt is made to show."""

    CLEAN = "clean"
    """below 100, well printed: to be paid without a person"""
    UNCLEAR = "unclear"
    """noisy or contradictory: the reader should not be sure"""
    LARGE = "large"
    """from 100 to below 1,000: to a person"""
    THOUSANDS = "thousands"
    """1,000 and more, cut at the comma: must be found truncated"""
    DUPLICATE = "duplicate"
    """an earlier receipt scanned again: ``of`` names it"""
    NEAR_DUPLICATE = "near_duplicate"
    """an earlier purchase a day later or with a misread vendor: ``of`` names it"""
    INVALID = "invalid"
    """breaks the input contract: ``violation`` says how"""


USUAL: Mapping[Kind, int] = {
    Kind.CLEAN: 70,
    Kind.UNCLEAR: 8,
    Kind.LARGE: 10,
    Kind.THOUSANDS: 2,
    Kind.DUPLICATE: 3,
    Kind.NEAR_DUPLICATE: 3,
    Kind.INVALID: 4,
}
"""A day's mix, in parts of a hundred."""


def generate(
    seed: int, count: int, *, today: date, days: int = 60, mix: Mapping[Kind, int] = USUAL
) -> list[dict[str, Any]]:
    """Make receipts.

    Args:
        seed: Everything follows from it.
        count: How many.
        today: The latest day of a purchase.
        days: The purchases are of the last so many days.
        mix: The weight of each kind. Duplicates need an earlier receipt to repeat; the first of all is never one.

    Returns:
        One object each: ``key``, ``kind``, ``words``, ``bboxes``, ``image_size``, ``truth`` (company, date, total as an
        exact string, currency); ``of`` for duplicates; ``violation`` for invalid ones, which may lack any of the rest.

    Raises:
        Refused: a count or a number of days below what makes sense, or weights of nothing.
    """
    if count < 0 or days < 1 or sum(mix.values()) <= 0 or min(mix.values()) < 0:
        raise Refused(
            f"cannot generate {count} receipts of {days} days with weights {dict(mix)}",
            todo="pass a count of 0 or more, at least one day, and weights of which one is positive",
        )
    made: list[dict[str, Any]] = []
    sources: list[tuple[str, Purchase]] = []
    for number in range(count):
        random = Random(f"receipt {seed} {number}")  # noqa: S311 - repeatable on purpose, secures nothing
        kind = random.choices(list(mix), weights=list(mix.values()))[0]
        if kind in (Kind.DUPLICATE, Kind.NEAR_DUPLICATE) and not sources:
            kind = Kind.CLEAN
        key = f"g{seed}-{number:05d}"
        day = today - timedelta(days=random.randrange(days))
        made.append(_receipt(random, kind, key, day, sources))
    return made


def _receipt(random: Random, kind: Kind, key: str, day: date, sources: list[tuple[str, Purchase]]) -> dict[str, Any]:
    if kind in (Kind.DUPLICATE, Kind.NEAR_DUPLICATE):
        of, purchase = sources[random.randrange(len(sources))]
        if kind is Kind.DUPLICATE:
            return {**_shown(key, kind, purchase, print_purchase(random, purchase)), "of": of}
        again, sheet = _almost(random, purchase)
        return {**_shown(key, kind, again, sheet), "of": of}
    least, most = {Kind.LARGE: (100, 1000), Kind.THOUSANDS: (1000, 9000)}.get(kind, (2, 100))
    purchase = draw_purchase(random, day, least=least, most=most)
    sheet = print_purchase(random, purchase)
    if kind is Kind.UNCLEAR:
        _spoil(random, sheet)
    elif kind is Kind.CLEAN:
        sources.append((key, purchase))
    shown = _shown(key, kind, purchase, sheet)
    return _break(random, shown) if kind is Kind.INVALID else shown


def _shown(key: str, kind: Kind, purchase: Purchase, sheet: Sheet) -> dict[str, Any]:
    return {
        "key": key,
        "kind": str(kind),
        "words": sheet.words,
        "bboxes": sheet.boxes,
        "image_size": {"width": sheet.width + 60, "height": sheet.height},
        "truth": {
            "company": " ".join(purchase.vendor),
            "date": purchase.day.isoformat(),
            "total": f"{purchase.total:f}",
            "currency": CURRENCY,
        },
    }


def _almost(random: Random, purchase: Purchase) -> tuple[Purchase, Sheet]:
    """The same total from the same vendor: a day later, or with one letter of the name misread."""
    day, vendor = purchase.day, list(purchase.vendor)
    if random.random() < 0.5:  # noqa: PLR2004 - half of them
        day -= timedelta(days=1)
    else:
        place = random.randrange(1, len(vendor[0]) - 1)
        vendor[0] = f"{vendor[0][:place]}{'H' if vendor[0][place] != 'H' else 'N'}{vendor[0][place + 1 :]}"
    again = Purchase(tuple(vendor), purchase.number, day, purchase.items, purchase.discount)
    return again, print_purchase(random, again)


def _spoil(random: Random, sheet: Sheet) -> None:
    """Make a sheet unclear: faint print, a second total that contradicts the first, or its lower half torn off."""
    match random.randrange(3):
        case 0:
            for place, word in enumerate(sheet.words):
                faint = (_MISREAD.get(sign, sign) if random.random() < _FAINT else sign for sign in word)
                sheet.words[place] = "".join(faint)
        case 1:
            lowest = max(box[3] for box in sheet.boxes)
            sheet.put("TOTAL", 20, lowest + 30, 26)
            sheet.put(f"{random.randrange(100, 9999) / Decimal(100):.2f}", sheet.width * 0.8, lowest + 30, 26)
        case _:
            torn = sorted(box[1] for box in sheet.boxes)[len(sheet.boxes) // 2]
            kept = [place for place, box in enumerate(sheet.boxes) if box[1] < torn]
            sheet.words[:] = [sheet.words[place] for place in kept]
            sheet.boxes[:] = [sheet.boxes[place] for place in kept]


def _no_words(receipt: dict[str, Any], random: Random) -> None:
    del receipt["words"], random


def _empty(receipt: dict[str, Any], random: Random) -> None:
    del random
    receipt["words"], receipt["bboxes"] = [], []


def _box_missing(receipt: dict[str, Any], random: Random) -> None:
    del receipt["bboxes"][random.randrange(len(receipt["bboxes"]))]


def _box_negative(receipt: dict[str, Any], random: Random) -> None:
    receipt["bboxes"][random.randrange(len(receipt["bboxes"]))][0] = -40


def _box_short(receipt: dict[str, Any], random: Random) -> None:
    receipt["bboxes"][random.randrange(len(receipt["bboxes"]))].pop()


def _word_number(receipt: dict[str, Any], random: Random) -> None:
    receipt["words"][random.randrange(len(receipt["words"]))] = 31


def _word_empty(receipt: dict[str, Any], random: Random) -> None:
    receipt["words"][random.randrange(len(receipt["words"]))] = ""


def _size_missing(receipt: dict[str, Any], random: Random) -> None:
    del receipt["image_size"], random


def _size_negative(receipt: dict[str, Any], random: Random) -> None:
    del random
    receipt["image_size"]["width"] = -receipt["image_size"]["width"]


def _too_many(receipt: dict[str, Any], random: Random) -> None:
    del random
    receipt["words"], receipt["bboxes"] = ["A"] * 2001, [[0, 0, 10, 10] for _ in range(2001)]


VIOLATIONS: dict[str, Callable[[dict[str, Any], Random], None]] = {
    "words_missing": _no_words,
    "words_empty": _empty,
    "box_missing": _box_missing,
    "box_negative": _box_negative,
    "box_short": _box_short,
    "word_number": _word_number,
    "word_empty": _word_empty,
    "size_missing": _size_missing,
    "size_negative": _size_negative,
    "too_many_words": _too_many,
}
"""Each way to break the input contract, by name."""


def _break(random: Random, receipt: dict[str, Any]) -> dict[str, Any]:
    name = random.choice(list(VIOLATIONS))
    VIOLATIONS[name](receipt, random)
    return {**receipt, "violation": name}
