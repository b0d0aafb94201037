"""Handing a task on from its page: take, keep, give back, put off, assign, ask, answer, note, undo."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.console.item.read import desk_of
from interlock.console.queue_from import view_of, within
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.errors import Refused
from interlock.oversight.claims import claim, extend, release
from interlock.oversight.desk import Task, find_task
from interlock.oversight.handing import ask_back, assign, escalate_to, reply, say, snooze
from interlock.oversight.resolving import undo
from interlock.oversight.review import Review

_SNOOZES = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1), "7d": timedelta(days=7)}
Words = Annotated[str, Meta(max_length=8000)]
To = Annotated[str, Meta(min_length=1, max_length=200)]


class SnoozeForm(msgspec.Struct, frozen=True, kw_only=True):
    """Until when it is put off."""

    length: Literal["1h", "4h", "1d", "7d", "until"]
    until: Annotated[str, Meta(max_length=40)] = ""
    why: Words = ""


class AssignForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to do it."""

    to: To
    note: Words = ""


class EscalateForm(msgspec.Struct, frozen=True, kw_only=True):
    """To whom it is escalated, and why."""

    to: To
    why: Words


class AskForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked, and what."""

    to: To
    question: Words


class WordsForm(msgspec.Struct, frozen=True, kw_only=True):
    """What is said."""

    text: Words


@post("/console/tasks/{task_id:uuid}/claim", opt=needs("view"))
async def take(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Take it to work on it."""
    return _lease(request, await claim(desk_of(request), request.actor, task_id))


@post("/console/tasks/{task_id:uuid}/extend", opt=needs("view"))
async def keep(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Keep it for longer."""
    return _lease(request, await extend(desk_of(request), request.actor, task_id))


@post("/console/tasks/{task_id:uuid}/release", opt=needs("view"))
async def give_back(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Give it back to the queue."""
    await release(desk_of(request), request.actor, task_id)
    return _to("/console/queue")


@post("/console/tasks/{task_id:uuid}/snooze", opt=needs("view"))
async def put_off(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Put it off."""
    form = await request.read_form(SnoozeForm)
    now = request.node.database.clock.now()
    until = _moment(form.until) if form.length == "until" else now + _SNOOZES[form.length]
    await snooze(desk_of(request), request.actor, task_id, until=until, why=form.why)
    return _to("/console/queue")


@post("/console/tasks/{task_id:uuid}/assign", opt=needs("view"))
async def hand_over(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Give it to somebody."""
    form = await request.read_form(AssignForm)
    task = await assign(desk_of(request), request.actor, task_id, to=form.to.strip(), note=form.note)
    return _to(path_of(task))


@post("/console/tasks/{task_id:uuid}/escalate", opt=needs("view"))
async def escalate(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Give it to a lead or a team, with a reason."""
    form = await request.read_form(EscalateForm)
    task = await escalate_to(desk_of(request), request.actor, task_id, to=form.to.strip(), why=form.why)
    return _to(path_of(task))


@post("/console/tasks/{task_id:uuid}/ask", opt=needs("view"))
async def ask(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Ask whoever handed it in, an owner or a person; it waits for the answer."""
    form = await request.read_form(AskForm)
    desk = desk_of(request)
    task = await find_task(desk, request.tenant, task_id)
    registered = request.node.registry.find(task.workflow)
    owners = (registered.declaration.dossier.owner, registered.declaration.dossier.stand_in) if registered else ()
    asked = await ask_back(desk, request.actor, task_id, to=form.to.strip(), question=form.question, owners=owners)
    return _to(path_of(asked))


@post("/console/tasks/{task_id:uuid}/answer", opt=needs("view"))
async def answer(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Answer what was asked."""
    form = await request.read_form(WordsForm)
    task = await reply(desk_of(request), request.actor, task_id, text=form.text)
    may = request.may("queue.work") or request.may("exception.resolve")
    return _to(path_of(task) if may else "/console/asked")


@post("/console/tasks/{task_id:uuid}/note", opt=needs("view"))
async def note(request: Visit, task_id: FromPath[UUID]) -> Response[bytes]:
    """Leave a note for whoever works on it."""
    form = await request.read_form(WordsForm)
    desk = desk_of(request)
    await say(desk, request.actor, task_id, text=form.text)
    return _to(f"{path_of(await find_task(desk, request.tenant, task_id))}#notes")


@post("/console/reviews/{review_id:uuid}/undo", opt=needs("view"))
async def take_back(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """Take one's verdict back while it is held."""
    await undo(desk_of(request), request.actor, review_id)
    return _to(within(f"/console/reviews/{review_id}", view_of(request.query_params.get("view", ""))[1], word="undone"))


def path_of(task: Task) -> str:
    """Where a task has its page."""
    return f"/console/{'reviews' if isinstance(task, Review) else 'exceptions'}/{task.id}"


def _lease(visit: Visit, task: Task) -> Response[bytes]:
    if visit.wants_part:
        return render(visit, "item_lease.html", task=task, now_mine=True)
    return _to(path_of(task))


def _to(path: str) -> Response[bytes]:
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _moment(text: str) -> datetime:
    """A moment as a field of a form has it, which names no offset: it is UTC.

    Raises:
        Refused: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as cause:
        raise Refused(f"{text[:40]!r} is no moment", where="until", todo="write it as 2026-02-28T09:30") from cause
    return found if found.tzinfo else datetime.fromisoformat(f"{text}+00:00")


ROUTES = (take, keep, give_back, put_off, hand_over, escalate, ask, answer, note, take_back)
