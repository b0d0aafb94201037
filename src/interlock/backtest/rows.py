"""Decisions with what was done and what would be done, as columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from interlock.autonomy.betting import Floats
from interlock.autonomy.calibration import Flags
from interlock.backtest.known import Possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one side goes.

    Attributes:
        alone: Whether no person decides.
        loss: What is lost if its answer is wrong and nobody looks, in minor units: as it was realised where that is on
            record; None: nobody knows what is at stake.
        declared: The same as it is stated beforehand.
        needless: What a review of a right answer loses beside its own cost; 0 where it goes alone.
        confidence: Of its answer; None: there is none.
        asking: What asking its components cost beside compute, in USD; failures and what came too late, too.
    """

    alone: bool
    loss: int | None
    declared: int | None
    needless: int = 0
    confidence: float | None = None
    asking: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One decision.

    Attributes:
        then: What was done.
        other: What the candidate would do.
        before: What can be so of both answers before anything is known.
        after: And by what is known.
        sampled: Whether it was of those among which the audit sample was drawn.
        drawn: Whether it was drawn.
        propensity: With which probability.
        share: Of a decision whose component was drawn by shares: the share of the candidate's; 1: it was not so.
        served: Whether the candidate's component answered it then.
    """

    then: Way
    other: Way
    before: Possible
    after: Possible
    sampled: bool = False
    drawn: bool = False
    propensity: float = 1.0
    share: float = 1.0
    served: bool = False


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Side:
    """One side of all decisions; columns of shape (n,). A loss of -1 is not known."""

    alone: Flags
    loss: Floats
    declared: Floats
    needless: Floats
    confidence: Floats
    asking: Floats

    @classmethod
    def of(cls, ways: list[Way]) -> Side:
        """The columns of some."""
        return cls(
            alone=np.array([one.alone for one in ways], dtype=np.bool_),
            loss=np.array([-1 if one.loss is None else one.loss for one in ways], dtype=np.float64),
            declared=np.array([-1 if one.declared is None else one.declared for one in ways], dtype=np.float64),
            needless=np.array([one.needless for one in ways], dtype=np.float64),
            confidence=np.array([-1.0 if one.confidence is None else one.confidence for one in ways]),
            asking=np.array([float(one.asking) for one in ways]),
        )

    def only(self, kept: Flags) -> Side:
        """Some of the decisions."""
        return Side(**{one.name: getattr(self, one.name)[kept] for one in fields(self)})


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Columns:
    """All decisions; ``before`` and ``after`` of shape (n, 4), the others (n,)."""

    then: Side
    other: Side
    before: Flags
    after: Flags
    sampled: Flags
    drawn: Flags
    propensity: Floats
    share: Floats
    served: Flags

    @classmethod
    def of(cls, rows: list[Row]) -> Columns:
        """The columns of some."""

        def flags(name: str) -> NDArray[np.bool_]:
            return np.array([getattr(one, name) for one in rows], dtype=np.bool_)

        return cls(
            then=Side.of([one.then for one in rows]),
            other=Side.of([one.other for one in rows]),
            before=flags("before").reshape(-1, 4),
            after=flags("after").reshape(-1, 4),
            sampled=flags("sampled"),
            drawn=flags("drawn"),
            propensity=np.array([one.propensity for one in rows], dtype=np.float64),
            share=np.array([one.share for one in rows], dtype=np.float64),
            served=flags("served"),
        )

    def only(self, kept: Flags) -> Columns:
        """Some of the decisions."""
        return Columns(
            then=self.then.only(kept),
            other=self.other.only(kept),
            **{one.name: getattr(self, one.name)[kept] for one in fields(self) if one.name not in ("then", "other")},
        )

    @property
    def count(self) -> int:
        """How many."""
        return int(self.sampled.size)

    @property
    def unpriced(self) -> Flags:
        """Those that go alone on one side with nobody knowing what is at stake."""
        return (self.then.alone & (self.then.loss < 0)) | (self.other.alone & (self.other.loss < 0))
