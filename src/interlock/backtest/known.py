"""What is known of two answers to one question, that of then and the candidate's. Pure.

Four things can be so: both wrong, both right, only that of then right, only the candidate's right. What is recorded
rules some of them out; what remains is what nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from interlock.autonomy.outcome import Known
from interlock.autonomy.truth import says_no, states_otherwise
from interlock.contracts import Field

PAIRS = ((False, False), (True, True), (True, False), (False, True))
"""Whether that of then is right, and whether the candidate's is."""
Possible = tuple[bool, bool, bool, bool]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer.

    Attributes:
        output: What was answered, with clear values; None: nothing.
        no: Whether it was refused by itself, whatever was answered: the case then ends with a no.
    """

    output: Mapping[str, Any] | None
    no: bool = False

    @property
    def is_none(self) -> bool:
        """Whether there is no answer that could be right."""
        return self.output is None and not self.no


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known.

    Attributes:
        right: Whether what was proposed then was right; None: nobody knows.
        stated: What would have been right; None: nobody said.
    """

    right: bool | None = None
    stated: Mapping[str, Any] | None = None


NOTHING = Truth()


def truth_of(known: Known | None, resolved: bytes | None) -> Truth:
    """What is known, of what the rows say.

    Args:
        known: Of the proposal of then.
        resolved: What a person answered in its place where nothing was proposed.
    """
    if known is None:
        return Truth(stated=msgspec.json.decode(resolved)) if resolved is not None else NOTHING
    stated: Any = msgspec.json.decode(known.truth) if known.truth is not None else None
    return Truth(known.is_right, cast("dict[str, Any]", stated) if isinstance(stated, dict) else None)


class Comparing:
    """Compares answers on the fields that the point declares.

    Args:
        record: The record of its output.
        fields: The fields; empty: those that a truth states, or all of two answers.
    """

    def __init__(self, record: Field | None, fields: Sequence[str]) -> None:
        self._record, self._fields = record, tuple(fields)

    def before(self, then: Said, other: Said) -> Possible:
        """What can be so before anything is known: of two answers that say otherwise at most one is right."""
        if then.is_none or other.is_none:
            return (True, False, not then.is_none, not other.is_none)
        return (True, True, False, False) if self.same(then, other) else (True, False, True, True)

    def after(self, then: Said, other: Said, truth: Truth) -> Possible:
        """What can be so by what is known."""
        known = (self._known(then, then, truth), self._known(other, then, truth))
        possible = self.before(then, other)
        left = tuple(
            may and all(fact is None or fact is it for fact, it in zip(known, pair, strict=True))
            for may, pair in zip(possible, PAIRS, strict=True)
        )
        if any(left):
            return (left[0], left[1], left[2], left[3])
        # what was said of the one and of the other cannot both be so, as where a word and its truth differ: the worse
        return (True, False, False, False)

    def same(self, one: Said, other: Said) -> bool:
        """Whether two answers say the same."""
        if one.no or other.no:
            return self._is_no(one) and self._is_no(other)
        if one.output is None or other.output is None:
            return one.output is other.output
        if not self._fields and one.output.keys() != other.output.keys():
            return False
        return not self._otherwise(one.output, other.output, self._fields)

    def _known(self, answer: Said, then: Said, truth: Truth) -> bool | None:
        """Whether an answer is right; None: nobody knows."""
        if answer.is_none:
            return False
        proposed = Said(then.output)
        if truth.right is not None and then.output is not None and self.same(answer, proposed):
            return truth.right
        stated = truth.stated
        if stated is None and truth.right:
            stated = then.output
        if stated is None:
            return None
        if answer.no:
            return says_no(dict(stated), self._fields, self._record)
        return not self._otherwise(stated, answer.output or {}, self._fields or tuple(stated))

    def _is_no(self, answer: Said) -> bool:
        return answer.no or says_no(dict(answer.output or {}), self._fields, self._record)

    def _otherwise(self, one: Mapping[str, Any], other: Mapping[str, Any], fields: Sequence[str]) -> bool:
        return states_otherwise(dict(one), dict(other), self._record, fields)
