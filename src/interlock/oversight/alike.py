"""Which reviews are alike enough to be decided in one act. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.contracts.contract import Field
from interlock.errors import Refused
from interlock.money import Money
from interlock.oversight.review import Resolution, Review

_WORD = re.compile(r"[^\W\d_]\w*(?:-\w+){0,5}")
"""A text that may name a choice: ``same``, ``NOT_OURS``. If it names something else, there are two acts: no harm."""
_PHRASE = re.compile(r"[^\d]{1,100}")
"""A text that may name a choice where no contract says what it is: ``Pay in full``."""


def see_alike(reviews: Sequence[Review], resolution: Resolution, output: Field | None = None) -> Money:
    """See that one word can be said of all of them, and how much is at stake together.

    They are of one decision point and ask for the same contract; their proposals have the same fields, and say the same
    in those that are yes or no or name a choice, which those are that the contract gives choices and those of one word;
    of lists the items are of the same kinds; they have the same findings; nobody else must agree to any of them; and of
    each it is known what is at stake, in one currency.

    Args:
        reviews: At least one.
        resolution: What is to be said: approve or reject. A change is of one alone.
        output: What the contract says of their proposals; None: it is not known, and every short text may be a choice.

    Raises:
        Refused: they are not alike; it says by what.
    """
    if resolution is Resolution.CHANGE:
        raise Refused(
            "a change is of one review alone", where="/resolution", todo="approve or reject them, or go singly"
        )
    pair = next((one for one in reviews if one.needed > 1), None)
    if pair is not None:
        raise Refused(f"two people must decide {pair.id}", where="/reviews", todo="decide it by itself")
    marks = [_marks(one, output) for one in reviews]
    for at, name in enumerate(_MARKS):
        _same(reviews, name, [mark[at] for mark in marks])
    exposures = [one.exposure for one in reviews]
    unknown = next((one.id for one, at_stake in zip(reviews, exposures, strict=True) if at_stake is None), None)
    if unknown is not None:
        raise Refused(f"it is not known what is at stake in {unknown}", where="/reviews", todo="decide it by itself")
    known = [at_stake for at_stake in exposures if at_stake is not None]
    _same(reviews, "currency", [at_stake.currency for at_stake in known])
    below = next((at_stake for at_stake in known if at_stake.minor < 0), None)
    if below is not None:
        raise Refused(f"{below} is at stake, which is below zero", where="/reviews", todo="decide it by itself")
    return Money.of_minor(sum(at_stake.minor for at_stake in known), known[0].currency)


def odd_ones(reviews: Sequence[Review], output: Field | None = None) -> Mapping[UUID, str]:
    """Which to leave out so that one word can be said of the rest, each with what is different about it, in words.

    The rest are the most that are alike; of equally many, those of whom one comes first.

    Args:
        reviews: What was chosen.
        output: As ``see_alike`` takes it.
    """
    odd = {one.id: why for one in reviews if (why := _alone(one))}
    marks = {
        one.id: (*_marks(one, output), one.exposure.currency if one.exposure else "")
        for one in reviews
        if one.id not in odd
    }
    most, _ = next(iter(Counter(marks.values()).most_common(1)), ((), 0))
    for identity, mark in marks.items():
        names = [name for name, mine, theirs in zip((*_MARKS, "currency"), mark, most, strict=True) if mine != theirs]
        if names:
            odd[identity] = f"{'other' if names[0] == 'findings' else 'another'} {names[0]} than most of them"
    return odd


def _alone(review: Review) -> str:
    if review.needed > 1:
        return "two people must decide it"
    if review.exposure is None:
        return "it is not known what is at stake"
    return "less than nothing is at stake" if review.exposure.minor < 0 else ""


_MARKS = ("workflow", "decision point", "contract", "proposal", "findings")


def _marks(review: Review, output: Field | None) -> tuple[Hashable, ...]:
    """What those that are alike have the same, in the order of ``_MARKS``."""
    asked = review.asked
    return (
        review.workflow,
        review.point,
        asked.output_contract,
        _shape(asked.proposal, output),
        _findings(review),
    )


def _same(reviews: Sequence[Review], what: str, values: Sequence[object]) -> None:
    other = next((one.id for one, value in zip(reviews, values, strict=True) if value != values[0]), None)
    if other is not None:
        raise Refused(
            f"{other} differs from {reviews[0].id} in its {what}", where="/reviews", todo="decide those alike together"
        )


def _findings(review: Review) -> tuple[str, ...]:
    return tuple(sorted(str(finding.get("code")) for finding in review.asked.findings))


def _shape(value: Any, field: Field | None) -> Hashable:
    """The fields of a proposal, its numbers and amounts left out: what they are worth is what the exposure says."""
    if isinstance(value, dict):
        known = {one.name: one for one in field.fields} if field else {}
        fields = cast("dict[str, Any]", value)
        return tuple((name, _shape(fields[name], known.get(name))) for name in sorted(fields))
    if isinstance(value, list):
        kinds = {repr(_shape(item, field.item if field else None)) for item in cast("list[Any]", value)}
        return ("list", *sorted(kinds))
    if value is None or isinstance(value, bool) or (field and field.choices):
        return repr(value)
    if isinstance(value, str):
        return value if (_WORD if field else _PHRASE).fullmatch(value) else ("text",)
    return ("number",) if isinstance(value, int | float) else msgspec.json.encode(value)
