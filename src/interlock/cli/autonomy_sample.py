"""How the audit sample of a point stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from interlock.authority.judge import everything
from interlock.autonomy.audit.read import Drawn, DrawState, Sample, sample_of
from interlock.autonomy.figures.figures import SampleCounts
from interlock.autonomy.figures.groups import counts_of
from interlock.autonomy.issuing.promise import percent_of
from interlock.cases.in_line import find_point
from interlock.cli.options import As, Json, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.errors import Refused
from interlock.money import Money
from interlock.node import Node

Days = Annotated[int, typer.Option("--days", min=1, max=3660, help="Of decisions of so many days.")]
Point = Annotated[str, typer.Argument(help="The decision point: workflow.point.")]


def sample(context: typer.Context, point: Point, *, days: Days = 30, who: As = "", as_json: Json = False) -> None:
    """Show how the audit sample of a point stands: what was drawn of what went by itself, and what people said."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> tuple[Sample, str]:
        node.authority.require(operator(node, name), "quality.see", everything(node.tenant))
        named = find_point(node.registry, point)
        terms = named.point.autonomy
        if terms is None or terms.audit is None:
            todo = "its file would say autonomy with audit: {share: 0.02}"
            raise Refused(f"{point} declares no audit sample", where="POINT", todo=todo)
        until = node.database.clock.now()
        found = await sample_of(
            node.database, node.tenant, named.registered.workflow.name, named.point.name, terms,
            since=until - timedelta(days=days), until=until,
        )  # fmt: skip
        return found, terms.currency

    found, currency = with_node(context, read, workflows=True)
    if as_json:
        screen.document(told_of(found, currency))
        return
    told = counts_of(found)
    counts = [(state.value, found.count(state)) for state in DrawState]
    screen.facts(
        [
            ("since", found.begun),
            ("drawn to", found.drawn_to),
            ("went by itself", found.looked_at),
            ("drawn", len(found.drawn)),
            *counts,
            ("wrong of all", _wrong(told)),
        ]
    )
    screen.table(
        ("decision", "probability", "at stake", "lost if wrong", "answered", "right"),
        (_row(one, currency) for one in answered(found)),
        none="Nothing that was drawn is answered yet.",
    )


def answered(found: Sample) -> list[Drawn]:
    """What is shown one by one, the newest first. Which decision is drawn is told only once it is answered."""
    return [one for one in reversed(found.drawn) if one.is_right is not None]


def told_of(found: Sample, currency: str) -> dict[str, Any]:
    """The sample as a JSON document."""
    counts = counts_of(found)
    return {
        "since": found.begun,
        "drawn_to": found.drawn_to,
        "looked_at": found.looked_at,
        "drawn": len(found.drawn),
        "states": {state.value: found.count(state) for state in DrawState},
        "wrong_share": counts.wrong_share,
        "effective": counts.effective,
        "answered": [
            {
                "decision": one.decision,
                "propensity": str(float(one.propensity)),
                "right": one.is_right,
                "exposure": str(one.exposure) if one.exposure else None,
                "loss": str(Money.of_minor(one.loss, currency)),
                "decided_at": one.decided_at,
                "answered_at": one.answered_at,
                "review": one.review,
            }
            for one in answered(found)
        ],
    }


def _wrong(told: SampleCounts) -> str:
    """Which share of all that went by itself was wrong, each answer weighted by 1 over its probability."""
    share = told.wrong_share
    if share is None:
        return ""
    return f"{percent_of(share.share)} ({percent_of(share.low)} to {percent_of(share.high)})"


def _row(one: Drawn, currency: str) -> tuple[object, ...]:
    loss = Money.of_minor(one.loss, currency)
    share = f"{float(one.propensity):.6g}"
    return (one.decision, share, one.exposure, loss, one.answered_at, "yes" if one.is_right else "no")
