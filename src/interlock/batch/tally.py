"""What became of a table, counted while it is decided. It is stored with the run: a resumed one goes on counting."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact
from typing import Any

import msgspec

from interlock.decisions.decision import Decision, Route
from interlock.errors import Violation
from interlock.money import exponent

_WIDE = Context(prec=100, traps=[Inexact])
"""A sum of a million amounts may be more than one amount may be."""


class Tally(msgspec.Struct, kw_only=True):
    """The count of one run. It only grows.

    Attributes:
        rows: How many rows were settled, one way or the other.
        decided: How many have a decision.
        known: How many of those were decided before: by an earlier run, in line, or as a row with the same key.
        rejected: How many were refused, and stand in the file of rejects.
        routes: Decisions by route.
        components: Decisions by the component whose answer it is.
        rules: Refused rows by each rule that they break.
        reviews: How many reviews this run opened.
        money: What is at stake, in minor units, by currency and route.
        cost: What the answers cost, in USD.
        seconds: How long the run has been at work, over all of its turns.
        broken: What the contract demands of all rows together, and they do not keep; known after the last row.
    """

    rows: int = 0
    decided: int = 0
    known: int = 0
    rejected: int = 0
    routes: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    components: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    rules: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    reviews: int = 0
    money: dict[str, dict[str, Decimal]] = msgspec.field(default_factory=dict[str, dict[str, Decimal]])
    cost: Decimal = Decimal(0)
    seconds: float = 0.0
    broken: tuple[Violation, ...] = ()

    def add_decision(self, decision: Decision, *, known: bool) -> None:
        """Count a row that has a decision."""
        self.rows += 1
        self.decided += 1
        self.known += known
        route = str(decision.route)
        self.routes[route] = self.routes.get(route, 0) + 1
        self.components[decision.component] = self.components.get(decision.component, 0) + 1
        if decision.currency is not None and decision.exposure_minor is not None:
            money = self.money.setdefault(decision.currency, {})
            money[route] = _WIDE.add(money.get(route, Decimal(0)), Decimal(decision.exposure_minor))
        if not known:
            self.reviews += decision.route is Route.REVIEW
            self.cost = _WIDE.add(self.cost, decision.cost)

    def add_reject(self, rules: Iterable[str]) -> None:
        """Count a row that was refused, under each rule once."""
        self.rows += 1
        self.rejected += 1
        for rule in set(rules):
            self.rules[rule] = self.rules.get(rule, 0) + 1

    @property
    def rate(self) -> float:
        """Decisions a second."""
        return self.decided / self.seconds if self.seconds else 0.0

    def amounts(self) -> dict[str, dict[str, str]]:
        """What is at stake, exact, by currency and route."""
        return {
            currency: {route: _amount(minor, currency) for route, minor in sorted(routes.items())}
            for currency, routes in sorted(self.money.items())
        }

    def document(self) -> dict[str, Any]:
        """The report for programs; amounts are exact texts with their currency."""
        return {
            "rows": self.rows,
            "decided": self.decided,
            "known_before": self.known,
            "rejected": self.rejected,
            "routes": dict(sorted(self.routes.items())),
            "components": dict(sorted(self.components.items())),
            "rejects_by_rule": dict(sorted(self.rules.items())),
            "reviews_opened": self.reviews,
            "money": self.amounts(),
            "cost_usd": format(self.cost, "f"),
            "broken": [msgspec.to_builtins(one) for one in self.broken],
            "seconds": round(self.seconds, 3),
            "decisions_per_s": round(self.rate, 1),
        }


def _amount(minor: Decimal, currency: str) -> str:
    return format(_WIDE.scaleb(minor, -exponent(currency)), "f")
