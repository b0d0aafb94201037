"""Where the values of an answer stand in its text, so that the tokens that wrote them can be found. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_TOKEN = re.compile(rb'[ \t\n\r]*+(?:([{}\[\]:,])|("(?:[^"\\]|\\.)*+")|([^ \t\n\r{}\[\]:,"]++))', re.DOTALL)


class Span(msgspec.Struct, frozen=True):
    """A value without parts.

    Attributes:
        field: The first field on the way to it, which is the field of the record; empty if there is none.
        start: Its first byte; of a string the first one after the opening quote.
        end: Behind its last byte; a string's closing quote is part of it, since it says that there is no more.
    """

    field: str
    start: int
    end: int


def value_spans(text: bytes) -> tuple[Span, ...]:
    """Every string, number, true, false, null and empty container of a JSON text, in order.

    Args:
        text: A JSON value in UTF-8 that was read already; of other text the result means nothing.
    """
    spans: list[Span] = []
    stack: list[bytes] = []
    field = ""
    name: tuple[bytes, int] | None = None
    last = b""
    for found in _TOKEN.finditer(text):
        mark, string, scalar = found.groups()
        if string is not None and stack and stack[-1] == b"{" and last in (b"{", b","):
            name = (string, len(stack))
        elif string is not None:
            spans.append(Span(field, found.start(2) + 1, found.end(2)))
        elif scalar is not None:
            spans.append(Span(field, found.start(3), found.end(3)))
        elif mark == b":" and name is not None and name[1] == 1:
            field = str(msgspec.json.decode(name[0]))
        elif mark in (b"{", b"["):
            stack.append(mark)
        elif mark in (b"}", b"]") and last == stack.pop():
            spans.append(Span(field, found.start(1), found.end(1)))
        last = mark or b"value"
    return tuple(spans)


def logprobs_of(spans: Sequence[Span], tokens: Sequence[tuple[int, float]]) -> dict[str, list[float]]:
    """The log-probabilities of the tokens that wrote the values, by the field of the record.

    Args:
        spans: The values, in order, as positions in bytes of the text.
        tokens: Of each token in order, the position behind its last byte, and its log-probability.

    Returns:
        A token that wrote parts of two fields counts for both.
    """
    found: dict[str, list[float]] = {}
    place = 0
    for span in spans:
        scores = found.setdefault(span.field, [])
        while place < len(tokens) and tokens[place][0] <= span.start:
            place += 1
        at = place
        while at < len(tokens) and (tokens[at - 1][0] if at else 0) < span.end:
            scores.append(tokens[at][1])
            at += 1
    return found
