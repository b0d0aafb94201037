"""A recall as it is recorded, and what it holds. Types.

    planned -> running -> done
                       -> open -> done

A member is found -> wanted -> ended -> anew | left; one that is left alone from the beginning is only left.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.recall.selector import Selector

LONGEST_WHY = 1900
RECALLED_BEFORE = "another recall took it back before"


class RecallState(StrEnum):
    """Where a recall is.

    ``planned``: it is looked at, and nothing is done. ``running``: it is carried out. ``done``: every member has ended.
    ``open``: all but those that wait for a person.
    """

    PLANNED = "planned"
    RUNNING = "running"
    OPEN = "open"
    DONE = "done"


class MemberState(StrEnum):
    """Where one case, or one decision without a case, is in its recall.

    ``found``: it rests on what is recalled. ``wanted``: its end is wanted. ``ended``: what it did is taken back.
    ``anew``: it is decided anew. ``left``: it is left as it is, with a reason.
    """

    FOUND = "found"
    WANTED = "wanted"
    ENDED = "ended"
    ANEW = "anew"
    LEFT = "left"


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What a recall does beside taking back.

    Attributes:
        stop: Stop the component, the point or the workflow first.
        restore: Let the version before the recalled one count again.
        anew: Decide anew what was taken back.
    """

    stop: bool = False
    restore: bool = False
    anew: bool = False


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names, as decisions have them on record, that a selector means.

    Attributes:
        components: Of components; empty: the selector names none.
        contracts: Of contracts, with their whole versions; empty: it names none.
    """

    components: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()

    @property
    def strands(self) -> tuple[str, ...]:
        """By which of them decisions are looked for, one after the other."""
        return self.components or self.contracts or ("",)


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """One recall.

    Attributes:
        id: Its id; also that of the ledger entry that planned or started it.
        selector: What is recalled, as JSON.
        who: By whose word.
        why: Why.
        state: See ``RecallState``.
        stop: Whether what was wrong is stopped first.
        restore: Whether the version before it counts again.
        anew: Whether what was taken back is decided anew.
        stopped: The stop that it made.
        wrong: The version that was in force and is recalled, once it is known what comes back for it.
        target: The version that comes back.
        restored: What counts again, in words; empty: nothing was restored.
        names: See ``Names``; as JSON.
        strand: How many of its strands are gathered.
        after: How far the one at work is gathered.
        beyond: Where gathering ends: what was decided later is not recalled.
        gathered: Whether everything is gathered.
        decisions: How many decisions were found.
        combed: Whether it is gathered, or was, what was in a commit when gathering came by.
        decided: After which member the next ones are decided anew: what is held does not keep others from it.
        created_at: When it was planned or started.
        changed_at: When it last went on.
        ended_at: When it ended.
    """

    id: UUID
    selector: bytes
    who: str
    why: str
    state: RecallState
    stop: bool
    restore: bool
    anew: bool
    stopped: UUID | None
    wrong: str | None
    target: str | None
    restored: str | None
    names: bytes
    strand: int
    after: UUID
    beyond: UUID | None
    gathered: bool
    decisions: int
    decided: UUID
    combed: bool
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None

    @property
    def wanted(self) -> Selector:
        """What is recalled, read."""
        return msgspec.json.decode(self.selector, type=Selector)

    @property
    def named(self) -> Names:
        """The names on record that it means."""
        return msgspec.json.decode(self.names, type=Names)

    @property
    def reason(self) -> str:
        """Why its cases end, as each of them says it: with the recall that it belongs to."""
        return f"{self.why} (recall {self.id})"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """That a decision without a case was recalled: it does not hold any more.

    Attributes:
        recall: By which recall.
        by: By whose word.
        why: Why.
        anew: The decision, or the case, that took its place; null: none has.
    """

    recall: UUID
    by: str
    why: str
    anew: UUID | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One case, or one decision without a case.

    Attributes:
        member: Its id.
        is_case: Whether it is a case.
        state: See ``MemberState``.
        anew: The case or the decision that took its place.
        why: Why it is left as it is.
    """

    member: UUID
    is_case: bool
    state: MemberState
    anew: UUID | None
    why: str
