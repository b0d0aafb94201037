"""What a backtest finds, as people and programs read it. Types."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec


class How(StrEnum):
    """How a figure is known: see ``figures``."""

    COMPLETE = "complete"
    DOUBLY_ROBUST = "doubly_robust"
    BOUNDS = "bounds"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over decisions.

    Attributes:
        how: How it is known.
        value: The estimate; None: there is none, only bounds.
        low: The lower end of its 95 % interval; of bounds, that of the least that it can be.
        high: The upper end; of bounds, that of the greatest.
        least: Of bounds: what it is among these decisions if all that is not known is good.
        greatest: And if none of it is.
        large: Whether the interval is only that of large numbers.
    """

    how: How
    value: float | None
    low: float
    high: float
    least: float | None = None
    greatest: float | None = None
    large: bool = False


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cell in the unit of its figure: a share as a number, money as text.

    Attributes:
        how: How it is known.
        value: The estimate; None: there is none, only bounds.
        low: The lower end.
        high: The upper end.
        least: Of bounds: if all that is not known is good.
        greatest: And if none of it is.
        large: Whether the interval is only that of large numbers: too narrow where few are on record, or few differ.
    """

    how: How
    value: float | str | None
    low: float | str
    high: float | str
    least: float | str | None = None
    greatest: float | str | None = None
    large: bool = False


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a backtest.

    Attributes:
        name: ``automation``, ``wrong_alone``, ``reviews``, ``loss``, ``review_cost``, ``needless``,
            ``asking``, ``total``.
        unit: ``share`` of the decisions, or ``each``: money for each decision on the average, whoever decides it.
        recorded: What was.
        candidate: What would have been.
        difference: The candidate's less the recorded one.
    """

    name: str
    unit: Literal["share", "each"]
    recorded: Shown
    candidate: Shown
    difference: Shown


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """Why decisions could not be tried.

    Attributes:
        what: Why.
        decisions: How many.
        one: One of them.
    """

    what: str
    decisions: int
    one: UUID


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the decisions that were tried.

    Attributes:
        known: Of how many it is known of both answers whether they were right.
        half_known: Of how many it is not known of the candidate's, which answers otherwise than what was found wrong.
        unknown: Of how many nothing is known.
        drawn: How many were drawn for the audit sample.
        unanswered: How many of these have no answer though it was due: they count as wrong.
    """

    known: int
    half_known: int
    unknown: int
    drawn: int
    unanswered: int


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate would have done.

    Attributes:
        point: ``workflow.point``.
        candidate: What was tried.
        since: Decisions from this moment on.
        until: Before this one; their outcomes were due.
        sampling: How they were chosen.
        decisions: How many were tried.
        otherwise: How many of them take another route or get another answer.
        not_run: Why others could not be.
        outcomes: What is known of them.
        currency: Of the money; None: no amount is known.
        money: How many the figures in money are of.
        figures: In order.
        notes: What whoever reads them must know.
    """

    point: str
    candidate: str
    since: datetime
    until: datetime
    sampling: str
    decisions: int
    otherwise: int
    not_run: tuple[NotRun, ...]
    outcomes: Outcomes
    currency: str | None
    money: int
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    def figure(self, name: str) -> Figure:
        """The figure of a name.

        Raises:
            KeyError: there is none.
        """
        found = next((one for one in self.figures if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found
