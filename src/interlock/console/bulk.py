"""Deciding many alike in one act: GET /console/bulk?id=…&id=… shows what that would be, POST does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post

from interlock.cases.bulk import decide_many, output_told
from interlock.cases.finding import searchable_points
from interlock.cases.verdicts import shown_now
from interlock.console.item.outcome import together, words_of
from interlock.console.queue_about import about
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.decisions.point import REASONS, BulkTerms, DecisionPoint
from interlock.errors import NotFound, Refused
from interlock.money import Money
from interlock.oversight.alike import odd_ones, see_alike
from interlock.oversight.listing import list_work
from interlock.oversight.queue import find_review
from interlock.oversight.resolving import Answer
from interlock.oversight.review import Resolution, Review, ReviewState
from interlock.oversight.work import WorkKind
from interlock.oversight.work_filter import WorkFilter, read_filter
from interlock.privacy.token import hide

MOST = 200
"""Reviews of one act that a page can hold; a workflow's file may allow fewer."""
SAMPLE = 10
_LONGEST = 80
CHOICES = (Resolution.APPROVE, Resolution.REJECT)
_FORM = frozenset({"resolution", "reason_approve", "reason_reject", "note", "item"})


class OddOne(msgspec.Struct, frozen=True, kw_only=True):
    """One that does not fit the others: of whom it is, what differs, and its proposal."""

    review: Review
    named: str
    why: str
    proposal: str


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen to be decided together.

    Attributes:
        reviews: Each, with what it is shown as now.
        gone: How many of those that were chosen do not wait any more.
        alike: Why they cannot be decided in one act; empty: they are alike.
        at_stake: What is at stake in all of them together; None: they are not alike.
        sums: What is at stake in them by currency, as far as it is known; of how many it is not, says ``unknown``.
        unknown: See ``sums``.
        odd: Those that do not fit the rest: each with of whom it is, what differs, and its proposal.
        rest: Those that are left without them.
        terms: What the workflow's file allows of one act; None: it allows none.
        reasons: The codes that may be given, by choice.
        sample: Some of them, spread over all: each with its proposal.
        follows: What follows of approving them all.
    """

    reviews: tuple[tuple[Review, str], ...]
    gone: int
    alike: str
    at_stake: Money | None
    sums: tuple[Money, ...]
    unknown: int
    odd: tuple[OddOne, ...]
    rest: tuple[UUID, ...]
    terms: BulkTerms | None
    reasons: dict[str, tuple[str, ...]]
    sample: tuple[tuple[Review, str], ...]
    follows: str = ""


@get("/console/bulk", opt=needs("queue.bulk"))
async def show_lot(request: Visit) -> Response[bytes]:
    """What would be decided: those that were selected, or, with none, all that a filter of the queue leaves."""
    pairs = [(name, str(value)) for name, value in request.query_params.multi_items()]
    ids = [_id(value) for name, value in pairs if name == "id"]
    if not ids:
        ids = await _of_filter(request, read_filter([pair for pair in pairs if pair[0] != "after" and pair[1]]))
    return render(request, "bulk.html", lot=await _lot(request, ids), refused=None)


@post("/console/bulk", opt=needs("queue.bulk"))
async def decide_lot(request: Visit) -> Response[bytes]:
    """Say the same of each; then what became of each."""
    fields = await request.fields()
    unknown = next((name for name, _ in fields if name not in _FORM), None)
    if unknown is not None:
        raise Refused(f"there is no field {unknown[:80]!r}", where=unknown[:80], todo="load the page anew")
    one = {name: value for name, value in fields if name != "item"}
    shown = dict(_item(value) for name, value in fields if name == "item")
    chosen = one.get("resolution", "")
    if chosen not in CHOICES:
        raise Refused("nothing was chosen", where="resolution", todo="choose approve or reject")
    reason = one.get(f"reason_{chosen}", "")
    answer = Answer(resolution=Resolution(chosen), reason_code=reason, note=one.get("note", ""))
    node = request.node
    try:
        done = await decide_many(node.desk, node.registry, request.actor, shown, answer)
    except Refused as cause:
        lot = await _lot(request, list(shown))
        return render(request, "bulk.html", status=cause.status, lot=lot, refused=cause)
    return render(request, "bulk_done.html", done=done, resolution=answer.resolution)


async def _of_filter(visit: Visit, work: WorkFilter) -> list[UUID]:
    page = await list_work(visit.node.database, visit.tenant, work, visit.actor, most=MOST)
    return [item.id for item in page.items if item.kind is WorkKind.REVIEW]


async def _lot(visit: Visit, ids: Sequence[UUID]) -> Lot:
    node = visit.node
    waiting = [one for one in await _found(visit, ids[:MOST]) if one.state in (ReviewState.OPEN, ReviewState.CLAIMED)]
    shown = [(one, (await shown_now(node.desk, node.registry, visit.actor, one)).stated) for one in waiting]
    alike, at_stake = "", None
    told = output_told(node.registry, visit.tenant, waiting[0]) if waiting else None
    try:
        at_stake = see_alike(waiting, Resolution.APPROVE, told) if waiting else None
    except Refused as cause:
        alike = cause.what
    odd: Mapping[UUID, str] = odd_ones(waiting, told) if alike else {}
    fields = searchable_points(node.registry, visit.tenant)
    point = _point(visit, waiting[0]) if waiting else None
    step = max(1, len(waiting) // SAMPLE)
    return Lot(
        reviews=tuple(shown),
        gone=len(ids) - len(waiting),
        alike=alike,
        at_stake=at_stake,
        sums=_sums(waiting),
        unknown=sum(one.exposure is None for one in waiting),
        odd=tuple(
            OddOne(
                review=one,
                named=about(one.question, None, fields.get(f"{one.workflow}.{one.point}", ())).named,
                why=odd[one.id],
                proposal=_proposal(one),
            )
            for one in waiting
            if one.id in odd
        ),
        rest=tuple(one.id for one in waiting if one.id not in odd),
        terms=point.queue.bulk if point else None,
        reasons={one.value: (point.queue.reasons if point else REASONS)[one.value] for one in CHOICES},
        sample=tuple((one, _proposal(one)) for one in waiting[::step][:SAMPLE]),
        follows=together(point, [(_said(one), one.exposure) for one in waiting]),
    )


def _sums(reviews: Sequence[Review]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for at_stake in [one.exposure for one in reviews]:
        if at_stake is not None:
            sums[at_stake.currency] = sums.get(at_stake.currency, 0) + at_stake.minor
    return tuple(Money.of_minor(minor, currency) for currency, minor in sums.items())


async def _found(visit: Visit, ids: Sequence[UUID]) -> list[Review]:
    found: list[Review] = []
    for one in dict.fromkeys(ids):
        try:
            found.append(await find_review(visit.node.database, visit.tenant, one))
        except NotFound:  # nothing of this tenant, or an exception, which is decided on its own page
            continue
    return found


def _point(visit: Visit, review: Review) -> DecisionPoint | None:
    registered = visit.node.registry.find(review.workflow)
    return registered.declaration.decisions.get(review.point) if registered else None


def _proposal(review: Review) -> str:
    if review.proposal is None:
        return "none"
    return words_of(_said(review) or {}, _LONGEST)


def _said(review: Review) -> dict[str, Any] | None:
    return msgspec.json.decode(hide(review.proposal), type=dict[str, Any]) if review.proposal is not None else None


def _item(text: str) -> tuple[UUID, str]:
    """A review and what it was shown as, as the form sends them: ``ID SHOWN``."""
    identity, _, shown = text.partition(" ")
    return _id(identity), shown


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no id", where="id", todo="choose from the queue") from cause


ROUTES = (show_lot, decide_lot)
