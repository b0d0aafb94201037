"""The page of one review: GET /console/reviews/ID."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.personal import Purpose
from interlock.console.asking import asked_of
from interlock.console.item.difference import Change
from interlock.console.item.form import Entry
from interlock.console.item.news import News
from interlock.console.item.read import Item, read_item, read_seen
from interlock.console.item.standing import Seen
from interlock.console.item.typed import Said
from interlock.console.item.undo import Undoable, undoable
from interlock.console.queue_from import view_of
from interlock.console.render import render
from interlock.console.visit import Visit, needs
from interlock.errors import Violation
from interlock.oversight.dwell import READINGS
from interlock.oversight.review import Review


class ItemAsked(msgspec.Struct, frozen=True, kw_only=True):
    """How a review is looked at.

    Attributes:
        decided: A review that was decided just now: how to undo that is shown.
        word: What was done, to be told once.
        view: The view of the queue that they work in, as its query.
    """

    decided: UUID | None = None
    word: Annotated[str, Meta(max_length=40)] | None = None
    view: str = ""


class PurposeForm(msgspec.Struct, frozen=True, kw_only=True):
    """For what the personal data of a review are shown."""

    purpose: Purpose


class StandingNow(NamedTuple):
    """What the part of a page needs that says where a review stands."""

    review: Review
    seen: Seen


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown again with a page that could not be sent as it was.

    Attributes:
        said: What was sent.
        form: The fields with what was typed.
        violations: What is wrong, beside what stands at its field.
        changes: The proposal against what was typed; empty: no difference is shown.
        confirms: The digest of the output whose difference is shown.
        told: What happened, in a sentence, and what to do.
        amount: What would be at stake with what was typed.
        news: What changed since it was shown; if anything did, they choose anew.
    """

    said: Said
    form: tuple[Entry, ...]
    violations: tuple[Violation, ...] = ()
    changes: tuple[Change, ...] = ()
    confirms: str = ""
    told: str = ""
    amount: Any = None
    news: tuple[News, ...] = ()


@get("/console/reviews/{review_id:uuid}", opt=needs("view"))
async def show_review(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """One review, with all that decides it beside it."""
    asked = asked_of(request, ItemAsked)
    item = await read_item(request, review_id)
    READINGS.note(review_id, request.actor.name, request.node.database.clock.now())
    undo = await undoable(request, asked.decided) if asked.decided else None
    return render_item(request, item, undo=undo, word=asked.word or "", view=asked.view)


@post("/console/reviews/{review_id:uuid}/personal", opt=needs("personal.read"), status_code=200)
async def show_personal(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """The same with its personal data, for a purpose: that they are read is on the ledger before anybody sees them."""
    form = await request.read_form(PurposeForm)
    return render_item(request, await read_item(request, review_id, purpose=form.purpose))


@get("/console/reviews/{review_id:uuid}/standing", opt=needs("view"))
async def show_standing(request: Visit, review_id: FromPath[UUID]) -> Response[bytes]:
    """Where it stands now: asked for again when there is news."""
    review, seen = await read_seen(request, review_id)
    return render(request, "item_standing.html", item=StandingNow(review, seen))


def render_item(
    visit: Visit,
    item: Item,
    *,
    again: Again | None = None,
    status: int = 200,
    undo: Undoable | None = None,
    word: str = "",
    view: str = "",
) -> Response[bytes]:
    """The page, at first or with what was typed."""
    form, view = again.form if again else item.form, view_of(again.said.view if again else view)[1]
    return render(visit, "item.html", status=status, item=item, again=again, form=form, undo=undo, word=word, view=view)


ROUTES = (show_review, show_personal, show_standing)
