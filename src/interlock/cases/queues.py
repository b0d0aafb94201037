"""What workflows' files say of queues, by name, for those who look after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from interlock.cases.declaration import Declaration
from interlock.decisions.point import DecisionPoint
from interlock.oversight.capacity.told import QueueTold


def queues_told(declarations: Iterable[Declaration]) -> Mapping[str, QueueTold]:
    """Every queue of these files. Where two files say different things of one, the stricter holds.

    Args:
        declarations: The workflows' files.
    """
    found: dict[str, QueueTold] = {}
    for declaration in declarations:
        for point in declaration.decisions.values():
            terms, known = point.queue, found.get(point.queue.name)
            told = QueueTold(
                name=terms.name,
                capacity=min(terms.capacity, known.capacity) if known else terms.capacity,
                due=min(terms.due, known.due) if known else terms.due,
                when_full=known.when_full if known and known.when_full == "hold" else terms.full.said,
                before=max((one for one in (known and known.before, terms.full.before) if one), default=None),
                second_looks=str(max(terms.second_looks, Fraction(known.second_looks) if known else Fraction(0))),
                workflows=tuple(dict.fromkeys((*(known.workflows if known else ()), declaration.workflow))),
            )
            found[terms.name] = told
    return found


def sharing(declaration: Declaration, queue: str) -> tuple[DecisionPoint, ...]:
    """The decision points of a file that share a queue: what they declare holds for questions of its code, too."""
    return tuple(point for point in declaration.decisions.values() if point.queue.name == queue)
