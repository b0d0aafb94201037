"""The practice queue: known items in the page of a review, of which nothing follows, with the answer told at once."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.cases.practice_asked import practice_demanded, practice_demands
from interlock.console.item.difference import Change, changes
from interlock.console.item.form import read_typed, refilled
from interlock.console.item.history import History
from interlock.console.item.page import Again
from interlock.console.item.read import Item, read_item
from interlock.console.item.tree import Tree, tree_of
from interlock.console.item.typed import Said, read_said, unchosen, wrong_reason
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.decisions.store import canonical
from interlock.errors import NotFound, Refused, Violation
from interlock.oversight.note import LONGEST_NOTE
from interlock.oversight.practice.giving import LONGEST_NAME, declare_lesson, give, take, withdraw_lesson
from interlock.oversight.practice.practise import Given, answer, begin, find_attempt
from interlock.oversight.practice.read import read_everybody, read_standing
from interlock.oversight.practice.store import Attempt, Truth
from interlock.oversight.review import Resolution
from interlock.privacy.token import hide

PATH = "/console/practice"
At = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=LONGEST_NOTE)]
Person = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]


class BeginForm(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody practises."""

    at: At


class LessonForm(msgspec.Struct, frozen=True, kw_only=True):
    """A decided review that is practised on."""

    review: UUID
    explanation: Words


class RightForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who may decide where, or may no more, and why."""

    person: Person
    at: At
    why: Words


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an item once it is answered.

    Attributes:
        attempt: What was said.
        truth: What is right.
        apart: Where what was said differs from what is right, field by field: said, right.
        right: Of a change, what is right.
    """

    attempt: Attempt
    truth: Truth
    apart: tuple[Change, ...]
    right: Tree | None


@get(PATH, opt=needs("view"))
async def show_practice(request: Visit) -> Response[bytes]:
    """How one stands oneself; for leads who may decide where, and what is practised on."""
    node, leads = request.node, request.may("queue.lead")
    demanded = practice_demanded(node.registry)
    mine = await read_standing(node.database, request.tenant, request.actor.name, demanded)
    everybody = await read_everybody(node.database, request.tenant) if leads else None
    asked = [f"{workflow}.{point}" for workflow, point in sorted(demanded)]
    return render(
        request, "practice.html", mine=mine, everybody=everybody, asked=asked, may=request.may("queue.decide")
    )


@post(f"{PATH}/begin", opt=needs("queue.decide"))
async def begin_item(request: Visit) -> Response[bytes]:
    """The next item at a point; back to the list if nothing is known there."""
    form = await request.read_form(BeginForm)
    workflow, point = _point(form.at)
    found = await begin(request.node.desk, request.actor, workflow, point)
    return _to(f"{PATH}/{found.id}" if found else PATH)


@get(f"{PATH}/{{attempt_id:uuid}}", opt=needs("queue.decide"))
async def show_item(request: Visit, attempt_id: FromPath[UUID]) -> Response[bytes]:
    """One item, to be answered, or with what is right."""
    attempt, truth = await find_attempt(request.node.desk, request.actor, attempt_id)
    return _render(request, await _item(request, attempt), attempt, told=_told(attempt, truth))


@post(f"{PATH}/{{attempt_id:uuid}}", opt=needs("queue.decide"))
async def answer_item(request: Visit, attempt_id: FromPath[UUID]) -> Response[bytes]:
    """Answer it; what is right is told at once."""
    said, node = read_said(await request.fields()), request.node
    attempt, truth = await find_attempt(node.desk, request.actor, attempt_id)
    item = await _item(request, attempt)
    if said.resolution is None:
        return _again(request, item, attempt, said, unchosen(len(item.choices)))
    reasons = next((one.reasons for one in item.choices if one.resolution is said.resolution), ())
    typed = read_typed(item.contract.record if item.contract else None, said.fields, item.question.proposal)
    wrong = wrong_reason(said, reasons)
    if said.resolution is Resolution.CHANGE:
        wrong = (*wrong, *typed.violations)
    if wrong:
        return _again(request, item, attempt, said, wrong)
    output = canonical.encode(typed.output) if said.resolution is Resolution.CHANGE else None
    given = Given(resolution=said.resolution, reason_code=said.reason_code, output=output)
    asked = practice_demands(node.registry)(attempt.workflow, attempt.point, item.review.queue) or {}
    right = hide(truth.output) if truth.output is not None else None
    await answer(node.desk, request.actor, attempt_id, given, right, asked.get(attempt.point))
    return _to(f"{PATH}/{attempt_id}")


@post(f"{PATH}/lessons", opt=needs("queue.lead"))
async def add_lesson(request: Visit) -> Response[bytes]:
    """Declare a decided review as one to practise on."""
    form = await request.read_form(LessonForm)
    await declare_lesson(request.node.desk, request.actor, form.review, form.explanation)
    return _to(f"{PATH}#lessons")


@post(f"{PATH}/lessons/{{review_id:uuid}}/withdraw", opt=needs("queue.lead"))
async def end_lesson(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """Practise on it no more."""
    await withdraw_lesson(request.node.desk, request.actor, review_id)
    return _to(f"{PATH}#lessons")


@post(f"{PATH}/give", opt=needs("queue.lead"))
async def give_right(request: Visit) -> Response[bytes]:
    """Let somebody decide without practice."""
    form = await request.read_form(RightForm)
    workflow, point = _point(form.at)
    asked = practice_demands(request.node.registry)(workflow, point, "") or {}
    await give(request.node.desk, request.actor, form.person, workflow, asked, form.why)
    return _to(f"{PATH}#qualified")


@post(f"{PATH}/take", opt=needs("queue.lead"))
async def take_right(request: Visit) -> Response[bytes]:
    """Take the right to decide from somebody."""
    form = await request.read_form(RightForm)
    workflow, point = _point(form.at)
    await take(request.node.desk, request.actor, form.person, workflow, point, form.why)
    return _to(f"{PATH}#qualified")


async def _item(visit: Visit, attempt: Attempt) -> Item:
    """What is practised on as the page of a review shows it, without all that says how it was decided."""
    try:
        item = await read_item(visit, attempt.review)
    except NotFound as cause:
        raise NotFound("what was practised on is no more", todo=f"begin another at {PATH}") from cause
    nothing = History(same=(), alike=(), searchable=False)
    choices = tuple(msgspec.structs.replace(one, then=(), refused="") for one in item.choices)
    return replace(
        item, key="", handed_in_by="", history=nothing, timeline=(), notes=(), settle=(), shown="", choices=choices
    )


def _told(attempt: Attempt, truth: Truth) -> Told | None:
    """What is told of it; nothing before it is answered."""
    if attempt.answered_at is None:
        return None
    said = msgspec.json.decode(attempt.output, type=dict[str, Any]) if attempt.output is not None else None
    right = msgspec.json.decode(hide(truth.output), type=dict[str, Any]) if truth.output is not None else None
    apart = changes(said, right) if said is not None and right is not None else ()
    return Told(attempt=attempt, truth=truth, apart=apart, right=tree_of(right) if right is not None else None)


def _again(visit: Visit, item: Item, attempt: Attempt, said: Said, wrong: tuple[Violation, ...]) -> Response[bytes]:
    form, rest = refilled(item.contract.record if item.contract else None, said.fields, wrong)
    if not said.fields:
        form, rest = item.form, wrong
    again = Again(said=said, form=form, violations=rest)
    return _render(visit, item, attempt, again=again, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _render(
    visit: Visit, item: Item, attempt: Attempt, *, told: Told | None = None, again: Again | None = None,
    status: int = 200,
) -> Response[bytes]:  # fmt: skip
    form = again.form if again else item.form
    return render(
        visit, "practice_item.html", status=status, item=item, attempt=attempt, told=told, again=again, form=form
    )


def _point(at: str) -> tuple[str, str]:
    """The workflow and the point that a form names.

    Raises:
        Refused: it names none.
    """
    workflow, dot, point = at.strip().partition(".")
    if not (workflow and dot and point):
        raise Refused(f"{at[:60]!r} is no decision point", where="/at", todo="write workflow.point")
    return workflow, point


def _to(path: str) -> Response[bytes]:
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


ROUTES = (
    show_practice, begin_item, show_item, answer_item, add_lesson, end_lesson, give_right, take_right,
)  # fmt: skip
