"""Asking a decision point from outside of any case: by its name, with what breaks its contract kept in quarantine.

The API, streams and whatever else brings single questions make them here, so that the same question is the same
decision whichever way it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.cases.beginning import begins_case
from interlock.cases.journal import encode
from interlock.cases.personal import sealed_data
from interlock.cases.quarantine import quarantine_question
from interlock.cases.registry import Registered, Registry
from interlock.cases.workflow import Workflow
from interlock.contracts.shown import shown
from interlock.db.writer import Writer
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.decisions.origin import Origin
from interlock.decisions.point import DecisionPoint
from interlock.decisions.route import exposure_value
from interlock.errors import ContractViolated, MoneyInvalid, NotFound, Violation
from interlock.money import Money
from interlock.privacy.unsaid import key_refused, stray_token
from interlock.privacy.veil import tokens_of
from interlock.spelling import meant


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A decision point with the workflow that declares it.

    Attributes:
        registered: The workflow.
        point: The decision point.
        following: The code of the cases that follow its decisions, if anything does.
    """

    registered: Registered
    point: DecisionPoint
    following: Workflow | None = None

    @property
    def name(self) -> str:
        """Its full name: ``workflow.point``."""
        return f"{self.registered.workflow.name}.{self.point.name}"


def find_point(registry: Registry, name: str, *, where: str = "") -> NamedPoint:
    """The decision point of a full name.

    Raises:
        NotFound: this process carries none of that name; the nearest one is named.
    """
    workflow, _, point = name.rpartition(".")
    registered = registry.find(workflow)
    found = registered.declaration.decisions.get(point) if registered else None
    if registered and found:
        return NamedPoint(registered, found, registry.following(workflow, point))
    known = [f"{one.workflow.name}.{its}" for one in registry.all for its in one.declaration.decisions]
    todo = meant(name, known) if workflow and point else "write workflow.point"
    raise NotFound(f"there is no decision point {name[:100]!r}", where=where, todo=todo)


def read_exposure(text: str | None, *, where: str) -> Money | None:
    """The money at stake, as a caller wrote it.

    Raises:
        MoneyInvalid: it is no amount, or below zero.
    """
    if text is None:
        return None
    try:
        money = Money.parse(text)
    except MoneyInvalid as cause:
        raise MoneyInvalid(cause.what, where=where, todo=cause.todo) from cause
    if money.minor < 0:
        raise MoneyInvalid(f"{money} is below zero", where=where, todo="send what is at stake")
    return money


def question_of(
    named: NamedPoint,
    tenant: UUID,
    *,
    key: str,
    value: Mapping[str, Any],
    exposure: Money | None = None,
    caller: str = "",
    origin: Origin | None = None,
    until: float | None = None,
    aside: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Asked:
    """The question that belongs to no case: its decision begins one if anything follows it. See ``ask_in_line``.

    INVARIANT: where the point's file says where the money at stake stands, no sender says it otherwise.
    """
    registered, point, following = named.registered, named.point, named.following
    asked = Asked(
        tenant=tenant,
        workflow=registered.workflow.name,
        point=point,
        declaration=registered.declaration.digest,
        library=registered.library.for_tenant(tenant),
        control=registered.declaration.control,
        key=key,
        value=value,
        exposure=None if point.exposure else exposure,
        caller=caller,
        origin=origin,
        until=until,
        aside=aside,
    )
    if following is None:
        return asked
    return msgspec.structs.replace(asked, begins_case=True, attach=begins_case(following, tenant, point, key, caller))


async def ask_in_line(
    decider: Decider,
    writer: Writer,
    tenant: UUID,
    named: NamedPoint,
    *,
    key: str,
    value: Any,
    exposure: Money | None = None,
    caller: str = "",
    origin: Origin | None = None,
    until: float | None = None,
    aside: Callable[[], AbstractContextManager[None]] = nullcontext,
    where: str = "",
) -> Decision | Deferred:
    """Ask, once by key; an input that breaks the contract is kept in quarantine.

    Args:
        decider: The one path.
        writer: For what goes to quarantine.
        tenant: Whose decision.
        named: The decision point.
        key: The idempotency key.
        value: The input: a JSON value; what is no object breaks any contract.
        exposure: The money at stake, if the caller knows it.
        caller: Who asks.
        origin: What brought it.
        until: When the caller stops waiting, on the event loop's clock.
        aside: Entered while somebody outside is asked; see ``Asked``.
        where: Where the input stood in what the caller sent, for the message.

    Raises:
        ContractViolated: the input breaks its contract; every violation is named, and where it waits.
        MoneyInvalid: the point's file says where the money at stake stands, and the caller says another amount.
        KeyReused: the key came before, with another input or exposure.
        Refused: the key repeats a personal value.
    """
    registered, point = named.registered, named.point
    asked: Asked | None = None
    try:
        _refuse_no_object(value, named.name)
        if registered.declaration.personal and not point.purpose:
            _refuse_tokens(value, named.name)
        _refuse_other_exposure(named, value, exposure)
        asked = question_of(
            named, tenant, key=key, value=value, exposure=exposure, caller=caller, origin=origin, until=until,
            aside=aside,
        )  # fmt: skip
        return await decider.decide(asked)
    except ContractViolated as cause:
        kept = await sealed_data(registered, tenant, point.input, encode(value), cause.violations, key)
        if kept.key != key:
            raise key_refused() from None
        held = await quarantine_question(
            writer,
            tenant,
            workflow=registered.workflow.name,
            point=point.name,
            contract=point.input,
            key=key,
            data=kept.data,
            violations=kept.violations,
            exposure=exposure,
            caller=caller,
            count=partial(decider.count_refused, asked) if asked else None,
        )
        raise ContractViolated(
            cause.what, kept.violations, where=where, todo=cause.todo, quarantine=str(held)
        ) from cause


def _refuse_no_object(value: Any, name: str) -> None:
    if not isinstance(value, dict):
        what = f"{shown(cast('object', value))} is no object"
        wrong = Violation(where="", what=what, rule="type", todo="send a JSON object")
        raise ContractViolated(f"the input of {name} is no object", (wrong,), todo="mend what is named, send it again")


def _refuse_tokens(value: Mapping[str, Any], name: str) -> None:
    """Refuse tokens at a point that opens none: what follows its decision may."""
    if any(tokens_of(value)):
        raise ContractViolated(f"the input of {name} holds what it may not", (stray_token(),))


def _refuse_other_exposure(named: NamedPoint, value: Mapping[str, Any], exposure: Money | None) -> None:
    source = named.point.exposure
    if source is None or exposure is None:
        return
    place = ".".join((source.root, *source.path))
    if source.root == "input":
        written = exposure_value(source.path, value)
        if written is None or _same_amount(written, source.currency, exposure):  # none there: its contract says so
            return
    raise MoneyInvalid(
        f"{exposure} is stated as the money at stake, which at {named.name} is {place} in {source.currency}",
        where="/exposure",
        todo="leave exposure out: the point's file says where it stands",
    )


def _same_amount(written: str, currency: str, exposure: Money) -> bool:
    try:
        return Money(written, currency) == exposure
    except MoneyInvalid:  # its contract says so, and names it
        return True
