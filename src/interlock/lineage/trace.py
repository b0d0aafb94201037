"""The graph of one case, or of one decision without a case, from what is on record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.actions.stale import assumed_of
from interlock.cases.record import CaseRecord
from interlock.decisions.decision import Became, ComponentAsked, Decision
from interlock.decisions.features.read import FeatureUsed, recorded_features
from interlock.decisions.origin import Origin
from interlock.decisions.readable import said, unreadable
from interlock.errors import LedgerBroken
from interlock.lineage.graph import Flow, Growing, Node
from interlock.lineage.influence import amount
from interlock.lineage.store import PublicationUsed
from interlock.oversight.review import Review

MOST_JOINED = 20_000
"""Pairs of an action and a decision before it that are all joined."""
_NEVER_ASKED = (Became.SKIPPED, Became.STOPPED)
_PENDING = frozenset(ActionState) - {ActionState.DONE, ActionState.UNDOING, ActionState.UNDONE, ActionState.FAILED}


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of how a decision or a case came.

    Attributes:
        caller: Who asked.
        origin: What brought it.
        contract: Of a case: the contract of its input.
        input_hash: Of a case: SHA-256 of its input, in base64.
        code: Of a case: the content hash of the code that it began on.
    """

    caller: str = ""
    origin: Origin | None = None
    contract: str | None = None
    input_hash: str | None = None
    code: str | None = None


def read_brought(body: bytes) -> Brought:
    """What an entry says; entries from before it was recorded say less.

    Raises:
        LedgerBroken: it says nothing that can be read.
    """
    try:
        return msgspec.json.decode(body, type=Brought, strict=True)
    except (msgspec.MsgspecError, RecursionError) as cause:
        raise LedgerBroken(
            f"an entry that says how something came cannot be read: {said(cause)}", todo="run `interlock ledger audit`"
        ) from cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is on record around one thing.

    Attributes:
        record: Its case; None for a decision without one.
        decisions: Its decisions, in order.
        received: How the case came.
        brought: How each decision came that was asked in line.
        publications: The published versions that were used.
        reviews: Reviews of decisions without a case.
        order: The place of each decision and action in what its case did; of one that is not in it, its id tells.
    """

    record: CaseRecord | None
    decisions: Sequence[Decision]
    received: Brought | None
    brought: Mapping[UUID, Brought]
    publications: Sequence[PublicationUsed] = ()
    reviews: Sequence[Review] = field(default=())
    order: Mapping[UUID, int] = field(default_factory=dict[UUID, int])

    def before(self, decision: UUID, action: UUID) -> bool:
        """Whether a decision was taken before an action was intended."""
        if decision in self.order and action in self.order:
            return self.order[decision] < self.order[action]
        return decision < action


def grow(found: Found, focus: UUID) -> Growing:
    """The graph of all that was found.

    Args:
        found: What is on record.
        focus: What was asked for. In a case of very many actions and decisions only this action is joined to all that
            was decided before it; the others are joined to what they rest on.
    """
    graph = Growing()
    case = _case(graph, found) if found.record else ""
    rules = {one.digest.hex(): one for one in found.publications if one.kind == "rules"}
    contracts = {f"{one.name}@{one.version}": one for one in found.publications if one.kind == "contract"}
    for decision in found.decisions:
        why = unreadable(decision)
        node = _decision(graph, decision, why)
        if case:
            graph.edge(case, node, "asked")
        if brought := found.brought.get(decision.id):
            _bring(graph, node, brought)
        if not why:  # what it came from cannot be told of a damaged row, and all else can
            _sources(graph, node, decision, rules, contracts)
    reviews = [*found.reviews, *(found.record.reviews if found.record else ())]
    for review in reviews:
        _review(graph, review)
    if found.record:
        _actions(graph, found, reviews, case, focus)
    return graph


def flows(decisions: Iterable[Decision], actions: Iterable[Action]) -> tuple[Flow, ...]:
    """The money of decisions and actions by currency."""
    sums: dict[str, dict[str, int]] = {}

    def add(currency: str | None, minor: int | None, place: str) -> None:
        if currency and minor is not None:
            of = sums.setdefault(currency, dict.fromkeys(("decided", "acted", "pending"), 0))
            of[place] += minor

    for decision in decisions:
        add(decision.currency, decision.exposure_minor, "decided")
    for action in actions:
        if action.undo_of is None and action.state in (ActionState.DONE, ActionState.UNDOING):
            add(action.currency, action.exposure_minor, "acted")
        elif action.undo_of is None and action.state in _PENDING:
            add(action.currency, action.exposure_minor, "pending")
    return tuple(
        Flow(currency=currency, **{name: amount(minor, currency) for name, minor in of.items()})
        for currency, of in sorted(sums.items())
    )


# ---------------------------------------------------------------------------------------------------- one case


def _case(graph: Growing, found: Found) -> str:
    record = found.record
    if record is None:
        raise AssertionError("only what has a case is asked for it")
    case = record.case
    node = graph.node(
        Node(
            id=f"case:{case.id}",
            kind="case",
            label=f"{case.workflow} {case.version}",
            link=f"/v1/cases/{case.id}",
            at=case.created_at,
            money=_money(case.exposure_minor, case.currency),
            state=case.state,
        )
    )
    _plain(graph, node, "code", case.code.hex, "ran as", label=f"code {case.code.hex[:12]}")
    if found.received:
        _bring(graph, node, found.received)
    elif case.caller:
        _bring(graph, node, Brought(caller=case.caller))
    for event in record.events:
        sent = graph.node(
            Node(
                id=f"event_for_case:{event.id}",
                kind="event_for_case",
                label=event.name,
                at=event.received_at,
                facts={"sender": event.sender},
            )
        )
        graph.edge(sent, node, "was sent to")
    for held in record.quarantines:
        kept = graph.node(
            Node(
                id=f"quarantine:{held.id}",
                kind="quarantine",
                label=f"broke {held.contract}",
                link=f"/v1/quarantine/{held.id}",
                at=held.created_at,
                state=held.state,
            )
        )
        graph.edge(kept, node, "was kept for")
    return node


def _bring(graph: Growing, node: str, brought: Brought) -> None:
    """Who asked, and the event, message, row or request that brought it."""
    if brought.caller:
        _plain(graph, node, "caller", brought.caller, "asked for")
    if brought.contract:
        _plain(graph, node, "contract", brought.contract, "held its input")
    origin = brought.origin
    if origin is None:
        return
    if origin.event:
        source, _, event_id = origin.event.partition(" ")
        facts = {"source": source, "id": event_id}
        event = _plain(graph, node, "event", origin.event, "brought", facts=facts)
        if origin.stream:
            _plain(graph, event, "stream", origin.stream, "delivered", facts={"at": origin.at} if origin.at else {})
    if origin.job:
        row = _plain(graph, node, "row", f"{origin.job}/{origin.row}", "brought")
        _plain(graph, row, "job", origin.job, "holds")
    if origin.trace:
        trace = graph.node(Node(id=f"trace:{origin.trace}", kind="trace", label=origin.trace))
        graph.edge(trace, node, "brought")


# ------------------------------------------------------------------------------------------------ one decision


def _decision(graph: Growing, decision: Decision, why_not: str) -> str:
    node = graph.node(
        Node(
            id=f"decision:{decision.id}",
            kind="decision",
            label=f"{decision.workflow}.{decision.point}",
            link=f"/v1/decisions/{decision.id}",
            at=decision.decided_at,
            money=_money(decision.exposure_minor, decision.currency),
            state=decision.route,
            facts={"component": decision.component} | ({"unreadable": why_not} if why_not else {}),
        )
    )
    if decision.supersedes:
        graph.edge(f"decision:{decision.supersedes}", node, "was replaced by")
    return node


def _sources(
    graph: Growing,
    node: str,
    decision: Decision,
    rules: Mapping[str, PublicationUsed],
    contracts: Mapping[str, PublicationUsed],
) -> None:
    digest = decision.input_hash.hex()
    entered = _plain(graph, node, "input", digest, "was decided on", label=f"input {digest[:12]}")
    held = ((decision.input_contract, "held its input"), (decision.output_contract, "held its output"))
    for name, how in held:
        if name:
            contract = _plain(graph, node, "contract", name, how)
            _published(graph, contract, contracts.get(name))
            if how == "held its input":
                graph.edge(contract, entered, "was kept by")
    for asked in decision.asked:
        if asked.became not in _NEVER_ASKED:
            _component(graph, node, asked, rules)
    of_file = decision.declaration.hex()
    _plain(graph, node, "declaration", of_file, "ruled", label=f"workflow file {of_file[:12]}")
    if decision.build:
        _plain(graph, node, "build", decision.build.hex(), "ran as", label=f"build {decision.build.hex()[:12]}")
    for name, used in recorded_features(decision).items():
        _feature(graph, node, name, used)
    for fact in assumed_of(decision.facts):
        read = {"read_at": fact.read_at.isoformat()}
        _plain(graph, node, "fact", fact.name, "was assumed by", facts=read)


def _component(graph: Growing, node: str, asked: ComponentAsked, rules: Mapping[str, PublicationUsed]) -> None:
    if not asked.digest:
        _plain(graph, node, "component", asked.component, f"was asked: {asked.became}")
        return
    version = graph.node(
        Node(
            id=f"digest:{asked.digest}",
            kind="component",
            label=f"{asked.component} ({asked.digest[:12]})",
            influence=f"digest:{asked.digest}",
            facts={"component": asked.component, "digest": asked.digest},
        )
    )
    graph.edge(version, node, f"was asked: {asked.became}")
    _plain(graph, version, "component", asked.component, "stood as")
    _published(graph, version, rules.get(asked.digest))


def _published(graph: Growing, node: str, publication: PublicationUsed | None) -> None:
    if publication is None:
        return
    told = graph.node(
        Node(
            id=f"publication:{publication.id}",
            kind="publication",
            label=f"{publication.kind} {publication.name} {publication.version}",
            influence=f"publication:{publication.id}",
            at=publication.at,
            facts={"author": publication.author, "digest": publication.digest.hex()},
        )
    )
    graph.edge(told, node, "published")


def _feature(graph: Growing, node: str, name: str, used: FeatureUsed) -> None:
    facts = {"source": used.source, "digest": used.digest, "entity": used.entity, "why_not": used.why}
    feature = graph.node(
        Node(
            id=f"feature:{name}@{used.version}:{used.entity}:{used.recorded_at or used.at or ''}",
            kind="feature",
            label=f"{name}@{used.version}",
            influence=f"feature:{name}@{used.version}",
            at=used.at,
            facts={key: value for key, value in facts.items() if value},
        )
    )
    graph.edge(feature, node, "was known to")
    if used.source:
        _plain(graph, feature, "load", used.source, "gave")


# -------------------------------------------------------------------------------------------- what came of it


def _review(graph: Growing, review: Review) -> None:
    if review.decision_id is None:
        return
    node = graph.node(
        Node(
            id=f"review:{review.id}",
            kind="review",
            label=f"review of {review.workflow}.{review.point}",
            link=f"/v1/reviews/{review.id}",
            at=review.resolved_at or review.created_at,
            state=review.resolution or review.state,
            facts={"resolved_by": review.resolved_by} if review.resolved_by else {},
        )
    )
    graph.edge(f"decision:{review.decision_id}", node, "went to")


def _actions(graph: Growing, found: Found, reviews: Sequence[Review], case: str, focus: UUID) -> None:
    """Each action, behind all that was decided in its case before it."""
    actions = found.record.actions if found.record else ()
    few = len(actions) * len(found.decisions) <= MOST_JOINED
    resolved = {review.decision_id: review for review in reviews if review.resolution and review.decision_id}
    for action in actions:
        node = graph.node(
            Node(
                id=f"action:{action.id}",
                kind="action",
                label=f"{action.workflow}.{action.name}",
                link=f"/v1/lineage/{action.id}",
                at=action.sent_at or action.created_at,
                money=_money(action.exposure_minor, action.currency),
                state=action.state,
                facts={"connector": action.connector, "domain": action.domain},
            )
        )
        graph.edge(case, node, "intended")
        if action.undo_of:
            graph.edge(f"action:{action.undo_of}", node, "was taken back by")
        for decision in found.decisions:
            rests = decision.id == action.decision_id
            if not rests and not ((few or action.id == focus) and found.before(decision.id, action.id)):
                continue
            graph.edge(f"decision:{decision.id}", node, "is what it rests on" if rests else "was decided before")
            if review := resolved.get(decision.id):
                graph.edge(f"review:{review.id}", node, "was resolved before")


# ------------------------------------------------------------------------------------------------------- parts


def _plain(
    graph: Growing, target: str, kind: str, name: str, how: str, *, label: str = "", facts: dict[str, str] | None = None
) -> str:
    """A source that is its kind and its name, and what it did."""
    node = graph.node(
        Node(id=f"{kind}:{name}", kind=kind, label=label or name, influence=f"{kind}:{name}", facts=facts or {})
    )
    graph.edge(node, target, how)
    return node


def _money(minor: int | None, currency: str | None) -> str | None:
    return amount(minor, currency) if minor is not None and currency else None


def id_of(kind: str, identifier: UUID) -> str:
    """The id of the node of a record."""
    return f"{kind}:{identifier}"


def used_of(decisions: Iterable[Decision]) -> dict[str, Any]:
    """What could have been published of what decisions used: digests of components, and whole names of contracts."""
    read = [one for one in decisions if not unreadable(one)]
    digests = {bytes.fromhex(asked.digest) for one in read for asked in one.asked if asked.digest}
    names = {name for one in read for name in (one.input_contract, one.output_contract) if name}
    return {"digests": sorted(digests), "contracts": sorted(names)}
