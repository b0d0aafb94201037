"""Actions: the record of an intended effect, and the rules of its states. Pure."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.actions.connector import Abilities
from interlock.actions.failure import Retry
from interlock.db.gates import short_digest
from interlock.money import Money


class ActionState(StrEnum):
    """See the diagram in the room's docstring."""

    INTENDED = "intended"
    AWAITING_APPROVAL = "awaiting_approval"
    READY = "ready"
    DISPATCHING = "dispatching"
    DONE = "done"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    UNDOING = "undoing"
    UNDONE = "undone"
    EXCEPTION = "exception"


SENDABLE = (ActionState.READY,)
UNCERTAIN = (ActionState.DISPATCHING, ActionState.IN_DOUBT)
ENDED = (ActionState.DONE, ActionState.FAILED, ActionState.UNDONE, ActionState.EXCEPTION)


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One intended effect, as it is stored.

    Attributes:
        id: Its id; also that of the ledger entry that intended it.
        case_id: The case that intends it.
        decision_id: The decision that it rests on, if one is named.
        workflow: The workflow of the case.
        name: The action's name in the workflow's file.
        connector: Which connector carries it out.
        domain: What it does, in words that stops and certificates use.
        key: The idempotency key that the other side sees.
        payload: What is asked, as canonical JSON.
        exposure_minor: The money that it moves, in minor units.
        currency: Of the exposure.
        state: Where it is.
        fence: The case's fence under which it was last changed.
        attempt: How many times it was sent.
        not_before: When it may be sent again.
        valid_until: Until when the decision that it rests on holds.
        deadline: When it is given up, if it has not begun.
        first_sent_at: When it was first sent; the other side's memory of the key counts from here.
        sent_at: When it was last sent.
        send_deadline: When the last request is dead on our side.
        response: What the other side answered, as JSON.
        error: What went wrong, in a sentence.
        created_at: When it was intended.
        ended_at: When it ended.
        undo_of: The action that this one takes back, if it is an undo.
        generation: How often the key of an earlier request was made void; each generation has a key of its own.
        sender_ends_at: When the process that sent it last has surely let go of it or is dead; None: nothing ensures it.
        caller: Who submitted the case.
        point: The decision point of the decision that it rests on.
        component: The component whose answer that decision is.
        decided_at: When that decision was taken, or a person's word was given on it.
        facts: What that decision assumed, as canonical JSON.
        granted: On what that decision went by itself, as canonical JSON; None: on no certificate, or a person decided.
    """

    id: UUID
    case_id: UUID
    decision_id: UUID | None
    workflow: str
    name: str
    connector: str
    domain: str
    key: str
    payload: bytes
    exposure_minor: int | None
    currency: str | None
    state: ActionState
    fence: int
    attempt: int
    not_before: datetime | None
    valid_until: datetime | None
    deadline: datetime
    first_sent_at: datetime | None
    sent_at: datetime | None
    send_deadline: datetime | None
    response: bytes | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None
    undo_of: UUID | None = None
    generation: int = 0
    sender_ends_at: datetime | None = None
    caller: str = ""
    point: str | None = None
    component: str | None = None
    decided_at: datetime | None = None
    facts: bytes | None = None
    granted: bytes | None = None

    @property
    def outside_key(self) -> str:
        """The key that requests of this generation carry."""
        return self.key if self.generation == 0 else f"{self.key}~{self.generation}"

    @property
    def exposure(self) -> Money | None:
        """The money that it moves."""
        return Money.of_columns(self.exposure_minor, self.currency)


FIRST_PAUSE = timedelta(milliseconds=500)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_ASKED = timedelta(days=1)
SAFETY = timedelta(minutes=5)
"""How much earlier than the other side says we take a key for forgotten: clocks differ."""


def pause_after(
    attempt: int, chance: random.Random, *, retry_after: timedelta | None = None, retry: Retry | None = None
) -> timedelta:
    """How long to wait before the next attempt: exponential back-off with full jitter, and never before Retry-After.

    Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Args:
        attempt: How many attempts were made, at least 1.
        chance: The source of the jitter.
        retry_after: What the other side asked for (RFC 9110, section 10.2.3); more than a day is not believed.
        retry: The first pause and the longest, where they are not the usual ones.
    """
    first, longest = (retry.first, retry.longest) if retry else (FIRST_PAUSE, LONGEST_PAUSE)
    most = min(first * 2 ** min(attempt - 1, 20), longest)
    return max(chance.random() * most, min(retry_after or timedelta(0), LONGEST_ASKED))


LONGEST_READABLE_KEY = 120
_OURS = frozenset("~+")
"""What no key of a workflow's own has in it as the other side sees it: here begin the parts that are added to keys."""


def outside_key(tenant: UUID, action: str, key: str) -> str:
    """The idempotency key that the other side sees: visible ASCII, at most 255 characters for names of usual length.

    INVARIANT: two tenants never share one, though they share a connector and name their cases alike. A key that is long
    or not ASCII stands there as a digest, and so does one with a character by which parts are added: ``~`` before a
    generation, ``+`` before a successor's number. So no key of one action is ever a later key of another.

    Args:
        tenant: Whose action.
        action: ``workflow/action``.
        key: The workflow's own key.
    """
    printable = key.isascii() and key.isprintable() and " " not in key
    readable = printable and _OURS.isdisjoint(key) and len(key) <= LONGEST_READABLE_KEY
    return f"{tenant.hex}/{action}/{key if readable else f'~{short_digest(key.encode()).hex}'}"


def succeeding_key(key: str, number: int) -> str:
    """The key of what takes the place of an action that was sent under ``key``, surely without effect.

    Args:
        key: As ``outside_key`` gave it.
        number: Which in the order of those that bore it, from 1: the first one bears the key itself.
    """
    return key if number == 1 else f"{key}+{number}"


def may_begin(action: Action, moment: datetime) -> bool:
    """Whether an action may still begin at a moment: before its deadline, and while its decision is valid."""
    return moment <= min(action.deadline, action.valid_until or action.deadline)


class NextMove(StrEnum):
    """What to do about an action whose answer was lost."""

    LOOK_UP = "look_up"
    VOID = "void"
    SEND_AGAIN = "send_again"
    WAIT = "wait"
    ASK_PERSON = "ask_person"


class Move(msgspec.Struct, frozen=True):
    """What to do about an action whose answer was lost, and why.

    Attributes:
        move: What.
        why: In a sentence.
        at: For a wait: until when. For another sending: when a look-up that finds nothing ends the doubt without one.
        cleared: For another sending: whether no earlier request can take effect any more, so that the doubt is over.
    """

    move: NextMove
    why: str
    at: datetime | None = None
    cleared: bool = False


def is_remembered(action: Action, abilities: Abilities, now: datetime) -> bool:
    """Whether a request that is sent now, and that lives as long as it can, still meets its key at the other side.

    Args:
        action: With its times of sending.
        abilities: What its connector can do.
        now: The database's time.
    """
    until = remembered_until(action, abilities)
    return abilities.honours_keys and (until is None or now < until)


def remembered_until(action: Action, abilities: Abilities) -> datetime | None:
    """Until when a dispatch may be committed whose request, however late it arrives, still meets its key.

    Args:
        action: With its times of sending; None for one that was not sent.
        abilities: What its connector can do.
    """
    if action.first_sent_at is None:
        return None
    patience = action.send_deadline - action.sent_at if action.send_deadline and action.sent_at else timedelta(0)
    latest = patience + (abilities.max_request_life or timedelta(0)) + SAFETY
    return action.first_sent_at + abilities.key_retention - latest


def is_voidable(action: Action, abilities: Abilities, now: datetime) -> bool:
    """Whether making the key void, now, proves that no request under it has had or will have an effect.

    Where keys are remembered for a time, both that there was an effect and that a key is void are forgotten with it:
    the first request must be remembered still, and the last one dead before the voiding is forgotten. Without a time
    they are remembered for ever.

    Args:
        action: With its times of sending.
        abilities: What its connector can do.
        now: The database's time.
    """
    if not abilities.can_void or not abilities.honours_keys or action.first_sent_at is None:
        return abilities.can_void
    memory = abilities.key_retention - SAFETY
    last_arrival = last_sending(action) + (abilities.max_request_life or timedelta(0))
    return now < action.first_sent_at + memory and last_arrival < now + memory


def dead_at(action: Action, abilities: Abilities) -> datetime | None:
    """From when on no request of the action can take effect any more; None if nobody can know.

    A request lives until its sender has let go of it or is dead, and then for as long as it can live outside.
    """
    if abilities.max_request_life is None or action.sender_ends_at is None:
        return None
    return last_sending(action) + abilities.max_request_life


def last_sending(action: Action) -> datetime:
    """From when on no process can send a request of it any more, as far as is known."""
    moments = (action.send_deadline, action.sender_ends_at)
    return max((moment for moment in moments if moment), default=action.created_at)


def settle_doubt(  # noqa: PLR0911 - one line for each thing that may be done
    action: Action, abilities: Abilities, now: datetime, *, absent: bool = False, voided: bool = False
) -> Move:
    """What may be done about an action whose answer was lost.

    INVARIANT: it says SEND_AGAIN only if a second effect is impossible: under the same key while the other side
    remembers it; under a new key when the old one is void; or when a look-up found nothing and every request is dead
    for sure. Checked exhaustively in ``model/``.

    Args:
        action: In doubt, or dispatching under a worker that lost its case.
        abilities: What its connector can do.
        now: The database's time.
        absent: Whether a look-up, just made, found nothing.
        voided: Whether its key, just now, was made void.
    """
    if voided:
        return Move(NextMove.SEND_AGAIN, "its key is void: no earlier request can take effect", cleared=True)
    if abilities.can_look_up and not absent:
        return Move(NextMove.LOOK_UP, "the other side can be asked by key")
    dead = dead_at(action, abilities)
    voidable = is_voidable(action, abilities, now)
    if absent and dead and now >= dead and not voidable:
        return Move(NextMove.SEND_AGAIN, "it is not there, and no request can be under way any more", cleared=True)
    if is_remembered(action, abilities, now):
        why = "the other side honours the key: sent again, it takes effect once"
        return Move(NextMove.SEND_AGAIN, why, dead if absent else None)
    if voidable:  # also when nothing can arrive any more: a worker that died may have made the key void, unrecorded
        return Move(NextMove.VOID, "its key can be made void, so that no late request takes effect")
    safe = dead or last_sending(action)
    if now < safe:
        return Move(NextMove.WAIT, "a request that is under way may still take effect", safe)
    if dead is None:
        return Move(NextMove.ASK_PERSON, "nobody can say for how long a request may still take effect")
    return Move(NextMove.ASK_PERSON, "the other side cannot be asked")
