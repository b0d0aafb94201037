"""What is told, to whom, in which words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import msgspec

from interlock.authority.actor import known_as
from interlock.db.gates import short_digest
from interlock.money import Money
from interlock.notify_settings import ADDRESS, ChannelKind, Event, NotifySettings
from interlock.oversight.index import Worth

MOST_LINES = 12
"""Lines of one message; the others are counted."""
_NOBODY: Mapping[str, str] = MappingProxyType({})
_HALF, _NEAR, _PAST = "half", "near", "past"
_WHEN = {_HALF: "half of its time is over", _NEAR: "four fifths of its time are over", _PAST: "it is past its deadline"}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, or stands so, that somebody may be told of.

    Attributes:
        kind: What.
        subject: What it is about: a review, an exception, a stop, a queue.
        stage: Tells one time from the next: told once for each.
        item: review, exception, stop or queue.
        person: Whom it concerns.
        team: Whose work it is: of what has no team, its queue's or its owner's.
        queue: Where it waits.
        workflow: Of which workflow.
        what: A name that says more: the point, the exception's kind, the scope.
        exposure_minor: The money at stake, in minor units.
        currency: Of that.
        urgency: The expected loss, in minor units; where what is at stake is unknown, the doubt in millionths.
    """

    kind: Event
    subject: UUID
    stage: str
    item: str
    person: str | None
    team: str | None
    queue: str | None
    workflow: str | None
    what: str
    exposure_minor: int | None
    currency: str | None
    urgency: int


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be told by mail."""

    name: str
    email: str
    teams: tuple[str, ...]


class NewNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way in: fields as in the table."""

    id: UUID
    tenant: UUID
    channel: str
    recipient: str
    kind: str
    subject: UUID
    stage: str
    line: str
    path: str
    created_at: datetime
    due_at: datetime


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is to be sent: fields as in the table."""

    id: UUID
    channel: str
    recipient: str
    kind: str
    subject: UUID
    line: str
    path: str
    letter: UUID
    attempts: int


def notices_of(
    tenant: UUID,
    channel: NotifySettings,
    facts: Sequence[Fact],
    readers: Sequence[Reader],
    stand_ins: Mapping[str, str],
    now: datetime,
    worth: Worth,
    owners: Mapping[str, str] = _NOBODY,
) -> Iterator[NewNotice]:
    """What a channel tells of facts; the same again for the same facts.

    Args:
        tenant: Whose.
        channel: The channel.
        facts: What there is to tell.
        readers: Who can be told by mail.
        stand_ins: Who stands in for the owner of each workflow, by its file.
        now: When.
        worth: What amounts count for in the order of work: the same makes an item urgent.
        owners: Who answers for each workflow, by its file: told of what is certified, as who stands in for them is.
    """
    for fact in facts:
        if not _concerns(channel, fact, worth):
            continue
        for recipient in sorted(_recipients(channel, fact, readers, stand_ins, owners)):
            told = (channel.name, recipient, fact.kind, fact.subject.hex, fact.stage)
            yield NewNotice(
                id=short_digest(b"notice", tenant.bytes, *(part.encode() + b"\0" for part in told)),
                tenant=tenant,
                channel=channel.name,
                recipient=recipient,
                kind=fact.kind,
                subject=fact.subject,
                stage=fact.stage,
                line=line_of(fact, amounts=channel.amounts, names=channel.kind is not ChannelKind.MAIL),
                path=path_of(fact),
                created_at=now,
                due_at=now,
            )


def _concerns(channel: NotifySettings, fact: Fact, worth: Worth) -> bool:
    if not channel.tells(fact.kind):
        return False
    if fact.kind is Event.URGENT and worth.loss(fact.urgency, fact.currency) < channel.above:
        return False
    if channel.queues and fact.queue is not None and fact.queue not in channel.queues:
        return False
    return not (channel.teams and fact.team is not None and fact.team not in channel.teams)


def _recipients(
    channel: NotifySettings,
    fact: Fact,
    readers: Sequence[Reader],
    stand_ins: Mapping[str, str],
    owners: Mapping[str, str],
) -> set[str]:
    alone = fact.kind in (Event.ASSIGNED, Event.ASKED) or fact.stage == _HALF
    if channel.kind is not ChannelKind.MAIL:
        return set() if alone and fact.person is None else {""}
    concerned = {known_as(fact.person)} if fact.person else set[str]()
    found = {one.email for one in readers if known_as(one.name) in concerned}
    if alone:
        return found
    teams = set(channel.teams) or ({fact.team} if fact.team else set[str]())
    people = {known_as(name) for name in channel.people}
    answering = [one.get(fact.workflow or "", "") for one in (owners, stand_ins)] if fact.kind is Event.AUTONOMY else []
    people |= {known_as(who) for who in answering if who}
    teams |= {who for who in answering if who}
    found |= {who for who in answering if ADDRESS.match(who)}
    found |= {one.email for one in readers if teams & set(one.teams) or known_as(one.name) in people}
    stand_in = stand_ins.get(fact.workflow or "", "") if fact.stage == _PAST else ""
    if ADDRESS.match(stand_in):  # a file may name a person or a team in words
        found.add(stand_in)
    return found


def line_of(fact: Fact, *, amounts: bool, names: bool) -> str:
    """What is said of a fact, in a line.

    Args:
        fact: It.
        amounts: Whether amounts are told.
        names: Whether whom it concerns is named; by mail they know.
    """
    where = f" in {fact.queue}" if fact.queue else ""
    of = f" of {fact.workflow}" if fact.workflow else ""
    thing = f"A {fact.item}" if fact.item != "exception" else "An exception"
    thing = f"{thing} ({fact.what}){of}{where}"
    whom = f" {fact.person}" if names and fact.person else " you"
    said = {
        Event.URGENT: f"{thing} is urgent",
        Event.ASSIGNED: f"{thing} is given to{whom}",
        Event.ASKED: f"{thing}:{whom} {'is' if names else 'are'} asked something",
        Event.DEADLINE: f"{thing}: {_WHEN.get(fact.stage, 'its deadline is near')}",
        Event.SECOND: f"{thing} waits for another person's verdict",
        Event.STOP: f"{fact.what} is stopped",
        Event.EXCEPTION: f"{thing} of the highest priority is open",
        Event.CAPACITY: f"The queue {fact.what} is too full",
        Event.AUTONOMY: f"What is certified{of} at {fact.what}",
        Event.DIGEST: fact.what,
    }[fact.kind]
    amount = Money.of_columns(fact.exposure_minor, fact.currency) if amounts else None
    return f"{said}; {amount} at stake" if amount else said


def path_of(fact: Fact) -> str:
    """Where in the console it is to be seen."""
    match fact.item:
        case "review":
            return f"/console/reviews/{fact.subject}"
        case "exception":
            return f"/console/exceptions/{fact.subject}"
        case "stop":
            return f"/console/stops/{fact.subject}"
        case "certificate":
            return "/console/autonomy"
        case _:
            return "/console/capacity" if fact.kind is Event.CAPACITY else "/console/queue"


def letter_of(notices: Sequence[Notice], public_url: str) -> tuple[str, str]:
    """The subject and the text of one message of several notices; what is beyond the first lines is counted.

    Args:
        notices: At least one, in their order.
        public_url: Where people reach the console.
    """
    first, count = notices[0], len(notices)
    subject = first.line if count == 1 else f"{first.line}, and {count - 1} more"
    lines = [f"{one.line}\n{public_url}{one.path}" for one in notices[:MOST_LINES]]
    if count > MOST_LINES:
        lines.append(f"and {count - MOST_LINES} more: {public_url}/console/queue")
    return subject[:200], "\n\n".join(lines) + "\n"
