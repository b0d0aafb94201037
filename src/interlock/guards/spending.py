"""From limits and budgets to what one dispatch must reserve and keep. Pure; the gate holds it to it."""

from __future__ import annotations

from uuid import UUID

from interlock.clock import id_time
from interlock.db.work import Condition
from interlock.durations import format_duration
from interlock.guards.bucket import BucketKey, Draw, Pace
from interlock.guards.gate import NotAfter, Spends
from interlock.guards.limits import Allowance, CaseBudget, Limits
from interlock.guards.span import Whose, per_case
from interlock.money import Money

NO_BUDGET = CaseBudget()


def spending(
    limits: Limits,
    budget: CaseBudget,
    *,
    workflow: str,
    action: str,
    action_id: UUID | None,
    case_id: UUID,
    caller: str,
    amount: Money | None,
    undo: bool = False,
    doubtful: bool = False,
) -> tuple[Condition, ...]:
    """What must hold in the commit that dispatches an action: one reservation for all limits, or a refusal.

    Args:
        limits: The limits of the action in force.
        budget: The budget of each case of its workflow in force.
        workflow: The workflow's name.
        action: The action's name.
        action_id: The action; what it holds of an attempt without effect is drawn anew. None: the unit records it,
            and its id is the unit's own.
        case_id: Its case; the time in its id is the case's beginning.
        caller: Who submitted the case.
        amount: What the action moves, if it moves money.
        undo: Whether it takes another action back: then it is not held to the case's budget, which must keep nobody
            from putting things right.
        doubtful: Whether an earlier attempt may have taken effect: then what it holds stays in its period, and the
            time budget holds nothing up any more, since only sending settles it.
    """
    if undo:
        budget = NO_BUDGET
    guard = f"{workflow}.{action}"
    conditions: list[Condition] = [
        Spends(
            action_id,
            (
                *draws_of(limits, guard=guard, case_id=str(case_id), caller=caller, amount=amount),
                *budget_draws(budget, workflow=workflow, case_id=str(case_id), amount=amount),
            ),
            paces_of(limits, guard=guard, caller=caller),
            never=refused_outright(limits, amount, budget),
            doubtful=doubtful,
        )
    ]
    if budget.time is not None and not doubtful:
        what = f"the budget of {format_duration(budget.time)} for a case of {workflow}"
        conditions.append(NotAfter(id_time(case_id) + budget.time, what))
    return tuple(conditions)


def attempted(
    limits: Limits,
    budget: CaseBudget,
    *,
    workflow: str,
    action: str,
    action_id: UUID,
    case_id: UUID,
    caller: str,
    undo: bool = False,
) -> Spends:
    """What an attempt uses up that has been made and taken back whole: it counts as one, and reserves nothing.

    Args:
        limits: As for ``spending``.
        budget: The budget of each case of its workflow in force.
        workflow: The workflow's name.
        action: The action's name.
        action_id: The action.
        case_id: Its case.
        caller: Who submitted the case.
        undo: Whether it takes another action back.
    """
    draws = budget_draws(NO_BUDGET if undo else budget, workflow=workflow, case_id=str(case_id), amount=None)
    return Spends(action_id, draws, paces_of(limits, guard=f"{workflow}.{action}", caller=caller))


def draws_of(limits: Limits, *, guard: str, case_id: str, caller: str, amount: Money | None) -> tuple[Draw, ...]:
    """What an action of this amount draws on under its own limits.

    Args:
        limits: The limits in force.
        guard: The name that the buckets share: ``workflow.action``.
        case_id: The owner of the limits per case.
        caller: The owner of the limits per caller.
        amount: What the action moves; None draws on counts alone.
    """
    owners = {Whose.ANYONE: "", Whose.CASE: case_id, Whose.CALLER: f"/{caller}"}

    def draw(allowance: Allowance) -> Draw:
        size = amount.minor if amount is not None and allowance.currency else 1
        name = f"{guard}.{allowance.name}"
        owner, scope = owners[allowance.span.whose], f"action:{guard}"
        return Draw(
            name, allowance.currency, owner, allowance.span, size, allowance.most,
            stops_at=allowance.stops_at, stops=scope if allowance.stops_at else "", pause=allowance.pause,
        )  # fmt: skip

    currency = amount.currency if amount is not None else ""
    return tuple(draw(allowance) for allowance in limits.allowances if allowance.currency in ("", currency))


def budget_draws(budget: CaseBudget, *, workflow: str, case_id: str, amount: Money | None) -> tuple[Draw, ...]:
    """What an action of this amount draws on its case's budget."""
    draws: list[Draw] = []
    guard = f"{workflow}.budget"
    if budget.money is not None and amount is not None and amount.currency == budget.money.currency:
        money = budget.money
        draws.append(Draw(f"{guard}.money", money.currency, case_id, per_case(), amount.minor, money.minor))
    if budget.attempts is not None:
        draws.append(Draw(f"{guard}.attempts", "", case_id, per_case(), 1, budget.attempts, each_attempt=True))
    return tuple(draws)


def paces_of(limits: Limits, *, guard: str, caller: str) -> tuple[Pace, ...]:
    """The rates that an action must keep under these limits."""
    paces: list[Pace] = []
    if limits.rate:
        paces.append(Pace(BucketKey(f"{guard}.rate", "", ""), limits.rate))
    if limits.rate_per_caller:
        paces.append(Pace(BucketKey(f"{guard}.rate_per_caller", "", f"/{caller}"), limits.rate_per_caller))
    return tuple(paces)


def refused_outright(limits: Limits, amount: Money | None, budget: CaseBudget = NO_BUDGET) -> str:
    """Why these limits can never let the amount go, in a sentence; empty if they can.

    INVARIANT: amounts are held to limits of their own currency alone. An amount in another one is refused, never let
    through beside them.
    """
    if amount is None:
        return "it moves an unknown amount under limits in money" if limits.amounts else ""
    if amount.minor < 0:
        return f"{amount} is negative"
    if limits.currency and amount.currency != limits.currency:
        return f"{amount} is not in {limits.currency}, the currency of its limits"
    known = limits.amounts
    if budget.money is not None:
        if amount.currency != budget.money.currency:
            return f"{amount} is not in {budget.money.currency}, the currency of the case's budget"
        known["budget of the case"] = budget.money
    for name, most in known.items():
        if amount > most:
            return f"{amount} is over the limit {name.replace('_', ' ')} of {most}"
    return ""
