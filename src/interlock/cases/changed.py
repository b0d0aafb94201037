"""A person's change of a decision: what it says is at stake, never what was rejected, and how it is kept."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from interlock.cases.personal import kept_value, vault_of
from interlock.cases.registry import Registered
from interlock.decisions.point import DecisionPoint, ExposureSource
from interlock.decisions.route import exposure_value
from interlock.errors import MoneyInvalid, PersonalErased, Violation
from interlock.money import Money
from interlock.oversight.queue import CheckOutput, KeepOutput
from interlock.oversight.review import Review
from interlock.privacy.unsaid import without_values
from interlock.privacy.veil import Veil, tokens_of


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
            return without_values(registered.library.contract(contract), violations)
        try:
            changed_exposure(source, output)
        except MoneyInvalid as cause:
            return (Violation(where=cause.where, what=cause.what, rule="exposure", todo=cause.todo),)
        return ()

    return check


def keep_change(registered: Registered, tenant: UUID) -> KeepOutput:
    """How a person's output is kept: with tokens for what its contract marks, and for what it repeats of the input."""

    async def keep(review: Review, output: dict[str, Any]) -> dict[str, Any]:
        contract, asked = review.asked.output_contract, review.asked.input
        kept: dict[str, Any] = await kept_value(registered, tenant, contract, output)
        if not contract or not any(tokens_of((asked, kept))):
            return kept
        veil, vault = Veil(), vault_of(registered)
        for value in (kept, asked):
            with contextlib.suppress(PersonalErased):  # then nobody can know any more what it would repeat
                await vault.open(tenant, value, None, veil)
        return veil.mask_output(registered.library.for_tenant(tenant).contract(contract).record, kept)

    return keep
