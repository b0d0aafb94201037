from __future__ import annotations

from decimal import Decimal

from interlock.console.overview import Now, alarms_of
from interlock.console.store import Attention, MoneyNow
from interlock.ledger.lag import Lag


def seen(*, urgent: int, exceptions: int) -> list[tuple[str, str, str]]:
    now = Now(
        under_way=[], ended=[], overdue=0, queues=[], levels=[], fired=[], circuits=[], stops=[], terms=[],
        money=[
            MoneyNow(what="stuck", currency="MYR", items=exceptions - 1, minor=Decimal(148615), at_least=False),
            MoneyNow(what="stuck", currency=None, items=1, minor=Decimal(0), at_least=False),
            MoneyNow(what="paid", currency="EUR", items=1, minor=Decimal(99), at_least=False),
        ],
        attention=Attention(urgent=urgent, exceptions=exceptions, held=0, in_doubt=0, gaps=0),
        lag=Lag(),
    )  # fmt: skip
    return [(one.what, one.more, one.to) for one in alarms_of(now)]


def test_open_exceptions_need_attention_and_tell_the_money_in_them() -> None:
    assert seen(urgent=0, exceptions=9) == [("9 open exceptions", "1,486.15 MYR in them", "/console/exceptions")]
    told = [what for what, _, _ in seen(urgent=1, exceptions=2)]
    assert told == ["1 exception of the highest priority", "2 open exceptions"]
