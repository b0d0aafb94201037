"""One case: where it is, its story in words, its journal, what was decided and done, how to end it or take it back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.actions.action import ActionState
from interlock.actions.terms import ActionTerms
from interlock.api.bodies import Why
from interlock.api.call import encode
from interlock.api.cases import record_document
from interlock.authority.judge import Verdict, everything
from interlock.cases.cancel import cancel_case, recall_case
from interlock.cases.explain import Passage, explain
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.registry import Registry
from interlock.cases.store import CaseState
from interlock.console.cases import PLACES
from interlock.console.render import render
from interlock.console.stored import as_lines, as_value, in_words
from interlock.console.visit import Visit, needs
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.money import Money

_IN_BRACKETS = re.compile(r"\(([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\)")
_DOWNLOAD = "application/json"


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a case's story, and where there is more of it.

    Attributes:
        passage: What happened.
        title: Its title without the id.
        link: Where the thing has its page; empty: nowhere.
    """

    passage: Passage
    title: str
    link: str


class TakingBack(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one action if its case is taken back.

    Attributes:
        name: The action's name.
        id: The action.
        amount: What it moved.
        becomes: In words.
        undone: Whether it is undone.
    """

    name: str
    id: UUID
    amount: Money | None
    becomes: str
    undone: bool


class WhySaid(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case is ended, for whoever reads the ledger."""

    why: Why


class _Ending(Protocol):
    async def __call__(
        self,
        database: Database,
        writer: Writer,
        tenant: UUID,
        case_id: UUID,
        /,
        *,
        who: str,
        why: str,
        verdict: Verdict,
    ) -> object: ...


@get("/console/cases/{case_id:uuid}", opt=needs("view"))
async def show_case(request: Visit, case_id: FromPath[UUID]) -> Response[bytes]:
    """All that is recorded of a case, in words and in rows."""
    node = request.node
    record = await read_record(node.database, request.tenant, case_id)
    case = record.case
    ended = case.state in (CaseState.DONE, CaseState.CANCELLED)
    return render(
        request, "case.html", record=record, case=case, story=_story(record), back=_taking_back(record, node.registry),
        input=as_lines(case.input), steps=[(step, in_words(as_value(step.result)) if step.result else "") for step in
        record.steps], money=_money(record), ended=ended,
        may_cancel=request.may("recall" if ended else "case.cancel"),
        carried=node.registry.find(case.workflow) is not None,
    )  # fmt: skip


@get("/console/cases/{case_id:uuid}/record", opt=needs("view"))
async def download_case(request: Visit, case_id: FromPath[UUID]) -> Response[bytes]:
    """All that is recorded of a case, as JSON."""
    record = await read_record(request.node.database, request.tenant, case_id)
    return as_file(encode(record_document(record)), f"case-{case_id}.json")


@post("/console/cases/{case_id:uuid}/cancel", opt=needs("case.cancel"))
async def end_case(request: Visit, case_id: FromPath[UUID]) -> Response[bytes]:
    """End a case that has not ended."""
    return await _do(request, case_id, "case.cancel", cancel_case)


@post("/console/cases/{case_id:uuid}/take-back", opt=needs("recall"))
async def take_back(request: Visit, case_id: FromPath[UUID]) -> Response[bytes]:
    """Take a case back, even one that is done."""
    return await _do(request, case_id, "recall", recall_case)


async def _do(request: Visit, case_id: UUID, act: str, do: _Ending) -> Response[bytes]:
    said = await request.read_form(WhySaid)
    node = request.node
    verdict = node.authority.require(request.actor, act, everything(request.tenant))
    await do(node.database, node.writer, request.tenant, case_id, who=request.actor.name, why=said.why, verdict=verdict)
    return back_to(f"/console/cases/{case_id}")


def as_file(content: bytes, name: str) -> Response[bytes]:
    """JSON to be kept as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=_DOWNLOAD, headers=headers)


def back_to(path: str) -> Response[bytes]:
    """After a form: the page again, by GET."""
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _story(record: CaseRecord) -> Sequence[Happening]:
    places: dict[str, str] = {str(one.id): PLACES["decision"] for one in record.decisions}
    places |= {str(one.id): PLACES["action"] for one in record.actions}
    places |= {str(one.id): PLACES["review"] for one in record.reviews}
    places |= {str(one.id): PLACES["exception"] for one in record.exceptions}
    places |= {str(one.id): PLACES["quarantine"] for one in record.quarantines}
    return [_happening(passage, places) for passage in explain(record)]


def _happening(passage: Passage, places: Mapping[str, str]) -> Happening:
    named = _IN_BRACKETS.search(passage.title)
    place = places.get(named[1], "") if named else ""
    title = _IN_BRACKETS.sub("", passage.title).strip() if place else passage.title
    return Happening(passage=passage, title=title, link=f"{place}/{named[1]}" if named and place else "")


def _taking_back(record: CaseRecord, registry: Registry) -> list[TakingBack]:
    """What taking the case back would do to each of its actions, the last one first."""
    carried = registry.find(record.case.workflow)
    terms: Mapping[str, ActionTerms] = carried.declaration.actions if carried else {}
    undone = {action.undo_of for action in record.actions}
    found: list[TakingBack] = []
    for action in reversed(record.actions):
        if action.undo_of or action.id in undone or action.state in (ActionState.FAILED, ActionState.UNDONE):
            continue
        declared = terms.get(action.name)
        undo = bool(declared and declared.undo) and action.state is ActionState.DONE
        if action.state is ActionState.READY and action.attempt == 0:
            becomes = "it was not sent yet and will not be"
        elif undo and declared:
            becomes = f"it is undone by the action {declared.undo}"
        elif declared and declared.no_undo:
            becomes = f"it stays: {declared.no_undo}"
        else:
            becomes = "it is settled first; then a person is asked"
        found.append(TakingBack(name=action.name, id=action.id, amount=action.exposure, becomes=becomes, undone=undo))
    return found


def _money(record: CaseRecord) -> dict[str, list[Money]]:
    """What was paid, what is under way and what was taken back, by currency."""
    sums: dict[tuple[str, str], Money] = {}
    for action in record.actions:
        if (amount := action.exposure) is None:
            continue
        what = _sort(action.state, undoes=action.undo_of is not None)
        sums[(what, amount.currency)] = sums[(what, amount.currency)] + amount if (
            what, amount.currency) in sums else amount  # fmt: skip
    found: dict[str, list[Money]] = {}
    for (what, _), amount in sums.items():
        found.setdefault(what, []).append(amount)
    return found


def _sort(state: ActionState, *, undoes: bool) -> str:
    if state is ActionState.FAILED:
        return "not paid"
    if undoes or state in (ActionState.UNDOING, ActionState.UNDONE):
        return "taken back"
    return "paid" if state is ActionState.DONE else "under way"


ROUTES = (show_case, download_case, end_case, take_back)
