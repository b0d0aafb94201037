"""One decision from its input to the payment: who was asked, why it went where it went, and the proof of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.call import encode
from interlock.api.deciding import recalled_since
from interlock.api.decisions import decision_document
from interlock.autonomy.control.draw import drawn_of
from interlock.autonomy.outcomes.read import LONGEST_WHY, outcomes_of, settle_outcome
from interlock.autonomy.words import certifying_said
from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.explanation.tell import tell
from interlock.cases.outcome_points import outcome_points
from interlock.components.finding import Finding
from interlock.console.case import as_file
from interlock.console.in_ledger import places_about
from interlock.console.render import render
from interlock.console.store import ACTIONS_OF_DECISION, ListedAction
from interlock.console.stored import as_lines, in_words
from interlock.console.visit import Visit, needs
from interlock.decisions.costs import shown_usd
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import ComponentAsked, Decision, Verdict
from interlock.decisions.features.read import FeatureUsed, recorded_features
from interlock.decisions.readable import Evidence, recorded_evidence, unreadable
from interlock.money import Money
from interlock.oversight.queue import find_review

BAR = 320
"""The width of the longest bar, in units of the drawing."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of the timings: its name, how long it took, where it begins and how wide it is drawn."""

    name: str
    took_us: int
    begin: int
    width: int


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a decision's row, read.

    Attributes:
        asked: The components that were asked.
        findings: What the checks found.
        verdicts: What the conditions demanded.
        evidence: What the answer rests on.
        certified: What was certified of it; empty: its point declared no autonomy.
        rests_on: The same as lines of JSON.
        features: What it was decided on beside its input.
        stages: How long each stage took.
    """

    asked: tuple[ComponentAsked, ...]
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]
    evidence: Evidence
    certified: str
    rests_on: str
    features: dict[str, FeatureUsed]
    stages: tuple[Stage, ...]


class ReaderAsked(msgspec.Struct, frozen=True, kw_only=True, rename={"reader": "for"}):
    """For whom a decision is explained."""

    reader: Reader = Reader.OPERATOR


class SettleForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the words that contradict one another holds, and why."""

    proposal: Literal["right", "wrong"]
    why: Annotated[str, Meta(max_length=LONGEST_WHY)]
    shown: Annotated[str, Meta(max_length=64)]
    loss: Annotated[str, Meta(max_length=60)] = ""


@get("/console/decisions/{decision_id:uuid}", opt=needs("view"))
async def show_decision(request: Visit, decision_id: FromPath[UUID]) -> Response[bytes]:
    """One decision, whole."""
    node, tenant = request.node, request.tenant
    decision = await find_decision(node.database, tenant, decision_id)
    review = await find_review(node.database, tenant, decision.review) if decision.review else None
    damaged = unreadable(decision)
    drawn = None
    if request.may("ledger.read"):  # whoever reviews is blind to it
        drawn = await drawn_of(node.database, tenant, decision.case_id or decision_id)
    return render(
        request, "decision.html", decision=decision, review=review, damaged=damaged,
        parts=None if damaged else _parts(decision), reasons=() if damaged else decision.why,
        input=as_lines(decision.input), output=as_lines(decision.output), facts=as_lines(decision.facts),
        held=as_lines(review.output) if review and review.output != decision.output else "",
        actions=await _actions(request, decision), places=await places_about(node.database, tenant, decision_id),
        recalled=await recalled_since(node.database, tenant, decision), cost=shown_usd(decision.cost),
        may_read=request.may("personal.read"), outcomes=await outcomes_of(node.database, tenant, decision_id),
        may_settle=request.may("outcome.settle"), drawn=drawn,
    )  # fmt: skip


@post("/console/decisions/{decision_id:uuid}/outcome", opt=needs("outcome.settle"))
async def settle(request: Visit, decision_id: FromPath[UUID]) -> Response[bytes]:
    """Say which of the words on a decision that contradict one another holds."""
    form, node = await request.read_form(SettleForm), request.node
    verdict = request.require("outcome.settle")
    await find_decision(node.database, request.tenant, decision_id)
    await settle_outcome(
        node.database, node.writer, request.tenant, decision_id, outcome_points(node.registry, request.tenant),
        right=form.proposal == "right", loss=Money.parse(form.loss) if form.loss.strip() else None,
        who=request.actor.name, why=form.why, shown=form.shown, verdict=verdict,
    )  # fmt: skip
    location = f"/console/decisions/{decision_id}#outcomes"
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": location})


@get("/console/decisions/{decision_id:uuid}/explanation", opt=needs("view"))
async def show_explanation(request: Visit, decision_id: FromPath[UUID]) -> Response[bytes]:
    """Why it came out as it did, and what would have changed it, in words for one of three readers."""
    reader = request.query(ReaderAsked).reader
    material = await read_material(request.node.database, request.tenant, decision_id, reader)
    told = tell(material, reader)
    template = "explanation.html" if request.wants_part else "explanation_page.html"
    return render(request, template, about=decision_id, told=told, reader=reader, readers=tuple(Reader), say=in_words)


@get("/console/decisions/{decision_id:uuid}/record", opt=needs("view"))
async def download_decision(request: Visit, decision_id: FromPath[UUID]) -> Response[bytes]:
    """One decision as JSON."""
    decision = await find_decision(request.node.database, request.tenant, decision_id)
    return as_file(encode(decision_document(decision)), f"decision-{decision_id}.json")


async def _actions(visit: Visit, decision: Decision) -> list[ListedAction]:
    if decision.case_id is None:
        return []
    wanted = {"case_id": decision.case_id, "decision": decision.id}
    async with visit.node.database.tenant(visit.tenant) as connection:
        return await ACTIONS_OF_DECISION.all(connection, wanted)


def _parts(decision: Decision) -> Parts:
    evidence = recorded_evidence(decision)
    return Parts(
        asked=tuple(decision.asked),
        findings=msgspec.json.decode(decision.findings, type=tuple[Finding, ...]),
        verdicts=msgspec.json.decode(decision.verdicts, type=tuple[Verdict, ...]),
        evidence=evidence,
        certified=certifying_said(evidence.autonomy) if evidence.autonomy else "",
        rests_on=as_lines(msgspec.json.encode(evidence.evidence)) if evidence.evidence else "",
        features=dict(recorded_features(decision)),
        stages=stages_of(msgspec.json.decode(decision.took_us)),
    )


def stages_of(took: Any) -> tuple[Stage, ...]:
    """Timings as bars, one after the other in the order in which they were recorded; pure."""
    known = {str(name): int(us) for name, us in took.items() if isinstance(us, int | float)} if took else {}
    parts = {name: us for name, us in known.items() if name != "total"}
    whole = max(sum(parts.values()), known.get("total", 0), 1)
    stages: list[Stage] = []
    begun = 0
    for name, us in parts.items():
        stages.append(Stage(name=name, took_us=us, begin=begun * BAR // whole, width=max(2, us * BAR // whole)))
        begun += us
    return tuple(stages)


ROUTES = (show_decision, show_explanation, download_decision, settle)
