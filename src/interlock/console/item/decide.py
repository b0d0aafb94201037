"""Deciding a review from its page: POST /console/reviews/ID/decide. What is refused is shown with what was typed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from interlock.cases.changed import changed_exposure, changed_source, check_change
from interlock.cases.personal import vault_of
from interlock.cases.verdicts import decide_review
from interlock.console.item.difference import changes
from interlock.console.item.form import read_typed, refilled
from interlock.console.item.page import Again, render_item
from interlock.console.item.read import Item, read_item
from interlock.console.item.typed import Said, digest_of, read_said, still_hidden, unhidden, wrong_reason
from interlock.console.visit import Visit, needs
from interlock.errors import ContractViolated, MoneyInvalid, Refused, Violation
from interlock.oversight.dwell import READINGS
from interlock.oversight.pulling import find_own, pull_next
from interlock.oversight.resolving import Answer
from interlock.oversight.review import Resolution
from interlock.oversight.work import WorkKind
from interlock.oversight.work_filter import WorkFilter
from interlock.privacy.token import MARKER_BYTES
from interlock.privacy.veil import Veil


@post("/console/reviews/{review_id:uuid}/decide", opt=needs("queue.decide"))
async def decide(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """Give one's verdict; then to the next item, or back to this one."""
    said = read_said(await request.fields())
    item = await read_item(request, review_id)
    output: dict[str, Any] | None = None
    wrong = wrong_reason(said, _reasons(item, said.resolution))
    typed = read_typed(item.contract.record if item.contract else None, said.fields, item.question.proposal)
    if said.resolution is Resolution.CHANGE:
        output, more = await _checked(request, item, typed.output) if not typed.violations else ({}, typed.violations)
        wrong = (*wrong, *more)
        if not wrong and said.confirmed != digest_of(typed.output):
            return _confirm(request, item, said, typed.output)
    elif said.resolution is Resolution.APPROVE and said.fields and typed.output != item.question.proposal:
        what = "the fields were changed, and approving would leave them as proposed"
        wrong = (*wrong, Violation(where="", what=what, rule="changed", todo="choose Change, or put them back"))
    if wrong:
        return _again(request, item, said, wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        answer = Answer(resolution=said.resolution, reason_code=said.reason_code, output=output, note=said.note)
        read_at = READINGS.first(review_id, request.actor.name)
        node = request.node
        await decide_review(
            node.desk, node.registry, request.actor, review_id, answer, shown=said.shown, read_at=read_at
        )
    except ContractViolated as cause:
        return _again(request, item, said, cause.violations, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as cause:  # somebody was faster, it is not as it was shown, or they may not
        now = await read_item(request, review_id)
        told = f"{cause.what[:1].upper()}{cause.what[1:]}. {cause.todo}".strip()
        return _again(request, now, said, (), told=told, status=cause.status)
    back = f"/console/reviews/{review_id}?decided={review_id}"
    there = await _next(request, review_id) if said.goes_on else back
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": there})


async def _next(visit: Visit, decided: UUID) -> str:
    """Where somebody goes on: to the best item that they may decide, to what is theirs already, or back."""
    desk, actor = visit.node.desk, visit.actor
    item = await pull_next(desk, actor, WorkFilter()) or await find_own(desk, actor, WorkFilter())
    if item is None:
        return f"/console/reviews/{decided}?word=last&decided={decided}"
    kind = "reviews" if item.kind is WorkKind.REVIEW else "exceptions"
    return f"/console/{kind}/{item.id}?decided={decided}"


async def _checked(visit: Visit, item: Item, output: dict[str, Any]) -> tuple[dict[str, Any], tuple[Violation, ...]]:
    """What was typed, with what stood hidden in clear, and what is wrong with it."""
    registered, reference = item.registered, item.question.output_contract
    if registered is None:
        return output, (Violation(where="", what="this process does not carry the workflow", rule="workflow"),)
    stored: Any = msgspec.json.decode(item.review.proposal) if item.review.proposal is not None else {}
    hides = MARKER_BYTES in (item.review.proposal or b"")
    whole, has_tokens = unhidden(output, stored) if hides else (output, False)
    if has_tokens:  # nobody sees them: they are kept as they were, and veiled again when the output is stored
        whole = await vault_of(registered).open(visit.tenant, whole, None, Veil())
    if still_hidden(whole):
        what = "(personal) stands where none was, or in a list whose rows moved, so that it is not known whose it is"
        todo = "leave rows with personal data in their places, or write the value itself"
        return whole, (Violation(where="", what=what, rule="hidden", todo=todo),)
    wrong = check_change(registered, item.review.point)(reference, whole) if reference else ()
    if not wrong and item.question.proposal is not None and not changes(item.question.proposal, output):
        wrong = (Violation(where="", what="nothing is changed", rule="same", todo="choose Approve"),)
    return whole, wrong


def _confirm(visit: Visit, item: Item, said: Said, output: dict[str, Any]) -> Response[bytes]:
    """The page with the proposal held against what was typed, before anything is decided."""
    form, _ = refilled(item.contract.record if item.contract else None, said.fields, ())
    again = Again(
        said=said,
        form=form,
        changes=changes(item.question.proposal, output),
        confirms=digest_of(output),
        amount=_amount(item, output),
    )
    return render_item(visit, item, again=again)


def _amount(item: Item, output: dict[str, Any]) -> Any:
    """What would be at stake with an output."""
    declared = item.registered.declaration.decisions.get(item.review.point) if item.registered else None
    source = changed_source(declared)
    if source is None:
        return item.review.exposure
    try:
        return changed_exposure(source, output)
    except MoneyInvalid:  # said as a violation of its field
        return None


def _again(
    visit: Visit, item: Item, said: Said, wrong: tuple[Violation, ...], *, told: str = "", status: int
) -> Response[bytes]:
    """The page with what was typed, and what is wrong with it."""
    form, rest = refilled(item.contract.record if item.contract else None, said.fields, wrong)
    if not said.fields:
        form, rest = item.form, wrong
    return render_item(visit, item, again=Again(said=said, form=form, violations=rest, told=told), status=status)


def _reasons(item: Item, resolution: Resolution) -> tuple[str, ...]:
    return next((one.reasons for one in item.choices if one.resolution is resolution), ())


ROUTES = (decide,)
