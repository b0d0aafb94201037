"""From input to payment in words that an auditor follows. Pure.

Versions, confidence, thresholds, the rule that fired, who decided, when, and amounts. Every sentence comes from a
record; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.actions.stale import assumed_of
from interlock.actions.store import Attempt
from interlock.cases.events import OutsideEvent
from interlock.cases.flags.flag import FlagGiven
from interlock.cases.journal import Recorded, StepKind
from interlock.cases.record import CaseRecord
from interlock.cases.store import CaseState, Quarantined
from interlock.decisions.costs import shown_usd
from interlock.decisions.decision import Became, ComponentAsked, Decision
from interlock.decisions.features.read import FeatureUsed, recorded_features
from interlock.decisions.readable import DAMAGE, recorded_evidence, said, unreadable
from interlock.ledger.ledger import ReadEntry
from interlock.oversight.exception import CaseException
from interlock.oversight.review import Review, ReviewState

_TURNS = {
    "case.cancel_wanted": "Nothing new begins in the case",
    "case.corrected": "The case began anew",
    "case.migrated": "The case was moved to other code",
}
_SUPERSEDED = ("It no longer held when its action was to begin, and was taken anew.",)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the story.

    Attributes:
        at: When it happened, UTC.
        title: What it is about, with the id under which the record is found.
        lines: What happened, a sentence a line.
    """

    at: datetime
    title: str
    lines: tuple[str, ...]


def explain(record: CaseRecord) -> tuple[Passage, ...]:
    """The story of a case, in order of time."""
    case = record.case
    reviews = {review.id: review for review in record.reviews}
    superseded = {entry.subject for entry in record.entries if entry.kind == "decision.superseded"}
    told = [Passage(at=case.created_at, title=f"Case {case.id} was received", lines=tuple(_received(record)))]
    told += [_quarantine(quarantined) for quarantined in record.quarantines]
    told += [decision_passage(decision, superseded=decision.id in superseded) for decision in record.decisions]
    told += [review_passage(review) for review in reviews.values()]
    told += [
        Passage(
            at=action.created_at,
            title=f"Action {action.workflow}.{action.name} ({action.id})",
            lines=tuple(_lines(_action(action, record.attempts[action.id]))),
        )
        for action in record.actions
    ]
    told += [
        Passage(at=one.received_at, title=f"Event {one.name} ({one.id})", lines=tuple(_lines(_event(one))))
        for one in record.events
    ]
    told += [
        Passage(at=one.started_at, title=f"Flag {one.name} (step {one.place})", lines=tuple(_lines(_flag(one))))
        for one in record.steps
        if one.kind is StepKind.FLAG and one.result is not None
    ]
    told += [_exception(exception) for exception in record.exceptions]
    told += [
        Passage(at=one.at, title=_TURNS[one.kind], lines=tuple(_lines(_turn(one))))
        for one in record.entries
        if one.kind in _TURNS
    ]
    return (*sorted(told, key=lambda passage: passage.at), where_it_is(record))


def as_text(passages: tuple[Passage, ...]) -> str:
    """The story as plain text."""
    return "\n\n".join(
        "\n".join([f"{when(passage.at)}  {passage.title}", *(f"    {line}" for line in passage.lines)])
        for passage in passages
    )


def when(moment: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"


def _received(record: CaseRecord) -> Iterator[str]:
    case = record.case
    yield f"Workflow {case.workflow} {case.version}, key {case.key!r}, {len(case.input)} bytes of input."
    if case.caller:
        yield f"Submitted by {case.caller}."
    yield f"It finishes on the code with the content hash {case.code.hex}."


def _quarantine(quarantined: Quarantined) -> Passage:
    lines = [f"The data broke the contract {quarantined.contract} and were kept whole:"]
    lines += [f"- {violation}" for violation in quarantined.broken]
    if quarantined.resolved_by and quarantined.resolved_at:
        lines.append(f"{quarantined.state} by {quarantined.resolved_by} at {when(quarantined.resolved_at)}.")
    return Passage(at=quarantined.created_at, title=f"Quarantine ({quarantined.id})", lines=tuple(lines))


def decision_passage(decision: Decision, *, superseded: bool = False) -> Passage:
    """How a decision was taken."""
    why = unreadable(decision)
    told = (unread(why),) if why else _lines(_decision(decision))
    return Passage(
        at=decision.decided_at,
        title=f"Decision {decision.workflow}.{decision.point} ({decision.id})",
        lines=(*told, *(_SUPERSEDED if superseded else ())),
    )


def unread(why: str) -> str:
    """That a record cannot be read, as no record of ours is written."""
    return f"The record cannot be read as it is now ({why})."


def _lines(told: Iterator[str]) -> Iterator[str]:
    """The sentences of one record, as far as it can be read: a damaged one keeps nothing else from being told."""
    try:
        yield from told
    except DAMAGE as cause:
        yield unread(said(cause))


def _decision(decision: Decision) -> Iterator[str]:
    contract = f", contract {decision.input_contract}" if decision.input_contract else ""
    yield f"Input: SHA-256 {decision.input_hash.hex()}{contract}."
    for name, used in recorded_features(decision).items():
        yield _feature(name, used)
    for asked in decision.asked:
        yield _asked(asked)
    if decision.answer is not None:
        yield f"Answer of {decision.component}: {_short(decision.answer)} (contract {decision.output_contract})."
    for fired in recorded_evidence(decision).fired:
        cells = "; ".join(f"{title}: {text}" for title, text in fired.cells.items() if text.strip())
        note = f" - {fired.note}" if fired.note else ""
        yield f"Rule that fired: table {fired.table}, row {fired.row}{note} [{cells}]."
    if decision.exposure is not None:
        yield f"At stake: {decision.exposure}."
    for finding in msgspec.json.decode(decision.findings):
        yield f"Check {finding['code']} ({finding['severity']}): {finding['what']}"
    why = "; ".join(reason.what for reason in decision.why)
    yield f"Route: {decision.route}, because {why}."
    for fact in assumed_of(decision.facts):
        yield f"It assumed {fact.name} {_short(fact.parameters)}: {_short(fact.value)}, read at {when(fact.read_at)}."
    if decision.supersedes:
        yield f"It takes the place of the decision {decision.supersedes}, which no longer held."
    if decision.valid_until:
        yield f"An action may begin on its strength until {when(decision.valid_until)}."
    cost = f"Cost beside compute: {decision.cost:f} USD. " if decision.cost else ""
    yield f"{cost}The workflow's file in force had the SHA-256 {decision.declaration.hex()}."


def _asked(asked: ComponentAsked) -> str:
    name = f"{asked.component} (SHA-256 {asked.digest[:16]}…)" if asked.digest else asked.component
    match asked.became:
        case Became.ANSWERED | Became.UNSURE:
            needed = "a person was needed, however sure" if asked.needed is None else f"{asked.needed:g} was needed"
            enough = "sure enough" if asked.became is Became.ANSWERED else "not sure enough"
            return f"Asked {name}: confidence {asked.confidence or 0:.4f}, {needed}: {enough}.{_cost(asked)}"
        case Became.ASKED:
            return "A person was next in the declared order."
        case Became.COMPARED:
            return f"Asked {name} to compare it; its answer is of no account.{_cost(asked)}"
        case _:
            return f"Asked {name}: {asked.became}: {asked.why}.{_cost(asked)}"


def _cost(asked: ComponentAsked) -> str:
    if not asked.cost:
        return ""
    used = f" for {asked.usage.input} tokens in and {asked.usage.output} out" if asked.usage else ""
    return f" It cost {shown_usd(asked.cost)}{used}."


def review_passage(review: Review) -> Passage:
    """What a person was asked, and what they said."""
    title = f"Review of {review.point} ({review.id})"
    return Passage(at=review.created_at, title=title, lines=tuple(_lines(_review(review))))


def _review(review: Review) -> Iterator[str]:
    yield f"Queue {review.queue}, asked because: {'; '.join(review.asked.why)}."
    if review.resolution and review.resolved_at:
        note = f" - {review.note}" if review.note else ""
        how = f"{review.resolution} ({review.reason_code}{note})"
        yield f"{review.resolved_by} decided {how} at {when(review.resolved_at)}."
        if review.output is not None and review.output != review.proposal:
            yield f"What holds instead: {_short(msgspec.json.decode(review.output))}."
    elif review.state is ReviewState.WITHDRAWN:
        yield "It was withdrawn: nobody needs the answer any more."
    elif review.claimed_by:
        yield f"{review.claimed_by} works on it."
    else:
        yield "It waits for a person."


def _action(action: Action, attempts: tuple[Attempt, ...]) -> Iterator[str]:
    amount = f"{action.exposure} " if action.exposure is not None else ""
    yield f"{amount}through the connector {action.connector}, domain {action.domain}, key {action.key!r}."
    yield f"Asked for: {_short(msgspec.json.decode(action.payload))}."
    if action.undo_of:
        yield f"It takes the action {action.undo_of} back."
    if action.decision_id:
        yield f"It rests on the decision {action.decision_id}."
    if action.sent_at and action.decided_at:
        yield f"That was {(action.sent_at - action.decided_at).total_seconds():.3f} s old when this was sent."
    for attempt in attempts:
        detail = f": {attempt.detail}" if attempt.detail else ""
        ended = attempt.outcome or "no answer was recorded: its worker ended before"
        yield f"Attempt {attempt.number} at {when(attempt.sent_at)}: {ended}{detail}."
    if action.response is not None:
        yield f"The other side answered: {_short(msgspec.json.decode(action.response))}."
    if action.error and action.ended_at:
        yield f"{action.error}."
    if action.state is ActionState.READY:
        if action.not_before:
            yield f"Attempt {len(attempts) + 1} may begin at {when(action.not_before)}."
        yield f"It must begin by {when(action.deadline)}."
    ended = f" at {when(action.ended_at)}" if action.ended_at else ""
    yield f"State: {action.state}{ended}."


def _event(event: OutsideEvent) -> Iterator[str]:
    yield f"{event.sender} sent {event.name}: {_short(msgspec.json.decode(event.payload))}."
    yield f"The case took it at {when(event.taken_at)}." if event.taken_at else "The case has not taken it."


def _flag(step: Recorded) -> Iterator[str]:
    given = msgspec.json.decode(step.result or b"{}", type=FlagGiven)
    variant = f", variant {given.variant}" if given.variant else ""
    asked = f" by the provider {given.provider}" if given.provider else ""
    if given.error:
        yield f"The workflow's default {_short(given.value)} held{asked}: {given.error}: {given.what}."
    else:
        yield f"It was {_short(given.value)}{variant}{asked}, because {given.reason}."


def _feature(name: str, used: FeatureUsed) -> str:
    since = f", of {when(used.at)}" if used.at and not used.why else ""
    if used.value is None:
        return f"Feature {name} version {used.version} could not be used: {used.why}: {used.what}."
    why = f" ({used.why}: {used.what})" if used.why else ""
    code = f", code with the SHA-256 {used.digest[:16]}…" if used.digest else ""
    return f"Feature {name} version {used.version}: {_short(used.value)}{since}, from {used.source}{code}{why}."


def _exception(exception: CaseException) -> Passage:
    lines = [f"{exception.kind}: {exception.what}", f"Owner: {exception.owner or 'nobody is declared'}."]
    if exception.resolved_at:
        lines.append(
            f"{exception.state} by {exception.resolved_by} at {when(exception.resolved_at)}: {exception.resolution}."
        )
    return Passage(at=exception.created_at, title=f"Exception ({exception.id})", lines=tuple(lines))


def _turn(entry: ReadEntry) -> Iterator[str]:
    """What somebody did with the case as a whole."""
    told = msgspec.json.decode(entry.body, type=dict[str, Any])
    match entry.kind:
        case "case.migrated":
            origin, target = told["origin"], told["target"]
            versions = f"from {origin['version']} (code {origin['code']}) to {target['version']}"
            yield f"{told['who']} moved it {versions}: {told['why']}."
        case "case.corrected":
            yield f"{told['who']} corrected its input; run {told['run']} began with it."
        case _:
            yield f"{told['who']} cancelled it: {told['why']}."


def where_it_is(record: CaseRecord) -> Passage:
    """Where a case stands."""
    case = record.case
    match case.state:
        case CaseState.DONE:
            line = f"The case is done: {case.conclusion}."
        case CaseState.WAITING:
            until = f", until {when(case.wake_at)}" if case.wake_at else ""
            line = f"The case waits for {case.waiting_for}{until}."
        case CaseState.EXCEPTION:
            line = f"The case cannot go on: {case.waiting_for}."
        case CaseState.CANCELLED:
            line = f"The case is {case.waiting_for or 'cancelled'}."
        case _:
            line = f"The case is {case.state}."
    wanted = f"It is to be cancelled, by {case.cancel_by}: {case.cancel_why}." if case.cancel_at else ""
    lines = (line, wanted) if wanted and case.state is not CaseState.CANCELLED else (line,)
    return Passage(at=case.changed_at, title="Where it is", lines=lines)


def _short(value: Any, most: int = 400) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
