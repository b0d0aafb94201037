"""What policies may ask of a review or an exception before somebody works on it, decides it or settles it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from interlock.authority.judge import Resource
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review


def task_resource(
    tenant: UUID,
    item: Review | CaseException,
    *,
    handed_in_by: str | None = None,
    written_by: Collection[str] = (),
    decided_by: Collection[str] = (),
    needed: int = 1,
    disagreed: bool = False,
    held_by: str | None = None,
    team: str = "",
    way: str | None = None,
    answers: str | None = None,
    practised_by: Collection[str] | None = None,
) -> Resource:
    """A review or an exception as policies see it.

    Args:
        tenant: Whose it is.
        item: It.
        handed_in_by: Who submitted its case or asked for its decision, if that is known.
        written_by: Who corrected or mended what it rests on, or gave the value of a step that failed.
        decided_by: Who has given a verdict on it already.
        needed: How many people must agree.
        disagreed: Whether two verdicts differ.
        held_by: Who resolved it, while it can be undone.
        team: Whose it is; empty: a review's queue, an exception's owner.
        way: Of an exception, how it is to be resolved.
        answers: Of an answer, what kind of step it stands for.
        practised_by: Who has practised enough to decide it; None: nobody needs to.
    """
    is_review = isinstance(item, Review)
    queue = item.queue if is_review else item.owner
    return Resource(
        kind="Task",
        id=str(item.id),
        tenant=tenant,
        facts={
            "kind": "review" if is_review else "exception",
            "workflow": item.workflow,
            "point": item.point if is_review else item.kind,
            "queue": queue,
            "team": team or queue,
            "exposure": item.exposure_minor,
            "currency": item.currency,
            "handed_in_by": handed_in_by or None,
            "written_by": tuple(written_by) or None,
            "decided_by": tuple(decided_by),
            "needed": needed,
            "disagreed": disagreed,
            "held_by": held_by or None,
            "way": way,
            "answers": answers,
            "practised_by": tuple(practised_by) if practised_by is not None else None,
        },
    )
