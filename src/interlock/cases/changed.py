"""The money at stake after a person's change: what the changed output says, never what was rejected. Pure."""

from __future__ import annotations

from typing import Any

from interlock.cases.registry import Registered
from interlock.decisions.point import DecisionPoint, ExposureSource
from interlock.decisions.route import exposure_value
from interlock.errors import MoneyInvalid, Violation
from interlock.money import Money
from interlock.oversight.queue import CheckOutput


def changed_source(point: DecisionPoint | None) -> ExposureSource | None:
    """Where a changed output says what is at stake; None: it does not, and what was at stake before still is."""
    source = point.exposure if point else None
    return source if source and source.root == "output" else None


def changed_exposure(source: ExposureSource, output: Any) -> Money:
    """What is at stake by a person's output.

    Raises:
        MoneyInvalid: there is no amount at the declared place.
    """
    where, todo = "/" + "/".join(source.path), f'give it as text, such as "31.00", in {source.currency}'
    amount = exposure_value(source.path, output)
    if amount is None:
        raise MoneyInvalid("there is no amount of money, which the decision's exposure is", where=where, todo=todo)
    try:
        return Money(amount, source.currency)
    except MoneyInvalid as cause:
        raise MoneyInvalid(cause.what, where=where, todo=todo) from cause


def check_change(registered: Registered, point: str) -> CheckOutput:
    """The check of a person's output for one point: its contract, and that it says what is now at stake."""
    source = changed_source(registered.declaration.decisions.get(point))

    def check(contract: str, output: dict[str, Any]) -> tuple[Violation, ...]:
        violations = registered.library.violations(contract, output)
        if violations or source is None:
            return violations
        try:
            changed_exposure(source, output)
        except MoneyInvalid as cause:
            return (Violation(where=cause.where, what=cause.what, rule="exposure", todo=cause.todo),)
        return ()

    return check
