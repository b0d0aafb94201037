"""What callers send and get of recalls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from interlock.api.bodies import Limit, Utc, Why
from interlock.api.documents import Document
from interlock.recall.figures import Figures
from interlock.recall.record import MemberState, Recall, RecallState
from interlock.recall.selector import Selector

Condition = Annotated[str, Meta(max_length=1000)]


class WantedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions are recalled: those that meet every condition that is given; one at least.

    Attributes:
        component: Whose answer: ``rules:approve@1``, with each version that is published of that line.
        digest: The first 6 to 64 digits of that component's SHA-256.
        contract: Which contract the input kept: ``receipt@1`` or ``receipt@1.2.0``.
        source: From which source, as ``/v1/lineage?of=`` names it: ``job:RUN``, ``caller:NAME``.
        workflow: Of which workflow.
        point: Of which decision point: ``workflow.point``.
        since: Taken then or later.
        until: Taken before then.
    """

    component: Condition = ""
    digest: Condition = ""
    contract: Condition = ""
    source: Condition = ""
    workflow: Condition = ""
    point: Condition = ""
    since: Utc | None = None
    until: Utc | None = None

    @property
    def selector(self) -> Selector:
        """The same as the room takes it."""
        return Selector(**msgspec.structs.asdict(self))


class RecallBody(msgspec.Struct, frozen=True, kw_only=True):
    """A recall that is to be carried out.

    Attributes:
        why: For whoever reads the ledger.
        plan: The recall that was planned; it says what is recalled.
        what: Or what is recalled.
        stop: Whether the component, the point or the workflow is stopped first.
        restore: Whether the published version before it counts again.
        anew: Whether what was taken back is decided anew.
    """

    why: Why
    plan: UUID | None = None
    what: WantedBody | None = None
    stop: bool = False
    restore: bool = False
    anew: bool = False


class RecallsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which recalls.

    Attributes:
        before: Go on where a page ended: older than this one.
        limit: The most that are listed.
    """

    before: UUID | None = None
    limit: Limit = 50


class MembersQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which members.

    Attributes:
        after: Go on where a page ended.
        limit: The most that are listed.
    """

    after: UUID | None = None
    limit: Limit = 50


class RecallDocument(Document, frozen=True, kw_only=True):
    """A recall.

    Attributes:
        id: Its id.
        state: planned, running, open (only people are waited for) or done.
        what: What is recalled.
        who: By whose word.
        why: Why.
        gathered: Whether all that rests on it is found.
        decisions: How many decisions are.
        stop: The stop that it made.
        restored: What counts again, in words; or why nothing does.
        anew: Whether what was taken back is decided anew.
        created_at: Since when.
        ended_at: Until when.
    """

    id: UUID
    state: RecallState
    what: Selector
    who: str
    why: str
    gathered: bool
    decisions: int
    stop: UUID | None
    restored: str | None
    anew: bool
    created_at: datetime
    ended_at: datetime | None


class FullRecall(Document, frozen=True, kw_only=True):
    """A recall with what it comes to now.

    Attributes:
        recall: It.
        figures: Its cases by state, and its money by what became of it.
    """

    recall: RecallDocument
    figures: Figures


class RecallPage(Document, frozen=True, kw_only=True):
    """Recalls, the newest first.

    Attributes:
        recalls: They.
    """

    recalls: tuple[RecallDocument, ...]


class MemberDocument(Document, frozen=True, kw_only=True):
    """One case, or one decision without a case, that a recall holds.

    Attributes:
        id: Its id.
        case: Whether it is a case.
        state: found, wanted (its end is), ended, anew or left.
        anew: The case or the decision that took its place.
        why: Why it is left as it is.
    """

    id: UUID
    case: bool
    state: MemberState
    anew: UUID | None
    why: str


class MembersPage(Document, frozen=True, kw_only=True):
    """Members of a recall, by id.

    Attributes:
        members: They.
    """

    members: tuple[MemberDocument, ...]


def told(recall: Recall) -> RecallDocument:
    """A recall as callers get it."""
    return RecallDocument(
        id=recall.id,
        state=recall.state,
        what=recall.wanted,
        who=recall.who,
        why=recall.why,
        gathered=recall.gathered,
        decisions=recall.decisions,
        stop=recall.stopped,
        restored=recall.restored,
        anew=recall.anew,
        created_at=recall.created_at,
        ended_at=recall.ended_at,
    )
