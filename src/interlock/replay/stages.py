"""The stages of a replayed decision, each held against its record. Pure."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.components.component import OUTSIDE
from interlock.components.taken import Taken
from interlock.decisions.decision import Became
from interlock.decisions.draft import Draft, as_decimal
from interlock.decisions.route import STOPPED
from interlock.decisions.sealed_record import record_hash
from interlock.decisions.store import canonical
from interlock.money import Money
from interlock.replay.asking import AskingAgain, Tried
from interlock.replay.compare import outputs_apart, short
from interlock.replay.record import Record
from interlock.replay.result import Stage, Status


class _Taken(msgspec.Struct, frozen=True):
    record: str | None = None


def record_stage(record: Record, tenant: UUID, entries: Sequence[bytes]) -> Stage:
    """Whether the record is the one that was taken: the ledger has its hash, and it holds together.

    Args:
        record: The record.
        tenant: Whose.
        entries: The bodies of the ledger's entries that it was taken.
    """
    decision = record.decision
    wrong = [
        name
        for name, data, digest in (
            ("input", decision.input, decision.input_hash),
            ("output", decision.output, decision.output_hash),
        )
        if (hashlib.sha256(data).digest() if data is not None else None) != digest
    ]
    told = [f"the {name} is not that of its hash" for name in wrong]
    told += [f"the {name} is not that of the attempts" for name in _unlike_attempts(record)]
    stage, now = functools.partial(Stage, name="record"), record_hash(decision, tenant)
    try:
        sealed = {msgspec.json.decode(one, type=_Taken).record for one in entries}
    except (msgspec.MsgspecError, ValueError):
        sealed = set[str | None]()
        told.append("the ledger's entry of it cannot be read")
    if other := sorted(sealed - {None, now}, key=str):
        told = ["it is not the record whose hash the ledger has", *told]
        return stage(
            status=Status.DIFFERENT, what="; ".join(told), recorded=f"SHA-256 {other[0]}", replayed=f"SHA-256 {now}"
        )
    if told:
        return stage(status=Status.DIFFERENT, what="; ".join(told))
    if not entries:
        return stage(status=Status.NOT_RUN, what="the ledger has no entry of it")
    if None in sealed:  # of before records were hashed
        return stage(status=Status.EQUAL, what="input and output are those of their hashes; the ledger has none of it")
    return stage(status=Status.EQUAL, what="the ledger has its hash")


def _unlike_attempts(record: Record) -> Iterator[str]:
    """The columns that say otherwise than the attempts who answered, and how sure it was."""
    decision = record.decision
    best = record.attempts[record.best] if record.best is not None else None
    digest = decision.component_digest.hex() if decision.component_digest else ""
    if (decision.component, digest) != ((best.component, best.digest) if best else ("person", "")):
        yield "component"
    if (decision.confidence, decision.confidence_needed) != ((best.confidence, best.needed) if best else (None, None)):
        yield "confidence"
    if (decision.output is None) != (best is None):
        yield "output"
    if decision.propensity != (as_decimal(Fraction(best.propensity)) if best else 1):
        yield "propensity"


def component_stages(record: Record, again: AskingAgain, draft: Draft) -> Iterator[Stage]:
    """A stage for each component that was asked then."""
    for place, tried in enumerate(again.tried):
        yield _component(place, tried, record, draft)
    for place in range(len(again.tried), len(record.attempts)):
        one = record.attempts[place]
        yield Stage(
            name=f"component {place + 1}",
            status=Status.DIFFERENT,
            what=f"{one.component} is not asked now: the asking ends before it",
            recorded=one.became,
        )


def _component(place: int, tried: Tried, record: Record, draft: Draft) -> Stage:
    name, recorded = f"component {place + 1}", tried.recorded
    who = tried.what or recorded.component
    if tried.status is not Status.EQUAL:
        what = f"{who}; {tried.failure}" if tried.failure else who
        return Stage(name=name, status=Status.NOT_RUN if tried.failure else tried.status, what=what)
    if tried.proposal is None:
        then = f"{recorded.became}: {recorded.why}" if recorded.why else str(recorded.became)
        same = recorded.became is Became.FAILED and recorded.why == tried.failure
        if same:
            return Stage(name=name, status=Status.EQUAL, what=f"{who} fails as it did: {tried.failure}")
        now = f"failed: {tried.failure}"
        return Stage(name=name, status=Status.DIFFERENT, what=who, recorded=then, replayed=now)
    if recorded.became is Became.FAILED:
        then = f"failed: {recorded.why}"
        return Stage(name=name, status=Status.DIFFERENT, what=who, recorded=then, replayed="it answers")
    if tried.apart:
        return Stage(name=name, status=Status.WITHIN_TOLERANCE, what=f"{who}: {tried.apart}")
    return _answer(name, who, place, tried, record, draft)


def _answer(name: str, who: str, place: int, tried: Tried, record: Record, draft: Draft) -> Stage:
    told: list[tuple[str, str, str]] = []
    proposal, recorded, best = tried.proposal, tried.recorded, draft.asking.best
    if proposal is None:
        raise AssertionError("only who answers comes here")
    if place == record.best:
        # what was concealed stands in the draft: personal values are on record as tokens
        concealed = best is not None and best.component == proposal.component
        taken = best.answer if best is not None and concealed else proposal.answer
        told.extend(_what_differs(record, taken, outside=tried.reference.kind in OUTSIDE))
        contract = draft.asked.library.contract_name(draft.asked.point.output)
        if contract != record.decision.output_contract:
            told.append(("output contract", str(record.decision.output_contract), str(contract)))
    if proposal.answer.confidence != recorded.confidence:
        told.append(("confidence", repr(recorded.confidence), repr(proposal.answer.confidence)))
    if str(proposal.propensity) != recorded.propensity:
        told.append(("propensity", recorded.propensity, str(proposal.propensity)))
    became = Became.ANSWERED if proposal.sure else Became.UNSURE
    if became is not recorded.became:
        told.append(("it is", str(recorded.became), str(became)))
    if not told:
        return Stage(name=name, status=Status.EQUAL, what=who)
    return Stage(
        name=name,
        status=Status.DIFFERENT,
        what=who,
        recorded="; ".join(f"{what} {then}" for what, then, _ in told),
        replayed="; ".join(f"{what} {now}" for what, _, now in told),
    )


def _what_differs(record: Record, taken: Taken, *, outside: bool) -> Iterator[tuple[str, str, str]]:
    then, now = outputs_apart(record.decision.output, taken.output_json)
    if then or now:
        yield "output", then, now
    fired = canonical.encode(record.evidence.fired)
    if fired != taken.fired_json:
        yield "rows that fired", short(fired), short(taken.fired_json)
    evidence = canonical.encode(record.evidence.evidence)
    if evidence != taken.evidence_json and not outside:  # who is outside tells of the call, too, which is another
        yield "evidence", *outputs_apart(evidence, taken.evidence_json)


def route_stages(record: Record, draft: Draft, again: AskingAgain, *, policy_gone: str) -> Iterator[Stage]:
    """Findings, verdicts, what is at stake, the route and its reasons."""
    decision, best = record.decision, draft.asking.best
    if again.blocked:
        autonomy = ("autonomy",) if draft.asked.point.autonomy is not None else ()
        for name in ("findings", "verdicts", "exposure", *autonomy, "route", "reasons"):
            yield Stage(name=name, status=Status.NOT_RUN, what=f"it rests on {again.blocked}")
        return
    findings = _compare("findings", decision.findings, canonical.encode(best.findings if best else ()))
    if again.late_checks:
        findings = Stage(name="findings", status=Status.RECORDED, what="a check had no time left then")
    yield findings
    yield _verdicts(record, draft, policy_gone)
    yield _exposure(record, draft)
    if draft.asked.point.autonomy is not None:
        held = best.held.recorded if best and best.held else None
        yield _compare("autonomy", canonical.encode(record.evidence.autonomy), canonical.encode(held))
    yield _route(record, draft)
    yield _compare("reasons", decision.reasons, canonical.encode(draft.routed.reasons))


def _verdicts(record: Record, draft: Draft, policy_gone: str) -> Stage:
    stage = _compare("verdicts", record.decision.verdicts, canonical.encode(draft.verdicts))
    if stage.status is not Status.EQUAL:
        return stage
    if policy_gone:
        status = Status.NOT_RUN if record.evidence.policy and record.evidence.policy.digest else Status.RECORDED
        return Stage(name="verdicts", status=status, what=f"{policy_gone}; its recorded word counts")
    return _compare("verdicts", canonical.encode(record.evidence.policy), canonical.encode(draft.ruling))


def _exposure(record: Record, draft: Draft) -> Stage:
    decision, best, point = record.decision, draft.asking.best, draft.asked.point
    needed = best.needed if best else None
    then = f"{_amount(decision.exposure)}, {_sureness(decision.confidence_needed)}"
    now = f"{_amount(draft.exposure)}, {_sureness(needed)}"
    if then != now:
        return Stage(name="exposure", status=Status.DIFFERENT, recorded=then, replayed=now)
    if draft.asked.exposure is not None or point.exposure is None:
        return Stage(name="exposure", status=Status.RECORDED, what=f"{then}; its caller states what is at stake")
    return Stage(name="exposure", status=Status.EQUAL, what=then)


def _amount(exposure: Money | None) -> str:
    return str(exposure) if exposure is not None else "an unknown amount"


def _sureness(needed: float | None) -> str:
    return f"needs {needed!r}" if needed is not None else "needs a person"


def _route(record: Record, draft: Draft) -> Stage:
    decision = record.decision
    valid = decision.valid_until - decision.decided_at if decision.valid_until is not None else None
    then, now = _told(str(decision.route), valid), _told(str(draft.routed.route), draft.asked.point.valid_for)
    if then != now:
        return Stage(name="route", status=Status.DIFFERENT, recorded=then, replayed=now)
    if record.held_off:
        stopped = "it was stopped: " if record.held_off.code == STOPPED else ""
        return Stage(name="route", status=Status.RECORDED, what=f"{then}; {stopped}{record.held_off.what}")
    return Stage(name="route", status=Status.EQUAL, what=then)


def _told(route: str, valid: object) -> str:
    return f"{route}, valid for {valid}"


def _compare(name: str, recorded: bytes, now: bytes) -> Stage:
    if recorded == now:
        return Stage(name=name, status=Status.EQUAL)
    then_text, now_text = outputs_apart(recorded, now)
    return Stage(name=name, status=Status.DIFFERENT, recorded=then_text, replayed=now_text)
