"""Deciding a review from its page: POST /console/reviews/ID/decide. What is refused is shown with what was typed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath

from interlock.cases.changed import changed_exposure, changed_source, check_change
from interlock.cases.verdicts import decide_review
from interlock.console.item.difference import changes
from interlock.console.item.form import read_typed, refilled
from interlock.console.item.news import Before, news
from interlock.console.item.page import Again, render_item
from interlock.console.item.read import Basis, read_basis, read_item
from interlock.console.item.typed import Said, digest_of, read_said, unchosen, wrong_reason
from interlock.console.item.unveil import put_back
from interlock.console.queue_from import view_of, within
from interlock.console.visit import Visit, needs
from interlock.errors import ContractViolated, MoneyInvalid, Refused, ShownChanged, Violation
from interlock.oversight.dwell import READINGS
from interlock.oversight.pulling import find_own, pull_next
from interlock.oversight.resolving import Answer
from interlock.oversight.review import Resolution
from interlock.oversight.work import WorkKind


@post("/console/reviews/{review_id:uuid}/decide", opt=needs("queue.decide"))
async def decide(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """Give one's verdict; then to the next item, or back to this one."""
    said = read_said(await request.fields())
    basis = await read_basis(request, review_id)
    if said.resolution is None:
        wrong = unchosen(len([one for one in Resolution if one.value in basis.question.choices]))
        return await _again(request, review_id, said, wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    proposal, record = basis.question.proposal, basis.contract.record if basis.contract else None
    output: dict[str, Any] | None = None
    wrong = wrong_reason(said, _reasons(basis, said.resolution))
    typed = read_typed(record, said.fields, proposal)
    if said.resolution is Resolution.CHANGE:
        output, more = await _checked(request, basis, typed.output) if not typed.violations else ({}, typed.violations)
        wrong = (*wrong, *more)
        if not wrong and said.confirmed != digest_of(typed.output):
            return await _confirm(request, basis, said, typed.output)
    elif said.resolution is Resolution.APPROVE and said.fields and typed.output != proposal:
        what = "the fields were changed, and approving would leave them as proposed"
        wrong = (*wrong, Violation(where="", what=what, rule="changed", todo="choose Change, or put them back"))
    if wrong:
        return await _again(request, review_id, said, wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        answer = Answer(resolution=said.resolution, reason_code=said.reason_code, output=output, note=said.note)
        read_at = READINGS.first(review_id, request.actor.name)
        node = request.node
        await decide_review(
            node.desk, node.registry, request.actor, review_id, answer, shown=said.shown, read_at=read_at
        )
    except ContractViolated as cause:
        return await _again(request, review_id, said, cause.violations, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as cause:  # somebody was faster, it is not as it was shown, or they may not
        told = f"{cause.what[:1].upper()}{cause.what[1:]}. {cause.todo}".strip()
        return await _again(request, review_id, said, (), told=told, status=cause.status, anew=_is_anew(cause))
    here = f"/console/reviews/{review_id}"
    back = within(here, view_of(said.view)[1], decided=review_id)
    there = await next_place(request, here, review_id, view=said.view) if said.goes_on else back
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": there})


async def next_place(visit: Visit, back: str, decided: UUID | None = None, *, view: str = "") -> str:
    """Where somebody goes on: to the best item that they may decide, to what is theirs already, or back.

    Args:
        visit: Who goes on.
        back: The page of what they have just done.
        decided: The review that they have decided, to be taken back from wherever they come to.
        view: The view of the queue that they work in, as its query: they stay in it.
    """
    desk, actor, (work, query) = visit.node.desk, visit.actor, view_of(view)
    item = await pull_next(desk, actor, work) or await find_own(desk, actor, work)
    if item is None:
        return within(back, query, word="last", decided=decided)
    kind = "reviews" if item.kind is WorkKind.REVIEW else "exceptions"
    return within(f"/console/{kind}/{item.id}", query, decided=decided)


async def _checked(visit: Visit, basis: Basis, output: dict[str, Any]) -> tuple[dict[str, Any], tuple[Violation, ...]]:
    """What was typed, with what stood hidden in clear, and what is wrong with it."""
    registered, reference, review = basis.registered, basis.question.output_contract, basis.review
    proposal = basis.question.proposal
    if registered is None:
        return output, (Violation(where="", what="this process does not carry the workflow", rule="workflow"),)
    whole, hidden = await put_back(registered, visit.tenant, review.proposal, output)
    if hidden:
        return whole, hidden
    wrong = check_change(registered, review.point)(reference, whole) if reference else ()
    if not wrong and proposal is not None and not changes(proposal, output):
        wrong = (Violation(where="", what="nothing is changed", rule="same", todo="choose Approve"),)
    return whole, wrong


async def _confirm(visit: Visit, basis: Basis, said: Said, output: dict[str, Any]) -> Response[bytes]:
    """The page with the proposal held against what was typed, before anything is decided."""
    item = await read_item(visit, basis.review.id)
    form, _ = refilled(item.contract.record if item.contract else None, said.fields, ())
    again = Again(
        said=said,
        form=form,
        changes=changes(item.question.proposal, output),
        confirms=digest_of(output),
        amount=_amount(basis, output),
    )
    return render_item(visit, item, again=again)


def _amount(basis: Basis, output: dict[str, Any]) -> Any:
    """What would be at stake with an output."""
    registered, review = basis.registered, basis.review
    declared = registered.declaration.decisions.get(review.point) if registered else None
    source = changed_source(declared)
    if source is None:
        return review.exposure
    try:
        return changed_exposure(source, output)
    except MoneyInvalid:  # said as a violation of its field
        return None


async def _again(
    visit: Visit,
    review_id: UUID,
    said: Said,
    wrong: tuple[Violation, ...],
    *,
    told: str = "",
    status: int,
    anew: bool = False,
) -> Response[bytes]:
    """The page as it is now, with what was typed, and what is wrong with it, or what changed since it was shown."""
    item = await read_item(visit, review_id)
    before = Before(shown=said.shown, at=said.read_at, exposure=said.at_stake, who=visit.actor.name)
    found = news(before, item.shown, item.review, item.notes, item.timeline) if anew else ()
    form, rest = refilled(item.contract.record if item.contract else None, said.fields, wrong)
    if not said.fields:
        form, rest = item.form, wrong
    return render_item(
        visit, item, again=Again(said=said, form=form, violations=rest, told=told, news=found), status=status
    )


def _is_anew(cause: Refused) -> bool:
    return isinstance(cause, ShownChanged)


def _reasons(basis: Basis, resolution: Resolution) -> tuple[str, ...]:
    return tuple(basis.reasons.get(resolution.value, ())) if resolution.value in basis.question.choices else ()


ROUTES = (decide,)
