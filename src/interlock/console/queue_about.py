"""What a row of the queue tells of its item, so that two of one point can be told apart unopened. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from interlock.console.stored import in_words
from interlock.privacy.token import HIDDEN, hide_in
from interlock.search.entry import SearchField
from interlock.search.term import Kind

_RULES = "rules:"
_MOST = 2
_LONGEST = 60


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a row tells.

    Attributes:
        named: Of whom or what it is: the values of the fields by which decisions of its point are found.
        key: Of the case, by whoever handed it in.
        by_rule: Whether rules made the proposal: their confidence, always 1, says nothing.
    """

    named: str
    key: str
    by_rule: bool


class _Asked(msgspec.Struct, frozen=True):
    input: dict[str, Any]
    proposal: dict[str, Any] | None = None
    proposed_by: str = ""


def about(question: bytes | None, key: str | None, fields: Sequence[SearchField]) -> About:
    """What a row tells.

    Args:
        question: What the review asks, as JSON; None: it is an exception, or too long.
        key: Of its case.
        fields: By what decisions of its point are found. A personal one is never shown here.
    """
    shown = in_words(hide_in(key or ""), _LONGEST)
    if question is None:
        return About(named="", key=shown, by_rule=False)
    asked = msgspec.json.decode(question, type=_Asked)
    texts = [_text(asked, one) for one in fields if one.kind is not Kind.PERSONAL]
    named = [in_words(text, _LONGEST) for text in dict.fromkeys(texts) if text and HIDDEN not in text]
    return About(named=" · ".join(named[:_MOST]), key=shown, by_rule=asked.proposed_by.startswith(_RULES))


def _text(asked: _Asked, field: SearchField) -> str:
    value: object = asked.proposal if field.of_output else asked.input
    for name in field.path:
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None
    return hide_in(value).strip() if isinstance(value, str) else ""
