"""What must be known about a workflow before it may act for real. Pure.

An incomplete dossier is no error: the workflow then runs against simulated connectors only, and ``missing`` says what
is still to be found out.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.cases.worth import Measured, Worth


class Harm(StrEnum):
    """What a wrong decision can do, at worst."""

    MONEY = "money only"
    SAFETY = "safety"
    REGULATION = "regulation"
    PEOPLE = "people"


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """How the measure stood before the workflow, and how that is known.

    Attributes:
        value: The measure's value then.
        source: What it was taken from.
        sample: How many cases it was taken over; 0 is unknown.
        window: The time that they are from.
    """

    value: Decimal | None = None
    source: str = ""
    sample: int = 0
    window: str = ""


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """What the workflow is to improve.

    Attributes:
        measure: What is measured, with its unit.
        baseline: How it stood before.
        target: The value that would be a success.
        figure: Which figure of the business view it is; None: none of them.
    """

    measure: str = ""
    baseline: Baseline = Baseline()
    target: Decimal | None = None
    figure: Measured | None = None


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """What being wrong costs.

    Attributes:
        loses: What is lost by one wrong decision.
        harm: The worst kind of harm.
    """

    loses: str = ""
    harm: Harm | None = None


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for a workflow, what it is to improve, and what it can cost.

    Attributes:
        owner: Who answers for it.
        stand_in: Who does when the owner is away or has left.
        may_stop: Who may stop it at any moment.
        success: What it is to improve.
        wrong: What being wrong costs.
        worth: What a case is worth; None: it is not stated.
    """

    owner: str = ""
    stand_in: str = ""
    may_stop: tuple[str, ...] = ()
    success: Success = Success()
    wrong: Wrong = Wrong()
    worth: Worth | None = None

    def missing(self) -> tuple[str, ...]:
        """The parts that are absent or empty, by their keys in the workflow's file; none if it is complete."""
        baseline = self.success.baseline
        stated = {
            "owner": bool(self.owner),
            "stand_in": bool(self.stand_in),
            "may_stop": bool(self.may_stop),
            "success.measure": bool(self.success.measure),
            "success.baseline.value": baseline.value is not None,
            "success.baseline.from": bool(baseline.source),
            "success.baseline.sample": baseline.sample > 0,
            "success.baseline.window": bool(baseline.window),
            "success.target": self.success.target is not None,
            "wrong.loses": bool(self.wrong.loses),
            "wrong.harm": self.wrong.harm is not None,
        }
        return tuple(part for part, known in stated.items() if not known)
