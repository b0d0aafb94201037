"""A workflow drawn: its steps from left to right, the people they may go to beneath, live counts on each. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import msgspec

from interlock.cases.declaration import Declaration
from interlock.console.workflow_code import CodeStep

WIDTH, HEIGHT, GAP, TOP = 168, 76, 44, 16
BESIDE = 150
"""How far beneath a point the people stand that it may go to."""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One node.

    Attributes:
        id: Tells it from the others: ``decide:approve``.
        kind: case, decide, act, review, ask, event, wait or people.
        title: Its name.
        lines: What is said beneath.
        x: Where its left edge is.
        y: Where its upper edge is.
        to: Where it leads; empty: nowhere.
        alarm: Whether something there failed or is in doubt.
    """

    id: str
    kind: str
    title: str
    lines: tuple[str, ...]
    x: int
    y: int
    to: str = ""
    alarm: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An edge, as the path of a drawing, with a word beside it."""

    path: str
    word: str = ""
    x: int = 0
    y: int = 0


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A graph, ready to be drawn."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at one node now: how many wait, were done in 24 hours, are under way, failed or are in doubt."""

    waiting: str = ""
    done: str = ""
    under_way: int = 0
    failed: int = 0
    doubtful: int = 0


_NONE = Counts()


def ordered(declaration: Declaration, steps: tuple[CodeStep, ...]) -> tuple[CodeStep, ...]:
    """The steps of the code that the file knows, and behind them what only the file names, in its order."""
    undone = {terms.undo for terms in declaration.actions.values() if terms.undo}
    known = tuple(
        one
        for one in steps
        if (one.kind != "decide" or one.name in declaration.decisions)
        and (one.kind != "act" or one.name in declaration.actions)
    )
    named = {(one.kind, one.name) for one in known}
    points = (CodeStep(kind="decide", name=name) for name in declaration.decisions if ("decide", name) not in named)
    actions = (
        CodeStep(kind="act", name=name, rests_on=terms.rests_on)
        for name, terms in declaration.actions.items()
        if ("act", name) not in named and name not in undone
    )
    if not known:
        return (*points, *actions)
    return (*known, *points, *actions)


def draw(declaration: Declaration, steps: tuple[CodeStep, ...], counts: Mapping[str, Counts]) -> Drawing:
    """The graph of a workflow.

    Args:
        declaration: Its file.
        steps: Its steps in order.
        counts: What stands at each node, by its id.
    """
    boxes = list(_boxes(declaration, steps, counts))
    main = [box for box in boxes if box.kind != "people"]
    lines = [_ahead(before, after) for before, after in itertools.pairwise(main)]
    for box in boxes:
        if box.kind == "people":
            point = next(one for one in main if one.id == box.id.replace("people:", "decide:", 1))
            lines += _aside(point, box)
    people = any(box.kind == "people" for box in boxes)
    return Drawing(
        boxes=tuple(boxes),
        lines=tuple(lines),
        width=len(main) * (WIDTH + GAP) - GAP + 2 * TOP,
        height=TOP * 2 + HEIGHT + (BESIDE if people else 0),
    )


def _boxes(declaration: Declaration, steps: tuple[CodeStep, ...], counts: Mapping[str, Counts]) -> Iterator[Box]:
    flow = declaration.workflow
    yield Box(id="case", kind="case", title="case comes in", lines=(declaration.contract,), x=TOP, y=TOP,
              to=f"/console/cases?workflow={flow}")  # fmt: skip
    for number, step in enumerate(steps, 1):
        x = TOP + number * (WIDTH + GAP)
        place = f"{step.kind}:{step.name}"
        seen = counts.get(place, _NONE)
        match step.kind:
            case "decide":
                point = declaration.decisions[step.name]
                yield Box(id=place, kind="decide", title=step.name, lines=_said(seen), x=x, y=TOP,
                          to=f"/console/decisions?point={flow}.{step.name}", alarm=seen.failed > 0)  # fmt: skip
                if point.ends_in_person or point.review:
                    queue, waiting = point.queue.name, f"{seen.waiting or 0} waiting"
                    yield Box(id=f"people:{step.name}", kind="people", title=queue, lines=(waiting,), x=x,
                              y=TOP + BESIDE, to=f"/console/queue?queue={queue}")  # fmt: skip
            case "act":
                terms = declaration.actions[step.name]
                yield Box(id=place, kind="act", title=step.name, lines=(*_said(seen), f"via {terms.connector}"), x=x,
                          y=TOP, to="/console/actions?show=newest", alarm=seen.failed + seen.doubtful > 0)  # fmt: skip
            case _:
                yield Box(id=place, kind=step.kind, title=step.name, lines=_said(seen), x=x, y=TOP)


def _said(counts: Counts) -> tuple[str, ...]:
    told = [f"{counts.done} in 24 h"] if counts.done else []
    bad = [f"{counts.failed} failed"] if counts.failed else []
    bad += [f"{counts.doubtful} in doubt"] if counts.doubtful else []
    bad += [f"{counts.under_way} under way"] if counts.under_way else []
    return (*told, ", ".join(bad)) if bad else tuple(told)


def _ahead(before: Box, after: Box) -> Line:
    y = before.y + HEIGHT // 2
    return Line(path=f"M{before.x + WIDTH} {y} H{after.x - 6}")


def _aside(point: Box, people: Box) -> tuple[Line, Line]:
    """Down to people, and back with their word."""
    down, up = point.x + WIDTH // 3, point.x + 2 * WIDTH // 3
    below = point.y + HEIGHT
    return (
        Line(path=f"M{down} {below} V{people.y - 6}", word="review", x=down - 6, y=(below + people.y) // 2 + 4),
        Line(path=f"M{up} {people.y} V{below + 6}"),
    )
