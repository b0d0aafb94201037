"""What a decision was taken on, in the form in which a person compares it: a page of words, two sides, or fields. Pure.

The form is told from the shape of the input, not from the workflow: texts with a box each are a page; two lists of
records with the same fields are two sides. What is neither is shown as fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

MOST_WORDS = 700
"""Words of a page that are drawn: a page stays light, however many are sent. Those where a field was read
come first."""
MOST_LISTED = 5_000
"""Words of a page that stand in its list."""
LONGEST_WORD = 120
MOST_ENTRIES = 40
"""Entries of a side that are shown."""
_EDGES = 4
_LARGEST = 1e7
_MARGIN = 0.02
_SAME_ROW = 0.55
_TALL = 0.85
"""The height of letters as a part of their box."""


_WIDEST = 0.9
"""How wide a letter may be drawn for its height; as it is made it is some 0.6."""


class Box(msgspec.Struct, frozen=True):
    """A rectangle in the page's own units, y growing downwards.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Never negative.
        height: Never negative.
    """

    x: float
    y: float
    width: float
    height: float


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word at its box.

    Attributes:
        text: As it was read, cut where it is very long.
        box: Where it stands.
        baseline: The height of its letters' foot.
        size: The height of its letters.
    """

    text: str
    box: Box
    baseline: float
    size: float

    @property
    def fitted(self) -> float:
        """How wide it is drawn: as its box, but never stretched out of shape where that holds far more paper."""
        return max(1.0, min(self.box.width, _WIDEST * self.size * max(1, len(self.text))))


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a field of the proposal was read.

    Attributes:
        field: The field's name.
        number: Its place among the fields, from 1: what the style sheet joins the two by.
        box: Where it stands on the page.
        text: What stands there.
        confidence: How sure the reader is of it, if it says so.
        others: What else it may be, the likeliest first.
    """

    field: str
    number: int
    box: Box
    text: str
    confidence: float | None
    others: tuple[str, ...]


class WordPage(msgspec.Struct, frozen=True, kw_only=True):
    """Words at their boxes.

    Attributes:
        view: What the drawing shows of the page.
        words: Those that are drawn, in the order in which they came.
        lines: The words' texts in reading order, a row a line: what is read aloud.
        sources: Where the proposal's fields were read.
        left_out: How many words are not drawn.
        not_listed: How many do not stand in ``lines`` either.
    """

    view: Box
    words: tuple[Word, ...]
    lines: tuple[str, ...]
    sources: tuple[Source, ...]
    left_out: int
    not_listed: int


class Cell(msgspec.Struct, frozen=True):
    """One value of an entry.

    Attributes:
        text: As it is shown.
        differs: Whether no entry of the other side has it.
    """

    text: str
    differs: bool


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Two lists of records, side by side.

    Attributes:
        names: What the two are called in the input.
        fields: The fields that the entries have, in their order.
        entries: Of each side, its entries: a cell for each field.
        left_out: Of each side, how many entries are not shown.
    """

    names: tuple[str, str]
    fields: tuple[str, ...]
    entries: tuple[tuple[tuple[Cell, ...], ...], tuple[tuple[Cell, ...], ...]]
    left_out: tuple[int, int]


def word_page(value: Mapping[str, Any], evidence: Mapping[str, Any], fields: Sequence[str]) -> WordPage | None:
    """The page of words that an input is; None if it is none.

    Args:
        value: The input.
        evidence: What the proposal rests on; ``fields`` in it says of each field its ``box`` and ``text``.
        fields: The names of the proposal's fields, in the order of the form.
    """
    texts, boxes = value.get("words"), value.get("bboxes")
    if not isinstance(texts, list) or not isinstance(boxes, list) or not texts or len(texts) != len(boxes):  # type: ignore[reportUnknownArgumentType]
        return None
    pairs = zip(cast("list[object]", texts), cast("list[object]", boxes), strict=True)
    read = [(text, box) for text, given in pairs if isinstance(text, str) and (box := box_of(given)) is not None]
    if not read:
        return None
    sources = _sources(evidence, fields)
    listed = _first(read, sources, MOST_LISTED)
    words = tuple(_word(text, box) for text, box in _first(listed, sources, MOST_WORDS))
    return WordPage(
        view=_around([*(word.box for word in words), *(source.box for source in sources)]),
        words=words,
        lines=_lines([_word(text, box) for text, box in listed]),
        sources=sources,
        left_out=len(texts) - len(words),  # type: ignore[reportUnknownArgumentType]
        not_listed=len(texts) - len(listed),  # type: ignore[reportUnknownArgumentType]
    )


def _first(read: list[tuple[str, Box]], sources: Sequence[Source], most: int) -> list[tuple[str, Box]]:
    """So many words in their order: those in the rows where a field was read before all others."""
    if len(read) <= most:
        return read
    rows = [(one.box.y, one.box.y + one.box.height) for one in sources]
    beside = [any(top <= box.y + box.height and box.y <= foot for top, foot in rows) for _, box in read]
    chosen = sorted(sorted(range(len(read)), key=lambda place: not beside[place])[:most])
    return [read[place] for place in chosen]


def sides(value: Mapping[str, Any]) -> Sides | None:
    """The two sides that an input holds against each other; None if it holds none."""
    lists = [(name, records) for name, found in value.items() if (records := _records(found)) is not None]
    if len(lists) != 2:  # noqa: PLR2004 - two sides
        return None
    (one, ours), (other, theirs) = lists
    fields = tuple(dict.fromkeys(name for record in (*ours, *theirs) for name in record))
    shared = set(fields) & set().union(*ours) & set().union(*theirs)
    if len(shared) < 2:  # noqa: PLR2004 - what has one field in common is compared by nothing
        return None
    return Sides(
        names=(one, other),
        fields=fields,
        entries=(_entries(ours, theirs, fields), _entries(theirs, ours, fields)),
        left_out=(max(0, len(ours) - MOST_ENTRIES), max(0, len(theirs) - MOST_ENTRIES)),
    )


def drawn(value: Mapping[str, Any]) -> frozenset[str]:
    """The parts of an input that its page or its sides show, and that need not be listed as fields, too."""
    if word_page(value, {}, ()) is not None:
        return frozenset({"words", "bboxes", "image_size"})
    found = sides(value)
    return frozenset(found.names) if found else frozenset()


def box_of(given: object) -> Box | None:
    """Left, top, right and bottom as a box; None if they are no four finite numbers."""
    if not isinstance(given, (list, tuple)):
        return None
    edges: list[float] = []
    for number in cast("Sequence[object]", given):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= _LARGEST:
            return None
        edges.append(float(number))
    if len(edges) != _EDGES or not all(map(math.isfinite, edges)):
        return None
    x0, y0, x1, y1 = edges
    return Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))


def _word(text: str, box: Box) -> Word:
    cut = text if len(text) <= LONGEST_WORD else f"{text[:LONGEST_WORD]}…"
    size = max(box.height * _TALL, 1.0)
    return Word(text=cut, box=box, baseline=box.y + size, size=round(size, 1))


def _sources(evidence: Mapping[str, Any], fields: Sequence[str]) -> tuple[Source, ...]:
    told: object = evidence.get("fields")
    if not isinstance(told, dict):
        return ()
    found: list[Source] = []
    for number, name in enumerate(fields, 1):
        one = cast("dict[str, Any]", told).get(name)
        box = box_of(cast("dict[str, Any]", one).get("box")) if isinstance(one, dict) else None
        if box is None:
            continue
        source = cast("dict[str, Any]", one)
        sure = source.get("confidence")
        found.append(
            Source(
                field=name,
                number=number,
                box=box,
                text=str(source.get("text", ""))[:LONGEST_WORD],
                confidence=float(sure) if isinstance(sure, (int, float)) else None,
                others=_others(source.get("runners_up")),
            )
        )
    return tuple(found)


def _others(given: object) -> tuple[str, ...]:
    if not isinstance(given, list):
        return ()
    told = [cast("dict[str, Any]", one) for one in cast("list[object]", given) if isinstance(one, dict)]
    return tuple(str(one["value"])[:LONGEST_WORD] for one in told if one.get("value") is not None)


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    width = max(max(box.x + box.width for box in boxes) - left, 1.0)
    height = max(max(box.y + box.height for box in boxes) - top, 1.0)
    margin = max(width, height) * _MARGIN
    return Box(
        round(left - margin, 1), round(top - margin, 1), round(width + 2 * margin, 1), round(height + 2 * margin, 1)
    )


def _lines(words: Sequence[Word]) -> tuple[str, ...]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda one: (one.box.y + one.box.height / 2, one.box.x)):
        anchor = rows[-1][-1].box if rows else None
        middle = word.box.y + word.box.height / 2
        near = _SAME_ROW * max(1.0, min(word.box.height, anchor.height)) if anchor else 0.0
        if anchor and middle - (anchor.y + anchor.height / 2) <= near:
            rows[-1].append(word)
        else:
            rows.append([word])
    return tuple(" ".join(word.text for word in sorted(row, key=lambda one: one.box.x)) for row in rows)


def _records(found: object) -> list[dict[str, Any]] | None:
    if not isinstance(found, list) or not found:
        return None
    listed = cast("list[object]", found)
    return cast("list[dict[str, Any]]", listed) if all(isinstance(one, dict) for one in listed) else None


def _entries(
    ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], fields: Sequence[str]
) -> tuple[tuple[Cell, ...], ...]:
    known = {name: {shown_value(record.get(name)) for record in theirs} for name in fields}
    return tuple(
        tuple(Cell(text := shown_value(record.get(name)), text not in known[name]) for name in fields)
        for record in ours[:MOST_ENTRIES]
    )


def shown_value(value: object, most: int = 400) -> str:
    """One value on one line, cut where it is very long."""
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case str():
            text = value
        case _:
            text = msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
