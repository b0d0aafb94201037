"""A receipt as a page: words with boxes, gathered into rows. Pure.

The boxes come from OCR and are in image pixels, y growing downwards. Everything here is relative to the extent of the
words, not to the image: receipts are scanned with any margin, some on a whole A4 sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

import msgspec

from interlock.errors import ComponentFailed

LARGEST_COORDINATE = 1e7
"""Far above any scan; what lies beyond is pulled back to it, so that no later product overflows."""

LONGEST_WORD = 200
"""Signs. Phrases on receipts have up to about 60; what a page made to cost time has beyond this is not read."""

_LARGEST_WHOLE = 10**15
_SAME_ROW = 0.55
"""Centres closer than this part of the smaller height stand in one row (print is single-spaced at about 1.2)."""


class Word(msgspec.Struct, frozen=True):
    """One OCR word (often a whole phrase) and its box in pixels.

    Attributes:
        index: Its place in the input, from 0.
        text: As the OCR gave it, in upper case, outer spaces removed.
        left: Left edge.
        top: Upper edge.
        right: Right edge, never left of ``left``.
        bottom: Lower edge, never above ``top``.
        row: The number of its row from the top, from 0.
    """

    index: int
    text: str
    left: float
    top: float
    right: float
    bottom: float
    row: int = 0

    @property
    def middle(self) -> float:
        """The height of its centre."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """Its height, at least one pixel."""
        return max(self.bottom - self.top, 1.0)


class Page(msgspec.Struct, frozen=True):
    """The words of a receipt in rows from top to bottom, each row from left to right.

    Attributes:
        rows: Never empty rows; every word knows the number of its row.
        left: Left edge of the leftmost word.
        right: Right edge of the rightmost.
        top: Upper edge of the highest.
        bottom: Lower edge of the lowest.
        height: The median height of a word.
    """

    rows: tuple[tuple[Word, ...], ...]
    left: float
    right: float
    top: float
    bottom: float
    height: float

    def across(self, x: float) -> float:
        """Where ``x`` lies between the left (0) and right (1) edge of the print."""
        return (x - self.left) / max(self.right - self.left, 1.0)

    def down(self, y: float) -> float:
        """Where ``y`` lies between the upper (0) and lower (1) edge of the print."""
        return (y - self.top) / max(self.bottom - self.top, 1.0)


def page_of(receipt: Mapping[str, Any]) -> Page:
    """The page of an input ``{"words": [...], "bboxes": [[x0, y0, x1, y1], ...]}``; n log n in the number of words.

    Raises:
        ComponentFailed: no words, or boxes that do not belong to them. The contract refuses both earlier.
    """
    words = _words(receipt)
    if not words:
        raise ComponentFailed("the receipt has no word", where="/words", todo="scan it again, or let a person read it")
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.middle, word.left, word.index)):
        anchor = rows[-1][-1] if rows else None
        if anchor and word.middle - anchor.middle <= _SAME_ROW * min(word.height, anchor.height):
            rows[-1].append(word)
        else:
            rows.append([word])
    numbered = tuple(
        tuple(msgspec.structs.replace(word, row=number) for word in sorted(row, key=lambda w: (w.left, w.index)))
        for number, row in enumerate(rows)
    )
    heights = sorted(word.height for word in words)
    return Page(
        rows=numbered,
        left=min(word.left for word in words),
        right=max(word.right for word in words),
        top=min(word.top for word in words),
        bottom=max(word.bottom for word in words),
        height=heights[len(heights) // 2],
    )


def _words(receipt: Mapping[str, Any]) -> list[Word]:
    texts, boxes = receipt.get("words"), receipt.get("bboxes")
    if not isinstance(texts, (list, tuple)) or not isinstance(boxes, (list, tuple)):
        raise ComponentFailed("words and bboxes must both be lists", where="/words", todo="send what the OCR gave")
    texts, boxes = cast("Sequence[object]", texts), cast("Sequence[object]", boxes)
    if len(texts) != len(boxes):
        raise ComponentFailed(
            f"{len(texts)} words, but {len(boxes)} boxes", where="/bboxes", todo="send one box for each word"
        )
    words: list[Word] = []
    for index, (text, box) in enumerate(zip(texts, boxes, strict=True)):
        if not isinstance(text, str):
            raise ComponentFailed("a word must be a string", where=f"/words/{index}", todo="send what the OCR gave")
        trimmed = text[:LONGEST_WORD].strip().upper()
        if trimmed:
            words.append(Word(index, trimmed, *_edges(box, index)))
    return words


def _edges(box: object, index: int) -> tuple[float, float, float, float]:
    numbers = [
        min(max(float(value), -LARGEST_COORDINATE), LARGEST_COORDINATE)
        for value in (cast("Sequence[object]", box) if isinstance(box, (list, tuple)) else ())
        if _is_number(value)
    ]
    if len(numbers) != 4:  # noqa: PLR2004 - a box has four edges
        raise ComponentFailed(
            "a box must be four finite numbers: left, top, right, bottom",
            where=f"/bboxes/{index}",
            todo="send pixels of the image",
        )
    x0, y0, x1, y1 = numbers
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _is_number(value: object) -> TypeGuard[float]:
    """A number that a box can hold; a whole number beyond what a float holds is none."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < _LARGEST_WHOLE
    return isinstance(value, float) and math.isfinite(value)
