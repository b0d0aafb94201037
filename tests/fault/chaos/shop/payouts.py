"""The workflows of the chaos test: each of them meets another kind of outside system, or another way to end."""

from interlock import Case, Fact, Money, workflow


@workflow("keyed", version="1.0.0")
async def keyed(case: Case) -> str:
    """Pay through a provider that honours keys."""
    return await _pay(case)


@workflow("seen", version="1.0.0")
async def seen(case: Case) -> str:
    """Pay through a provider that ignores keys, and can only be asked what it did."""
    return await _pay(case)


@workflow("voided", version="1.0.0")
async def voided(case: Case) -> str:
    """Pay through a provider that can make a key void."""
    return await _pay(case)


@workflow("halfway", version="1.0.0")
async def halfway(case: Case) -> str:
    """Pay, then fail for good: the payment is taken back."""
    ended = await _pay(case)
    if ended != "paid":
        return ended
    await case.act("forward", {"to": f"nobody-{case.input['customer']}", "amount": _amount(case)}, key=case.key)
    return ended


@workflow("assumed", version="1.0.0")
async def assumed(case: Case) -> str:
    """Pay only while nothing is held against it, which may change between the decision and its action."""
    hold = await case.fact("hold", {"hold": f"hold-{case.key}"})
    return "held" if hold.value is not None else await _pay(case, hold)


async def _pay(case: Case, *assumes: Fact) -> str:
    decided = await case.decide("approve", case.input, exposure=_amount(case), assumes=assumes)
    if not decided.output["approved"]:
        return "refused"
    await case.act("pay", {"to": case.input["customer"], "amount": _amount(case)}, key=case.key, because=decided)
    return "paid"


def _amount(case: Case) -> Money:
    return Money(case.input["amount"], "EUR")
