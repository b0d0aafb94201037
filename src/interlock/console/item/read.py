"""All that the page of a review shows, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.explain import Passage, explain
from interlock.cases.finding import searchable_points
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.registry import Registered
from interlock.cases.verdicts import hold_for, shown_now
from interlock.console.item.evidence import Sides, WordPage, drawn, sides, word_page
from interlock.console.item.form import Entry, entries
from interlock.console.item.history import History, read_history
from interlock.console.item.outcome import Choice, Standing, choices_of
from interlock.console.item.standing import Seen, seen_by
from interlock.console.item.store import ORIGIN_OF_CASE
from interlock.console.item.tree import Tree, tree_of
from interlock.console.item.why import Distance, Reason, Version, distances, findings, fired, reasons, versions
from interlock.console.visit import Visit
from interlock.contracts.contract import Contract
from interlock.decisions.decision import Decision
from interlock.decisions.point import REASONS, DecisionPoint
from interlock.decisions.store import FIND_DECISION
from interlock.errors import InterlockError, NotFound
from interlock.oversight.desk import Desk, judge
from interlock.oversight.note import Note
from interlock.oversight.practice.qualified import UNPRACTISED
from interlock.oversight.queue import find_review
from interlock.oversight.resolving import verdicts_for
from interlock.oversight.review import Question, Review
from interlock.oversight.store import FIND_REVIEW, NOTES_OF
from interlock.oversight.verdict import StoredVerdict
from interlock.privacy.reading import read_personal
from interlock.privacy.token import MARKER_BYTES, hide, hide_in

MOST_PASSAGES = 30
"""Of the timeline, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One review, as its page shows it.

    Attributes:
        review: As it is stored.
        question: With what may be shown of it.
        key: The key under which its case came, or the decision.
        handed_in_by: Who submitted its case.
        decision: What it is about; None: the workflow asks.
        registered: Its workflow; None: this process does not carry it.
        contract: Of the output; None: there is none, or it cannot be read here.
        seen: Where it stands for whoever looks.
        hides: Whether personal data stand hidden.
        purpose: For what they are shown; None: they are not.
        reasons: Why it came here.
        distances: How far it was from going by itself.
        versions: What judged.
        fired: The rows of decision tables that fired.
        findings: What the checks found.
        page: The words at their boxes, if the input is a page.
        sides: The two sides, if the input holds two.
        tree: The rest of the input.
        evidence: The rest of what the proposal rests on.
        proposal: The proposal as rows.
        form: The fields of the form, filled with the proposal.
        choices: What each choice does.
        history: What was decided before.
        timeline: What happened in the case.
        notes: What people told each other.
        settle: The two verdicts that differ, for whoever settles them.
        shown: What a verdict is bound to, as it comes back with the form.
        read_at: When it was read.
    """

    review: Review
    question: Question
    key: str
    handed_in_by: str
    decision: Decision | None
    registered: Registered | None
    contract: Contract | None
    seen: Seen
    hides: bool
    purpose: str | None
    reasons: tuple[Reason, ...]
    distances: tuple[Distance, ...]
    versions: tuple[Version, ...]
    fired: tuple[dict[str, Any], ...]
    findings: tuple[Reason, ...]
    page: WordPage | None
    sides: Sides | None
    tree: Tree
    evidence: Tree
    proposal: Tree | None
    form: tuple[Entry, ...]
    choices: tuple[Choice, ...]
    history: History
    timeline: tuple[Passage, ...]
    notes: tuple[Note, ...]
    settle: tuple[tuple[StoredVerdict, Tree | None], ...]
    shown: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Basis:
    """What a verdict on a review is read against: far less than its page shows.

    Attributes:
        review: As it is stored.
        question: With what may be shown of it.
        hides: Whether personal data stand hidden.
        registered: Its workflow; None: this process does not carry it.
        contract: Of the output; None: there is none, or it cannot be read here.
        reasons: The reasons that are declared for each resolution.
    """

    review: Review
    question: Question
    hides: bool
    registered: Registered | None
    contract: Contract | None
    reasons: Mapping[str, Sequence[str]]


def desk_of(visit: Visit) -> Desk:
    """What the verbs of oversight work with."""
    return visit.node.desk


async def read_seen(visit: Visit, review_id: UUID) -> tuple[Review, Seen]:
    """A review, and where it stands for whoever looks.

    Raises:
        NotFound: their tenant has none of that id.
    """
    node = visit.node
    async with node.database.tenant(visit.tenant) as connection:
        review = await FIND_REVIEW.one(connection, {"id": review_id})
    if review is None:
        raise NotFound(f"there is no review {review_id}", todo="the queue lists those that wait")
    verdict = await judge(desk_of(visit), visit.actor, "queue.settle" if review.disagreed else "queue.decide", review)
    why_not = _why_not(verdict.because, review)
    now = node.database.clock.now()
    return review, seen_by(review, visit.actor.name, may=verdict.allowed, why_not=why_not, now=now)


async def read_basis(visit: Visit, review_id: UUID) -> Basis:
    """What a verdict on a review is read against.

    Raises:
        NotFound: their tenant has none of that id.
    """
    return await _basis(visit, await find_review(visit.node.database, visit.tenant, review_id), None)


async def _basis(visit: Visit, review: Review, purpose: str | None) -> Basis:
    registered = visit.node.registry.find(review.workflow)
    registered = registered.for_tenant(visit.tenant) if registered else None
    question, hides = await _question(visit, review, purpose)
    point = _point(registered, review)
    terms = point.queue if point else None
    contract = contract_of(registered, question.output_contract)
    return Basis(review, question, hides, registered, contract, terms.reasons if terms else REASONS)


def _point(registered: Registered | None, review: Review) -> DecisionPoint | None:
    return registered.declaration.decisions.get(review.point) if registered else None


async def read_item(visit: Visit, review_id: UUID, *, purpose: str | None = None) -> Item:
    """A review with all that is shown beside it.

    Args:
        visit: Who looks.
        review_id: At what.
        purpose: For what its personal data are shown, which is put on the ledger; None: they stay hidden.

    Raises:
        NotFound: their tenant has none of that id.
        PurposeRefused: the data may not be read for that.
    """
    node, tenant, read_at = visit.node, visit.tenant, visit.node.database.clock.now()
    review, seen = await read_seen(visit, review_id)
    # before all else that is shown: what changes from here on lets a verdict be refused, whether the page has it or not
    shown = await shown_now(node.desk, node.registry, visit.actor, review)
    record = await read_record(node.database, tenant, review.case_id) if review.case_id else None
    fields = searchable_points(node.registry, tenant).get(f"{review.workflow}.{review.point}", ())
    async with node.database.tenant(tenant) as connection:
        decision = await _decision(connection, review, record)
        history = await read_history(connection, review, decision, fields)
        notes = await NOTES_OF.all(connection, {"task": review.id})
        origin = await ORIGIN_OF_CASE.one(connection, {"id": review.case_id}) if review.case_id else None
    basis = await _basis(visit, review, purpose)
    question, contract, registered = basis.question, basis.contract, basis.registered
    point = _point(registered, review)
    # also where personal data are shown, they stand hidden in the form: what is sent with it is compared with these
    proposed = msgspec.json.decode(hide(review.question), type=Question).proposal if purpose else question.proposal
    made = entries(contract.record if contract else None, proposed)
    tops = tuple(one.where.removeprefix("/") for one in made)
    page, two = word_page(question.input, question.evidence, tops), sides(question.input)
    standing = Standing(
        choices=question.choices,
        has_proposal=question.proposal is not None,
        exposure=review.exposure,
        point=review.point,
        hold=hold_for(node.registry, review, visit.actor),
        seats_left=seen.seats,
        reasons=basis.reasons,
        stops=tuple(one.scope for one in node.tools.decider.watch.in_force(tenant)),
        proposal=question.proposal,
        input=question.input,
        bears=_bears(review, decision, origin.caller if origin else ""),
    )
    return Item(
        review=review,
        question=question,
        key=hide_in(origin.key) if origin else (hide_in(decision.key) if decision else ""),
        handed_in_by=origin.caller if origin else "",
        decision=decision,
        registered=registered,
        contract=contract,
        seen=seen,
        hides=basis.hides,
        purpose=purpose,
        reasons=tuple(Reason(one.head, hide_in(one.what)) for one in reasons(question, decision)),
        distances=distances(question, decision, point),
        versions=versions(decision),
        fired=tuple(dict(one) for one in fired(decision)),
        findings=findings(question),
        page=page,
        sides=two if page is None else None,
        tree=tree_of(question.input, without=drawn(question.input)),
        evidence=tree_of(question.evidence, without=frozenset({"fired", "fields"}) if page else frozenset({"fired"})),
        proposal=tree_of(question.proposal) if question.proposal is not None else None,
        form=made,
        choices=choices_of(standing, registered.declaration if registered else None),
        history=history,
        timeline=_timeline(record),
        notes=tuple(notes),
        settle=await _to_settle(visit, review) if review.disagreed else (),
        shown=shown.stated,
        read_at=read_at,
    )


def _bears(review: Review, decision: Decision | None, caller: str) -> tuple[str, ...]:
    """By which scopes a stop holds what rests on a decision: see ``actions.scopes``."""
    component = (f"component:{decision.component}",) if decision and decision.component else ()
    return (f"point:{review.workflow}.{review.point}", *component, *((f"agent:{caller}",) if caller else ()))


async def _decision(connection: Any, review: Review, record: CaseRecord | None) -> Decision | None:
    if review.decision_id is None:
        return None
    known = record.decisions if record is not None else ()
    found = next((one for one in known if one.id == review.decision_id), None)
    return found or await FIND_DECISION.one(connection, {"id": review.decision_id})


async def _question(visit: Visit, review: Review, purpose: str | None) -> tuple[Question, bool]:
    """The question as it may be shown, and whether anything in it stands hidden."""
    body, node = review.question, visit.node
    if purpose is not None:
        visit.require("personal.read")
        body = await read_personal(
            node.vault, node.writer, visit.tenant, body, purpose=purpose, who=visit.actor.name, record=review.id
        )
    return msgspec.json.decode(hide(body), type=Question), MARKER_BYTES in body


def contract_of(registered: Registered | None, reference: str) -> Contract | None:
    """A contract that its workflow carries; None: there is none, or it cannot be read here."""
    if registered is None or not reference:
        return None
    try:
        return registered.library.contract(reference)
    except InterlockError:  # it is not there any more: the whole is then typed as JSON, and checked when it is sent
        return None


async def _to_settle(visit: Visit, review: Review) -> tuple[tuple[StoredVerdict, Tree | None], ...]:
    """Both verdicts with what each says shall hold, for whoever may settle them; else one's own at most."""
    found = await verdicts_for(desk_of(visit), visit.actor, review.id)
    return tuple((one, tree_of(msgspec.json.decode(hide(one.output))) if one.output else None) for one in found)


def _timeline(record: CaseRecord | None) -> tuple[Passage, ...]:
    if record is None:
        return ()
    told = explain(record)[-MOST_PASSAGES:]
    return tuple(Passage(at=one.at, title=hide_in(one.title), lines=tuple(map(hide_in, one.lines))) for one in told)


def _why_not(because: tuple[str, ...], review: Review) -> str:
    words = {
        "nobody-decides-what-they-handed-in": "You handed it in: somebody else decides it.",
        "nobody-decides-what-they-wrote": "You corrected or mended what it rests on: somebody else decides it.",
        "nobody-gives-two-verdicts-on-one-review": "You have given your verdict: a second person decides, blind to it.",
        "whom-two-disagree-before-leads-settle-it": "Two people disagree: a lead settles it.",
        UNPRACTISED: "Deciding here asks for practice that you have not had, or that has run out: see Practice.",
    }
    told = [words[one] for one in because if one in words]
    if told:
        return " ".join(told)
    if review.disagreed:
        return "Two people disagree: somebody who may settle it does."
    named = f" (policy {', '.join(because)})" if because else ""
    return f"You may look at it; deciding it is not yours{named}."
