"""What figures are held against: what a workflow's file declares, and what time costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from interlock.autonomy.control.terms import ControlTerms
from interlock.autonomy.terms import AutonomyTerms, LossTerms
from interlock.cases.declaration import Declaration
from interlock.cases.dossier import Success
from interlock.cases.worth import Worth
from interlock.rate_settings import RateSettings


class BusinessTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of one workflow.

    Attributes:
        workflow: Its name.
        points: Its decision points.
        worth: What a case is worth.
        success: What it is to improve, with the baseline.
        losses: What a wrong decision loses, by the points that say it, with its currency.
        processor_hour: What an hour of a processor costs, in USD; 0: not stated.
        person_hour: What an hour of a person costs, in USD; 0: not stated.
        rates: By which amounts are converted, if they have a date.
        autonomy: All that points declare of their autonomy, by the points that do.
        control: Which cases people decide; None: no control group is declared.
    """

    workflow: str
    points: tuple[str, ...]
    worth: Worth | None
    success: Success
    losses: Mapping[str, tuple[LossTerms, str]]
    processor_hour: Decimal
    person_hour: Decimal
    rates: RateSettings
    autonomy: Mapping[str, AutonomyTerms] = msgspec.field(default_factory=dict[str, AutonomyTerms])
    control: ControlTerms | None = None


def business_terms(
    declaration: Declaration, processor_hour: Decimal, person_hour: Decimal, rates: RateSettings
) -> BusinessTerms:
    """What a workflow's file and the settings say."""
    points = declaration.decisions
    return BusinessTerms(
        workflow=declaration.workflow,
        points=tuple(points),
        worth=declaration.dossier.worth,
        success=declaration.dossier.success,
        losses={
            name: (point.autonomy.wrong, point.autonomy.currency) for name, point in points.items() if point.autonomy
        },
        processor_hour=processor_hour,
        person_hour=person_hour,
        rates=rates,
        autonomy={name: point.autonomy for name, point in points.items() if point.autonomy},
        control=declaration.control,
    )
