"""How amounts and times are written on pages: what comes from data is escaped, and a moment is told to the second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from interlock.console.render import ago, money, templates
from interlock.money import Money

NOON = datetime(2026, 3, 1, 12, 0, 1, 999_999, tzinfo=UTC)


def test_amounts_and_times_are_markup_of_our_own() -> None:
    assert money(Money(Decimal("-1234.50"), "EUR")) == (
        '<span class="money"><span class="amount">-1,234.50</span> <span class="currency">EUR</span></span>'
    )
    assert money(None, none="<b>") == '<span class="money none">&lt;b&gt;</span>'
    told = '<time datetime="2026-03-01T12:00:01+00:00" title="2026-03-01 12:00:01 UTC"'
    written = templates().from_string("{{ at | when }}")
    assert written.render(at=NOON, now=NOON) == f"{told}>Mar 01 12:00</time>"
    assert written.render(at=NOON, now=NOON - timedelta(days=365)) == f"{told}>Mar 01, 2026 12:00</time>"
    assert templates().from_string("{{ none | when }}").render(now=NOON) == '<span class="none">–</span>'
    assert ago(NOON, NOON + timedelta(minutes=5)) == f"{told} data-ago>5m 0s</time>"
    assert ago(NOON, NOON - timedelta(hours=2)) == f"{told} data-ago>in 2h 0m</time>"
