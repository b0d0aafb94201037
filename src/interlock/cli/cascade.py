"""Cascades: find the thresholds that keep a promise for the least money."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from interlock.authority.judge import everything
from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.spared import Spared, spared_by, told
from interlock.cases.certified_places import find_place
from interlock.cases.stoppable import read_declarations
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, operator, with_node
from interlock.decisions.evaluations import read_evaluations
from interlock.decisions.point import DecisionPoint
from interlock.decisions.purse import billionths
from interlock.decisions.tune import tune
from interlock.decisions.tuned import TunedReport, half_of, report_of, snippet_of
from interlock.errors import NotFound, Refused
from interlock.node import Node
from interlock.spelling import meant

_LONGEST_LINE = 100_000
_SHARE = re.compile(r"0(\.[0-9]{1,6})?\Z|1\Z")
_USD = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) USD\Z")

app = commands()
group = commands("cascade", "Cascades of components: tune their thresholds, and see what they save and lose.")
app.add_typer(group)


@group.callback()
def cascade() -> None:
    """Cascades of components: tune their thresholds, and see what they save and lose."""


@group.command(name="tune")
def tune_point(
    context: typer.Context,
    point: Annotated[str, typer.Argument(metavar="POINT", help="The decision point: WORKFLOW.POINT.")],
    *,
    evaluations: Annotated[Path, typer.Option(help="JSON lines: how each component did on each example.")],
    error: Annotated[str, typer.Option(help="The share that may be wrong of what no person decides.")] = "0.01",
    person: Annotated[str, typer.Option(help="What a person costs for one decision.")] = "1.00 USD",
    surely: Annotated[
        bool, typer.Option("--surely", help="Hold the upper end of the 95 % interval to the share, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the thresholds at which a cascade is wrong in at most a share of cases, for the least money.

    Nothing is written: what is printed is for a person to look at, and to put into the workflow's file.
    """
    screen = Screen(as_json=as_json)
    allowed, each = _share(error), _usd(person)
    declared, wrong = _point(context, point)
    for one in wrong:
        screen.note(f"warning: {one}")
    components = _components(declared)
    with _opened(evaluations) as file:
        found = read_evaluations(_lines(file, evaluations), components, str(evaluations))
    best = tune(found, error=allowed, person=each, surely=surely)
    checked = half_of(found, error=allowed, person=each, surely=surely)
    report = report_of(point, components, found, best, each, checked)
    if as_json:
        screen.document(report)
    _show(screen, report, snippet_of(components, best))


@group.command(name="saved")
def saved_by_point(
    context: typer.Context,
    point: Annotated[str, typer.Argument(metavar="POINT", help="The decision point: WORKFLOW.POINT.")],
    *,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Show what a certified cascade saves, and loses in quality, against asking its last component of every decision.

    Of decisions whose outcomes are due, by those that were drawn to compare: see `compare` in the workflow's file.
    """
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> tuple[Place, Spared | None]:
        node.authority.require(operator(node, name), "autonomy.see", everything(node.tenant))
        it = find_place(node.registry, node.tenant, point)
        return it, spared_by(await gather(node.database, it, node.database.clock.now()))

    it, found = with_node(context, read, workflows=True)
    if as_json:
        screen.document({"point": point, "spared": found})
    if found is None:
        raise Refused(
            "nothing was compared of decisions whose outcomes are due",
            where="POINT",
            todo="declare compare: at a step, as in {use: onnx:small@1, compare: 0.01}, and wait for outcomes",
        )
    screen.facts(told(found, it.terms.currency))


def _show(screen: Screen, report: TunedReport, snippet: str) -> None:
    screen.table(
        ("component", "sure from", "asked", "answers", "wrong", "cost"),
        ((one.component, one.sure_from, one.asked, one.answered, one.wrong, one.cost) for one in report.steps),
        none="The point has no component.",
    )
    screen.facts((("examples", report.examples), ("to a person", f"{report.person}, {report.person_cost}"),
                  ("cost", f"{report.cost} in all, {report.cost_per_decision} a decision"),
                  ("wrong without a person", report.error), ("the dearest alone", report.alone),
                  ("saving", report.saving), ("loss in quality", report.loss),
                  ("on the half not used to choose", report.checked)))  # fmt: skip
    for one in report.notes:
        screen.line(one)
    screen.lines(("", snippet.rstrip()))


def _point(context: typer.Context, name: str) -> tuple[DecisionPoint, list[str]]:
    declarations, wrong = read_declarations(load_settings(context).workflows)
    known = {f"{one.workflow}.{point.name}": point for one in declarations for point in one.decisions.values()}
    if name not in known:
        raise NotFound(f"there is no decision point {name[:80]!r} here", where="POINT", todo=meant(name, known))
    return known[name], wrong


def _components(point: DecisionPoint) -> list[str]:
    steps = [step for step in point.steps if not step.is_person]
    if any(len(step.shares) > 1 for step in steps):
        raise Refused(
            f"{point.name} splits its keys over several components at one step",
            where="POINT",
            todo="tune it with one component a step",
        )
    return [str(step.shares[0].component) for step in steps]


def _share(text: str) -> Fraction:
    if not _SHARE.match(text):
        raise Refused(f"{text[:60]!r} is no share", where="--error", todo="write a number from 0 to 1, as in 0.01")
    return Fraction(text)


def _usd(text: str) -> int:
    found = _USD.match(text)
    if found is None:
        raise Refused(f"{text[:60]!r} is no cost", where="--person", todo='write it in USD, as in "1.50 USD"')
    return billionths(Decimal(found[1]))


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as cause:
        raise NotFound(f"{path} cannot be read: {cause.strerror or cause}", where="--evaluations") from cause


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The lines, none of them longer than an example can be."""
    number = 1
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise Refused(f"the line is longer than {_LONGEST_LINE} bytes", where=f"{path}:{number}")
        yield line
        number += 1
