"""The pages of exceptions: GET /console/exceptions, of one cause, of one; and resolving them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.reading import read_query
from interlock.cases.resolve import LARGEST_GROUP, Member, resolve_exception, resolve_group
from interlock.cases.ways import TAKES_VALUE, Way
from interlock.console.asking import asked_of
from interlock.console.item.decide import next_place
from interlock.console.item.form import PREFIX, read_json_text
from interlock.console.item.read import desk_of
from interlock.console.item.tree import tree_of
from interlock.console.item.undo import Undoable, undoable
from interlock.console.queue_from import view_of
from interlock.console.render import render
from interlock.console.trouble.about import corrected, read_about, retyped
from interlock.console.trouble.read import (
    MOST_TRIED,
    find_exception,
    read_groups,
    read_members,
    read_scene,
    read_scenes,
    read_trends,
)
from interlock.console.trouble.scene import (
    captured,
    does,
    done_so_far,
    possible,
    refusal,
    stopped_at,
    tally,
    title_of,
    under_way,
)
from interlock.console.visit import Visit, needs
from interlock.errors import ContractViolated, NotFound, Refused, StateConflict, Violation
from interlock.money import Money
from interlock.oversight.desk import judge
from interlock.oversight.exception import CaseException, ExceptionState
from interlock.oversight.handing import notes_of
from interlock.privacy.token import hide_in


class ResolveForm(msgspec.Struct, frozen=True, kw_only=True):
    """How an exception, or all of one cause, are resolved."""

    way: Way
    why: Annotated[str, Meta(max_length=4000)] = ""
    value: Annotated[str, Meta(max_length=200_000)] = ""
    confirmed: Annotated[str, Meta(max_length=40)] = ""
    newest: UUID | None = None
    then: Annotated[str, Meta(max_length=10)] = ""
    view: str = ""


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown beside an exception.

    Attributes:
        decided: A review that was decided just now: how to undo that is shown.
        word: What was done, to be told once.
        view: The view of the queue that they work in, as its query.
    """

    decided: UUID | None = None
    word: Annotated[str, Meta(max_length=40)] = ""
    view: str = ""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What a way would do to a group, before it is done.

    Attributes:
        way: Which.
        title: Its name.
        does: What it does.
        members: How many it would be done to.
        newest: The newest of them; none that came later is touched.
        confirms: What a confirmation of exactly this is known by.
        exposures: The money at stake in them, by currency.
        tried: Against how many of them it was held.
        fits: How many of these it fits.
        refusals: Why it does not fit the others, and how many.
    """

    way: Way
    title: str
    does: str
    members: int
    newest: UUID
    confirms: str
    exposures: tuple[Money, ...]
    tried: int
    fits: int
    refusals: tuple[tuple[str, int], ...]


@get("/console/exceptions", opt=needs("view"))
async def show_groups(request: Visit) -> Response[bytes]:
    """The open exceptions, those of one cause together."""
    groups = await read_groups(request)
    trends = await read_trends(request, [one.fingerprint for one in groups])
    return render(request, "exceptions.html", groups=groups, trends=trends, shown=hide_in)


@get("/console/exceptions/groups/{fingerprint:uuid}", opt=needs("view"))
async def show_group(request: Visit, fingerprint: FromPath[UUID]) -> Response[bytes]:
    """The open exceptions of one cause, and the ways of resolving all of them; who follows them sees their end."""
    if request.wants_part and not await read_members(request, fingerprint, 1):
        return render(request, "exception_group_empty.html")
    return await _group(request, fingerprint)


@post("/console/exceptions/groups/{fingerprint:uuid}", opt=needs("exception.resolve"))
async def resolve_all(request: Visit, fingerprint: FromPath[UUID]) -> Response[bytes]:
    """Resolve all of one cause: first what that would do, then, confirmed, what became of each."""
    form = await request.read_form(ResolveForm)
    try:
        value = _value(form)
        node, shown = request.node, await read_members(request, fingerprint, LARGEST_GROUP)
        ids = [one.id for one in shown if form.newest is None or one.id <= form.newest]
        if not form.confirmed or form.confirmed != _confirms(form, ids):
            changed = StateConflict("it is not as it was shown", todo="look again") if form.confirmed else None
            tried = await _try(request, form, shown)
            return await _group(request, fingerprint, form=form, tried=tried, refused=changed)
        members = await resolve_group(
            node.database, node.writer, request.tenant, fingerprint, form.way, who=request.actor.name, why=form.why,
            value=value, registry=node.registry, ask=_ask(request), only=frozenset(ids),
        )  # fmt: skip
    except Refused as cause:
        return await _group(request, fingerprint, form=form, refused=cause)
    return render(request, "exceptions_resolved.html", members=members, way=title_of(form.way), count=_count(members))


@get("/console/exceptions/{exception_id:uuid}", opt=needs("view"))
async def show_exception(request: Visit, exception_id: FromPath[UUID]) -> Response[bytes]:
    """One exception: what its case did so far, what is under way, and the ways that fit."""
    asked = asked_of(request, Beside)
    undo = await undoable(request, asked.decided) if asked.decided else None
    return await _one(request, exception_id, undo=undo, word=asked.word, view=asked.view)


@post("/console/exceptions/{exception_id:uuid}", opt=needs("exception.resolve"))
async def resolve_one(request: Visit, exception_id: FromPath[UUID]) -> Response[bytes]:
    """Resolve one exception; then to the next item, or back to this one."""
    pairs, node = await request.fields(), request.node
    typed = [(name, value) for name, value in pairs if name.startswith(PREFIX)]
    form = read_query([one for one in pairs if one not in typed], ResolveForm)
    try:
        value = await _corrected(request, exception_id, typed) if form.way is Way.CORRECT and typed else _value(form)
        await resolve_exception(
            node.database, node.writer, request.tenant, exception_id, form.way, who=request.actor.name, why=form.why,
            value=value, registry=node.registry, ask=_ask(request),
        )  # fmt: skip
    except NotFound:
        raise
    except Refused as cause:
        return await _one(request, exception_id, form=form, refused=cause, typed=dict(typed))
    back = f"/console/exceptions/{exception_id}"
    there = await next_place(request, back, view=form.view) if form.then == "next" else back
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": there})


async def _corrected(visit: Visit, exception_id: UUID, typed: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The input that the fields of the form say."""
    fields = dict(typed)
    if len(fields) < len(typed):
        raise Refused("a field was sent twice", where="/value", todo="load the page anew")
    scene = await read_scene(visit, await find_exception(visit, exception_id))
    if scene is None:
        raise NotFound("its case is not there", todo="the page of exceptions lists the open ones")
    return await corrected(visit, scene, fields)


async def _one(
    visit: Visit,
    exception_id: UUID,
    *,
    form: ResolveForm | None = None,
    refused: Refused | None = None,
    undo: Undoable | None = None,
    word: str = "",
    view: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response[bytes]:
    found = await find_exception(visit, exception_id)
    scene = await read_scene(visit, found)
    facts, stack = captured(found.detail)
    now = visit.node.database.clock.now()
    verdict = await judge(desk_of(visit), visit.actor, "exception.resolve", found, way="retry")
    taken = found.claimed_by is not None and found.claimed_by != visit.actor.name
    live = found.claimed_until is not None and found.claimed_until > now
    about = await read_about(visit, scene) if scene else None
    entries, violations = about.form if about else (), violations_of(refused)
    if scene and typed and form and form.way is Way.CORRECT:
        entries, violations = retyped(visit, scene, typed, violations)
    return render(
        visit,
        "exception.html",
        status=refused.status if refused else 200,
        found=found,
        what=hide_in(found.what),
        stopped=stopped_at(scene) if scene else (),
        done=done_so_far(scene) if scene else (),
        actions=under_way(scene) if scene else (),
        ways=possible(scene, now) if scene and found.state is ExceptionState.OPEN else (),
        about=about,
        entries=entries,
        word=word,
        view=view_of(form.view if form else view)[1],
        captured=tree_of(facts),
        stack=stack,
        notes=await notes_of(desk_of(visit), visit.tenant, found.id),
        may=verdict.allowed,
        taken=taken and live,
        undo=undo,
        mine=live and not taken and found.claimed_by is not None,
        form=form,
        refused=refused,
        violations=violations,
    )


async def _group(
    visit: Visit,
    fingerprint: UUID,
    *,
    form: ResolveForm | None = None,
    tried: Tried | None = None,
    refused: Refused | None = None,
) -> Response[bytes]:
    groups = {one.fingerprint: one for one in await read_groups(visit)}
    members = await read_members(visit, fingerprint)
    if not members or fingerprint not in groups:
        raise NotFound("no open exception has this cause any more", todo="look at those that are open")
    trend = (await read_trends(visit, [fingerprint]))[fingerprint]
    offers = tried is None and not visit.wants_part and visit.may("exception.resolve")
    scenes = await read_scenes(visit, members[:MOST_TRIED]) if offers else []
    return render(
        visit,
        "exception_group.html",
        status=refused.status if refused else 200,
        group=groups[fingerprint],
        members=members,
        trend=trend,
        ways=tally(scenes, visit.node.database.clock.now()),
        looked_at=len(scenes),
        form=form,
        tried=tried,
        refused=refused,
        violations=violations_of(refused),
        shown=hide_in,
    )


async def _try(visit: Visit, form: ResolveForm, members: Sequence[CaseException]) -> Tried:
    """Hold a way against the oldest members of a group: which it fits, and why not the others."""
    if not members:
        raise NotFound("no open exception has this cause any more", todo="look at those that are open")
    refusals: Counter[str] = Counter()
    way, oldest, now = form.way, members[:MOST_TRIED], visit.node.database.clock.now()
    scenes = await read_scenes(visit, oldest)
    refusals.update(why for why in (refusal(way, scene, now) for scene in scenes) if why)
    if len(scenes) < len(oldest):
        refusals["its case is not there"] += len(oldest) - len(scenes)
    return Tried(
        way=way,
        title=title_of(way),
        does=does(way),
        members=len(members),
        newest=members[-1].id,
        confirms=_confirms(form, [one.id for one in members]),
        exposures=_at_stake(members),
        tried=len(oldest),
        fits=len(oldest) - refusals.total(),
        refusals=tuple(refusals.most_common(5)),
    )


def _confirms(form: ResolveForm, ids: Sequence[UUID]) -> str:
    """What is confirmed: this way with this value for exactly these."""
    told = [form.way, form.value.replace("\r\n", "\n"), *map(str, ids)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]


def _at_stake(members: Sequence[CaseException]) -> tuple[Money, ...]:
    sums: Counter[str] = Counter()
    for one in members:
        if one.currency is not None:
            sums[one.currency] += one.exposure_minor or 0
    amounts = (Money.of_columns(minor, currency) for currency, minor in sums.items())
    return tuple(amount for amount in amounts if amount)


def _ask(visit: Visit) -> Any:
    """Asks the policies of each exception, before it is resolved."""
    return functools.partial(visit.node.authority.require, visit.actor, "exception.resolve")


def _value(form: ResolveForm) -> Any:
    """The value of a form, read; None: it has none.

    Raises:
        MalformedJson: it is no JSON, or none that can be stored; the place is named.
    """
    if form.way not in TAKES_VALUE or not form.value.strip():
        return None
    return read_json_text(form.value)


def violations_of(refused: Refused | None) -> tuple[Violation, ...]:
    """What of a value breaks its contract."""
    return refused.violations if isinstance(refused, ContractViolated) else ()


def _count(members: tuple[Member, ...]) -> int:
    return sum(one.refused is None for one in members)


ROUTES = (show_groups, show_group, resolve_all, show_exception, resolve_one)
