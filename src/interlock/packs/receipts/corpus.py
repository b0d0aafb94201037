"""Receipts with their truth, as training and evaluation read them: JSON lines with ``entities`` or ``truth``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
from rapidfuzz import fuzz

from interlock.errors import NotFound, Refused
from interlock.packs.receipts.dates import date_of
from interlock.packs.receipts.normalise import amount_of, company_key

_SAME_VENDOR = 85
_SAME_START = 6


class Truth(msgspec.Struct, frozen=True):
    """What a person says stands on a receipt, normalised.

    Attributes:
        company: The vendor's key (``company_key``).
        date: The date, or None if the label is empty or no date.
        total: The exact total, or None if the label is empty or no amount.
    """

    company: str
    date: date | None
    total: Decimal | None


class Labelled(msgspec.Struct, frozen=True):
    """A receipt and its truth.

    Attributes:
        key: Its name in the file.
        receipt: What the reader gets: words, bboxes, image_size. Never the truth.
        truth: The label.
    """

    key: str
    receipt: dict[str, Any]
    truth: Truth


def load(path: Path) -> tuple[Labelled, ...]:
    """Read a file of JSON lines; the truth stands under ``entities`` (ICDAR 2019 SROIE) or ``truth`` (generated).

    Raises:
        NotFound: there is no such file.
        Refused: a line is no receipt with a truth; it names the line.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}", todo="pass a file of JSON lines, one receipt a line")
    found: list[Labelled] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            found.append(_labelled(line, f"{path.name}:{number}"))
    return tuple(found)


def _labelled(line: bytes, where: str) -> Labelled:
    try:
        row = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as cause:
        raise Refused(f"this line is no JSON object: {cause}", where=where, todo="write one object a line") from cause
    return labelled(row, where)


def labelled(row: Mapping[str, Any], where: str = "") -> Labelled:
    """A receipt with its truth from one decoded object.

    Raises:
        Refused: it has no truth, words or boxes.
    """
    label = row.get("truth") or row.get("entities")
    if not isinstance(label, dict) or "words" not in row or "bboxes" not in row:
        raise Refused(
            "a receipt with its truth has words, bboxes, and truth or entities",
            where=where,
            todo='write {"key": ..., "words": [...], "bboxes": [...], "truth": {"company", "date", "total"}}',
        )
    texts = cast("dict[str, Any]", label)
    return Labelled(
        key=str(row.get("key", where)),
        receipt={name: row[name] for name in ("words", "bboxes", "image_size") if name in row},
        truth=Truth(
            company=company_key(str(texts.get("company", ""))),
            date=date_of(str(texts.get("date", ""))),
            total=amount_of(str(texts.get("total", ""))),
        ),
    )


def vendor_groups(receipts: Sequence[Labelled]) -> list[int]:
    """The number of each receipt's vendor; spellings and branches of one vendor share a number.

    Two keys are one vendor when they are at least 85 % alike or start with the same six letters. This merges a few
    vendors that are different, which only makes a split by vendor stricter.
    """
    first: list[str] = []
    numbers: list[int] = []
    for receipt in receipts:
        key = receipt.truth.company
        known = (
            number
            for number, other in enumerate(first)
            if fuzz.ratio(key, other) >= _SAME_VENDOR or key[:_SAME_START] == other[:_SAME_START]
        )
        number = next(known, len(first))
        if number == len(first):
            first.append(key)
        numbers.append(number)
    return numbers


def folds(groups: Sequence[int], count: int) -> list[int]:
    """The fold of each receipt, from 0: whole vendors only, folds of about equal size, the same every time."""
    sizes = {group: groups.count(group) for group in sorted(set(groups))}
    filled = [0] * count
    fold_of: dict[int, int] = {}
    for group, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        fold = filled.index(min(filled))
        fold_of[group] = fold
        filled[fold] += size
    return [fold_of[group] for group in groups]
