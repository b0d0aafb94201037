"""Refunds in three steps: rules decide, a person looks at large ones, the provider pays."""

from interlock import Case, Money, workflow


@workflow("refunds", version="1.0.0")
async def refunds(case: Case) -> str:
    """Refund one order."""
    amount = Money(case.input["amount"], "EUR")
    refund = await case.decide("approve", case.input, exposure=amount)
    if not refund.output["approved"]:
        return "refused"
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=case.key, because=refund)
    return "refunded"
