"""What whoever runs the system needs: what happened, why it is here, what would have changed it, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.cases.explain import Passage, unread, when, where_it_is
from interlock.cases.explanation.material import Material, Told
from interlock.cases.explanation.saying import counterfactual_line, hidden
from interlock.cases.store import CaseState
from interlock.decisions.decision import Route
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review, ReviewState

MOST_LINES = 3
"""Of what would have changed it."""
_WENT = {
    Route.AUTOMATIC: "It went by itself",
    Route.REVIEW: "It was sent to a person",
    Route.REJECT: "It was refused",
}


def for_operator(material: Material) -> tuple[Passage, ...]:
    """The explanation, short; the newest decision last."""
    passages = [
        Passage(
            at=told.decision.decided_at,
            title=f"{told.decision.workflow}.{told.decision.point} ({told.decision.id})",
            lines=tuple(map(hidden, _decision(told))),
        )
        for told in material.in_focus
    ]
    record = material.record
    if record is not None:
        last = where_it_is(record)
        held = [f"Held: {hidden(str(one))}" for quarantined in record.quarantines for one in quarantined.broken[:3]]
        passages.append(Passage(at=last.at, title=last.title, lines=tuple(map(hidden, (*last.lines, *held)))))
    at = passages[-1].at
    return (*passages, Passage(at=at, title="What to do next", lines=tuple(_next(material)) or ("Nothing.",)))


def _decision(told: Told) -> Iterator[str]:
    decision = told.decision
    if told.unreadable:
        yield f"{unread(told.unreadable)} `interlock explain {decision.id}` compares it with the ledger."
        return
    at_stake = f", with {decision.exposure} at stake" if decision.exposure is not None else ""
    yield f"{_WENT[decision.route]}{at_stake}: {'; '.join(reason.what for reason in decision.why)}."
    if told.review is not None:
        yield _review(told.review)
    for action in told.actions:
        amount = f"{action.exposure} " if action.exposure is not None else ""
        yield f"Its action {action.name} ({amount}through {action.connector}) is {action.state}."
    yield from told.outcomes[:1]
    found = told.counterfactuals.found
    for one in found[:MOST_LINES]:
        yield counterfactual_line(one, decision.answer, decision.route)
    if not found and told.counterfactuals.not_computed:
        yield f"What would have changed it is not computed: {told.counterfactuals.not_computed[0]}"


def _review(review: Review) -> str:
    match review.state:
        case ReviewState.RESOLVED if review.resolved_at:
            return f"{review.resolved_by} decided {review.resolution} at {when(review.resolved_at)}."
        case ReviewState.CLAIMED:
            return f"{review.claimed_by} works on it, in the queue {review.queue}."
        case ReviewState.WITHDRAWN:
            return "Its review was withdrawn: nobody needs the answer any more."
        case _:
            due = f", due at {when(review.due_at)}" if review.due_at else ""
            return f"It waits in the queue {review.queue} since {when(review.created_at)}{due}."


def _next(material: Material) -> Iterator[str]:
    record = material.record
    reviews = record.reviews if record is not None else [one.review for one in material.told if one.review]
    for review in reviews:
        if review.state in (ReviewState.OPEN, ReviewState.CLAIMED):
            show = f"`interlock review {review.id}` shows it, `interlock resolve {review.id}` decides it"
            yield f"Decide the review: {show}."
    if record is None:
        return
    for exception in record.exceptions:
        if exception.resolved_at is None:
            yield _exception(exception)
    if record.case.state is CaseState.QUARANTINED:
        for held in record.quarantines:
            if held.resolved_at is None:
                yield f"Mend the data: `interlock quarantine show {held.id}` says what they broke."
    if not record.carried:
        yield "Start a worker that carries the case's code: no living one does; `interlock doctor` says more."


def _exception(exception: CaseException) -> str:
    show = f"`interlock exception {exception.id}` shows it, `interlock resolve-exception {exception.id}` resolves it"
    return f"Resolve the exception, which is {exception.owner or 'nobody'}'s: {show}."
