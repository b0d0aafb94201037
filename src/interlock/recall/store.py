"""The rows of recalls and their members, and what a recall reads of others' rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.recall.record import Member, MemberState, Recall, RecallState, Taken


class NewRecall(msgspec.Struct, frozen=True, kw_only=True):
    """A recall on its way in; ``first`` is the id after which decisions are looked for."""

    id: UUID
    tenant: UUID
    selector: bytes
    who: str
    why: str
    state: RecallState
    stop: bool
    restore: bool
    anew: bool
    names: bytes
    first: UUID
    created_at: datetime


class StartedRecall(msgspec.Struct, frozen=True, kw_only=True):
    """A recall that was planned and is carried out from now on."""

    id: UUID
    who: str
    why: str
    stop: bool
    restore: bool
    anew: bool
    first: UUID
    at: datetime


class EndedRecall(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a recall, or that only people are waited for."""

    id: UUID
    state: RecallState
    at: datetime


class StoppedRecall(msgspec.Struct, frozen=True, kw_only=True):
    """The stop that a recall made."""

    id: UUID
    stop: UUID


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """A recall that is not done."""

    tenant: UUID
    id: UUID
    state: RecallState


class OtherRecall(msgspec.Struct, frozen=True, kw_only=True):
    """What another recall was about, and the version that it found wrong where it restored one."""

    selector: bytes
    wrong: str | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, or a case, that was looked at; ``meets``: whether it is recalled."""

    id: UUID
    case_id: UUID | None
    meets: bool | None


class NewMember(msgspec.Struct, frozen=True, kw_only=True):
    """A member on its way in."""

    recall: UUID
    member: UUID
    tenant: UUID
    is_case: bool


class MovedMember(msgspec.Struct, frozen=True, kw_only=True):
    """Where a member is now."""

    recall: UUID
    member: UUID
    state: MemberState
    anew: UUID | None = None
    why: str = ""


class MemberCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many members are in a state, and how many of them wait for a person."""

    state: MemberState
    members: int
    exceptions: int


class Was(msgspec.Struct, frozen=True, kw_only=True):
    """What a case or a decision was asked: what is asked again.

    Attributes:
        id: Of the case, or of the decision without one.
        workflow: Which workflow.
        key: The case's key.
        input: The case's input, or the question.
        caller: Who submitted or asked it.
        point: The decision point, of what began with a question.
        asked: The key of that question.
        question: It.
        exposure_minor: The money that was at stake in it.
        currency: Of the exposure.
        continued: Whether it went on by ``continue_as``: the input is that of its last run.
        body: What the ledger says of how it came.
    """

    id: UUID
    workflow: str
    key: str
    input: bytes
    caller: str
    point: str | None
    asked: str | None
    question: bytes | None
    exposure_minor: int | None
    currency: str | None
    continued: bool
    body: bytes | None


class CasesOfPage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of one workflow, state and currency."""

    workflow: str
    state: str
    currency: str
    cases: int
    minor: Decimal


class DecisionsOfPage(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions without a case, of one workflow and currency."""

    workflow: str
    currency: str
    decisions: int
    minor: Decimal


class ActionsOfPage(msgspec.Struct, frozen=True, kw_only=True):
    """Actions of one name and currency that stand alike."""

    workflow: str
    name: str
    currency: str
    place: str
    actions: int
    minor: Decimal


class StandingAction(msgspec.Struct, frozen=True, kw_only=True):
    """What actions of one name did in a case, in one currency, and what stands of it."""

    case_id: UUID
    name: str
    currency: str
    minor: Decimal


_SQL = load_queries(__file__)
ADD_RECALLS = _SQL.bulk("add_recalls", NewRecall, distinct=("id",))
START_RECALLS = _SQL.bulk("start_recalls", StartedRecall, distinct=("id",))
END_RECALLS = _SQL.bulk("end_recalls", EndedRecall, distinct=("id",))
SET_STOPPED = _SQL.bulk("set_stopped", StoppedRecall, distinct=("id",))
FIND_RECALL = _SQL.rows("find_recall", Recall)
LIST_RECALLS = _SQL.rows("list_recalls", Recall)
RECALLS_UNDER_WAY = _SQL.rows("recalls_under_way", UnderWay)
HOLD_RECALL = _SQL.rows("hold_recall", datetime)
HOLD_RECALL_ON = _SQL.rows("hold_recall_on", datetime)
LET_GO_RECALL = _SQL.command("let_go_recall")
SET_RESTORING = _SQL.command("set_restoring")
OTHER_RECALLS = _SQL.rows("other_recalls", OtherRecall)
SET_RESTORED = _SQL.command("set_restored")
LOOK_AGAIN = _SQL.rows("look_again", bool)
MOVE_DECIDING = _SQL.command("move_deciding")
SET_SPAN = _SQL.command("set_span")
MOVE_GATHERING = _SQL.command("move_gathering")
PAGE_BY_COMPONENT = _SQL.rows("page_by_component", Found)
PAGE_BY_CONTRACT = _SQL.rows("page_by_contract", Found)
PAGE_BY_POINT = _SQL.rows("page_by_point", Found)
PAGE_BY_TIME = _SQL.rows("page_by_time", Found)
MEETING = _SQL.rows("meeting", Found)
CASES_MEETING = _SQL.rows("cases_meeting", Found)
ADD_MEMBERS = _SQL.bulk("add_members", NewMember, distinct=("recall", "member"))
MEMBERS_FOUND = _SQL.rows("members_found", Member)
MEMBERS_ENDED = _SQL.rows("members_ended", Member)
RECALL_OF_DECISION = _SQL.rows("recall_of_decision", Taken)
LIST_MEMBERS = _SQL.rows("list_members", Member)
MOVE_MEMBERS = _SQL.bulk("move_members", MovedMember, distinct=("recall", "member"))
SETTLE_MEMBERS = _SQL.command("settle_members")
COUNT_MEMBERS = _SQL.rows("count_members", MemberCount)
WHAT_CASES_WERE = _SQL.rows("what_cases_were", Was)
WHAT_DECISIONS_WERE = _SQL.rows("what_decisions_were", Was)
CASES_OF_PAGE = _SQL.rows("cases_of_page", CasesOfPage)
DECISIONS_OF_PAGE = _SQL.rows("decisions_of_page", DecisionsOfPage)
STANDING_OF = _SQL.rows("standing_of", StandingAction)
ACTIONS_OF_PAGE = _SQL.rows("actions_of_page", ActionsOfPage)
