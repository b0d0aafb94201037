"""Decisions with their outcomes, as columns: what a certificate is derived from. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags
from interlock.errors import Refused

Numbers = NDArray[np.int64]
EVERYWHERE = -2
"""The segment of what counts as gone by itself at every threshold, whatever is known of its component."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Records:
    """All decisions that came to a point and whose outcomes are due, whoever decided them; columns of shape (n,).

    Amounts are in minor units of one currency. A decision whose outcome is due and missing is in here as observed and
    wrong, with its full stake as the loss.

    Attributes:
        confidence: Of the proposed answer, in [0, 1].
        exposure: The money at stake; negative where it is unknown, negative or in another currency.
        stake: The loss, as declared, if the answer is wrong and nobody looks; at least 0.
        wrong: Whether the proposed answer was wrong; of no account where it was not observed.
        loss: What was lost by it, or would have been without a person; 0 where it was right.
        needless: What a review of a right answer loses beside its own cost.
        propensity: With which probability the outcome was to become known, in (0, 1].
        observed: Whether it became known.
        component: Which component version answered, from 0 on.
        segment: In which segment it was, from 0 on; negative: in none that is told apart, so a person decides, but
            for ``EVERYWHERE``.
        fit: Whether it is of the part that calibrates and chooses bets; the others test.
        turn: In which order they test: drawn by ``turn_of``, so that no value has a part in it.
        cascade: What each of those said who were asked in turn; None: one is asked, or nobody knows.
    """

    confidence: Floats
    exposure: Numbers
    stake: Numbers
    wrong: Flags
    loss: Numbers
    needless: Numbers
    propensity: Floats
    observed: Flags
    component: Numbers
    segment: Numbers
    fit: Flags
    turn: Numbers
    cascade: Cascade | None = None

    def __post_init__(self) -> None:
        sizes = {name: np.shape(getattr(self, name)) for name in _COLUMNS}
        if len(set(sizes.values())) != 1 or self.confidence.ndim != 1:
            raise Refused(f"columns of different length: {sizes}", todo="give each column a value for each decision")
        self._within("confidence", (self.confidence >= 0) & (self.confidence <= 1), "in [0, 1]")
        self._within("propensity", (self.propensity > 0) & (self.propensity <= 1), "above 0 and at most 1")
        for name in ("stake", "loss", "needless"):
            self._within(name, getattr(self, name) >= 0, "at least 0")
        self._within("loss", self.wrong | ~self.observed | (self.loss == 0), "0 where the answer was right")

    @property
    def weight(self) -> Floats:
        """1/propensity of what was observed, 0 of what was not (Horvitz and Thompson, 1952)."""
        return np.where(self.observed, 1 / self.propensity, 0.0)

    def only(self, kept: Flags | NDArray[np.intp]) -> Records:
        """Some of the decisions, or all in another order."""
        columns = {name: getattr(self, name)[kept] for name in _COLUMNS}
        return Records(**columns, cascade=self.cascade.only(kept) if self.cascade else None)

    @staticmethod
    def _within(name: str, holds: Flags, wanted: str) -> None:
        if not bool(np.all(holds)):
            first = int(np.argmin(holds))
            raise Refused(f"decision {first} has a {name} that is not {wanted}", todo=f"correct {name}")


_COLUMNS = tuple(field.name for field in fields(Records) if field.name != "cascade")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Cascade:
    """What was said by each of those who were asked in turn.

    Attributes:
        steps: In their order, of the same decisions; of who was not heard the segment is negative.
        goes: Of each step, whether its answer goes by itself if it suffices; else a condition sends it to a person.
        unasked: Whether the last one suffices for then, so that who comes next was not asked.
        always: Whether it counts as the worst at every threshold, since an answer that would count is not known.
        worst: What one of those counts, in minor units.
    """

    steps: tuple[Records, ...]
    goes: tuple[Flags, ...]
    unasked: Flags
    always: Flags
    worst: int

    def only(self, kept: Flags | NDArray[np.intp]) -> Cascade:
        """Some of the decisions, or all in another order."""
        return Cascade(
            steps=tuple(one.only(kept) for one in self.steps),
            goes=tuple(one[kept] for one in self.goes),
            unasked=self.unasked[kept],
            always=self.always[kept],
            worst=self.worst,
        )


def is_fit(identity: bytes, key: bytes, share: Fraction) -> bool:
    """Whether a decision is of the part that calibrates: the same for ever, and not to be guessed without the key.

    Args:
        identity: The decision's id.
        key: At most 64 bytes, drawn before anybody saw the data and never changed for having seen them.
        share: The part that calibrates.
    """
    return int.from_bytes(_drawn(identity, key)[:8]) < share * 2**64


def turn_of(identity: bytes, key: bytes) -> int:
    """Where a decision stands in the order of the test: at random, whatever part it is of; below 2**63."""
    return int.from_bytes(_drawn(identity, key)[8:]) >> 1


def _drawn(identity: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(identity, key=key, digest_size=16).digest()
