"""The workflow's declaration: one readable file beside the workflow's code, checked as a whole when it is loaded.

The keys are in docs/reference/workflow-file.md. Whether what it refers to exists (contracts, components, checks,
connectors) is for those to say who load these; here every reference has its form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from interlock.actions.terms import ActionTerms
from interlock.autonomy.control.terms import ControlTerms
from interlock.cases.action_entry import ACTION_KEYS, UNDO_KEYS, check_rests_on, check_undo, read_action
from interlock.cases.autonomy_entry import AUDIT_KEYS, AUTONOMY_KEYS, HARM_KEYS, LOSS_KEYS, OUTCOME_KEYS
from interlock.cases.autonomy_entry import BUDGET_KEYS as LOSS_BUDGET_KEYS
from interlock.cases.budget_entry import BUDGET_KEYS
from interlock.cases.cascade_entry import BAND_KEYS, STEP_KEYS
from interlock.cases.control_entry import CONTROL_KEYS, STEP_SHARE_KEYS, check_control
from interlock.cases.dossier import Dossier
from interlock.cases.dossier_entry import BASELINE_KEYS, DOSSIER_KEYS, SUCCESS_KEYS, WRONG_KEYS, read_dossier
from interlock.cases.ending_entry import (
    ROUTE_KEYS,
    ExceptionRoute,
    OnFailure,
    Recalled,
    read_on_failure,
    read_recalled,
    read_routes,
)
from interlock.cases.escalation_entry import ESCALATION_KEYS, read_escalation
from interlock.cases.event_entry import EVENT_KEYS, EventTerms, read_event_terms
from interlock.cases.fact_entry import FACT_KEYS, FactTerms, read_fact_terms
from interlock.cases.failure_entry import ERROR_KEYS, RETRY_KEYS
from interlock.cases.feature_entry import FEATURE_KEYS, NO_FEATURES, ON_MISSING_KEYS, read_features_section
from interlock.cases.forms import CONTRACT, NAME, NAME_PATTERN, TIME_ZONE
from interlock.cases.full_entry import WHEN_FULL_KEYS
from interlock.cases.limits_entry import (
    CASE_BUDGET_KEYS,
    COUNT_KEYS,
    LIMIT_KEYS,
    NO_CASE_BUDGET,
    STOP_KEYS,
    read_case_budget,
)
from interlock.cases.point_entry import POINT_KEYS, QUEUE_KEYS, read_point, resting_on
from interlock.cases.practice_entry import PRACTICE_KEYS
from interlock.cases.sections import Findings, Form, Place, Section
from interlock.cases.then_entry import check_follows
from interlock.cases.verdict_entry import BULK_KEYS
from interlock.cases.worth import WORTH_KEYS
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.point import REASONS, DecisionPoint, QueueTerms
from interlock.errors import DeclarationInvalid, Violation
from interlock.guards.limits import CaseBudget
from interlock.money import Money
from interlock.oversight.escalation import EscalationRule
from interlock.plain_yaml import LARGEST_FILE, parse_yaml

Terms = TypeVar("Terms")

TOP_KEYS = (
    "workflow", "contract", "time_zone", "budget", "on_failure", "recalled", "exceptions", "escalation", "facts",
    "features", "decisions",
    "actions", "events", *DOSSIER_KEYS,
)  # fmt: skip

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": TOP_KEYS,
        "budget": CASE_BUDGET_KEYS,
        "exceptions": ROUTE_KEYS,
        "escalation": ESCALATION_KEYS,
        "success": SUCCESS_KEYS,
        "success.baseline": BASELINE_KEYS,
        "wrong": WRONG_KEYS,
        "value": WORTH_KEYS,
        "value.control": CONTROL_KEYS,
        "value.control.steps": STEP_SHARE_KEYS,
        "facts.NAME": FACT_KEYS,
        "features.NAME": FEATURE_KEYS,
        "features.NAME.on_missing": ON_MISSING_KEYS,
        "decisions.NAME": POINT_KEYS,
        "decisions.NAME.components": STEP_KEYS,
        "decisions.NAME.components.sure_from": BAND_KEYS,
        "decisions.NAME.sure_from": BAND_KEYS,
        "decisions.NAME.budget": BUDGET_KEYS,
        "decisions.NAME.autonomy": AUTONOMY_KEYS,
        "decisions.NAME.autonomy.budget": LOSS_BUDGET_KEYS,
        "decisions.NAME.autonomy.wrong": LOSS_KEYS,
        "decisions.NAME.autonomy.needless": LOSS_KEYS,
        "decisions.NAME.autonomy.outcome": OUTCOME_KEYS,
        "decisions.NAME.autonomy.audit": AUDIT_KEYS,
        "decisions.NAME.autonomy.harm": HARM_KEYS,
        "decisions.NAME.queue": QUEUE_KEYS,
        "decisions.NAME.queue.bulk": BULK_KEYS,
        "decisions.NAME.queue.reasons": tuple(REASONS),
        "decisions.NAME.queue.practice": PRACTICE_KEYS,
        "decisions.NAME.queue.when_full": WHEN_FULL_KEYS,
        "actions.NAME": ACTION_KEYS,
        "actions.NAME.limits": LIMIT_KEYS,
        "actions.NAME.limits.count": COUNT_KEYS,
        "actions.NAME.limits.stop_at.LIMIT": STOP_KEYS,
        "actions.NAME.undo": UNDO_KEYS,
        "actions.NAME.retry": RETRY_KEYS,
        "actions.NAME.errors.CODE": ERROR_KEYS,
        "events.NAME": EVENT_KEYS,
    }
)
"""Every key that a workflow's file may have, by the section that it stands in."""


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's file says.

    Attributes:
        workflow: The workflow's name.
        contract: The contract of a case's input: ``name@version``.
        dossier: Who answers for it, what it is to improve, what being wrong costs; it may have gaps.
        time_zone: Where calendar limits begin and end their day.
        budget: What one case may use up, over all its actions.
        decisions: The decision points by name, in the order of the file.
        actions: The terms of the actions by name, in the order of the file.
        personal: Whether anything in it reads personal data: some point or action states a purpose.
        features: What decisions are taken on beside their input, by name and version.
        facts: What decisions may assume, by name: where it is read.
        events: The outside events that a case may wait for, by name.
        on_failure: What becomes of a case whose workflow raises an error that it does not handle.
        recalled: What becomes of what a recall took back.
        exceptions: Who answers for which kind of exception, where that is not the owner.
        escalation: What happens by itself when a tolerance is left.
        content: The file's bytes.
        digest: SHA-256 over these bytes: 32 bytes.
    """

    workflow: str
    contract: str
    dossier: Dossier
    time_zone: str
    budget: CaseBudget
    decisions: Mapping[str, DecisionPoint]
    actions: Mapping[str, ActionTerms]
    facts: Mapping[str, FactTerms]
    events: Mapping[str, EventTerms]
    content: bytes
    digest: bytes
    on_failure: OnFailure = OnFailure.ASK
    recalled: Recalled = Recalled.ANEW
    exceptions: tuple[ExceptionRoute, ...] = ()
    escalation: tuple[EscalationRule, ...] = ()
    features: Mapping[FeatureRef, Feature] = NO_FEATURES
    personal: bool = False

    def __post_init__(self) -> None:
        stated = any(one.purpose for one in (*self.decisions.values(), *self.actions.values()))
        msgspec.structs.force_setattr(self, "personal", stated)

    def route_of(self, kind: str, value: bytes, exposure: Money | None) -> ExceptionRoute | None:
        """Who answers for an exception: the first route of the file that it fits; None: the owner of the workflow.

        Args:
            kind: Of the exception.
            value: The input of its case, as JSON.
            exposure: The money at stake in it.
        """
        return next((route for route in self.exceptions if route.fits(kind, value, exposure)), None)

    @property
    def control(self) -> ControlTerms | None:
        """Which cases people decide, so that it can be told what the workflow changes; None: it declares none."""
        return self.dossier.worth.control if self.dossier.worth else None

    @property
    def answers(self) -> Mapping[str, str]:
        """The contracts of the answers that the workflow's code asks people for, by the kind of exception."""
        return {route.kind: route.answer for route in self.exceptions if route.answer}

    @property
    def queues(self) -> Mapping[str, QueueTerms]:
        """The queues that the decision points name, by name; points that share one agree on its terms."""
        return {point.queue.name: point.queue for point in self.decisions.values()}


def load_declaration(path: Path) -> Declaration:
    """Load a workflow's file.

    Raises:
        DeclarationInvalid: it cannot be read, or anything in it is wrong; every violation is named at once, each with
            file and line, dotted key and what to do.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as cause:
        todo = "put the workflow's file beside its code, as NAME.workflow.yaml"
        wrong = Violation(where=str(path), what=cause.strerror or str(cause), rule="file", todo=todo)
        raise DeclarationInvalid("the workflow's file cannot be read", (wrong,), where=str(path)) from cause
    return read_declaration(data, str(path))


def read_declaration(data: bytes, file: str) -> Declaration:
    """Read the bytes of a workflow's file.

    Args:
        data: The bytes.
        file: The file's name, for the places of what is wrong.

    Raises:
        DeclarationInvalid: as for ``load_declaration``.
    """
    root, unreadable = parse_yaml(data, file)
    if unreadable:
        raise _invalid(file, unreadable)
    findings = Findings(file)
    section = Section(Place(findings, root, ""), TOP_KEYS, gaps=True)
    workflow = section.need("workflow", NAME, "name the workflow, as in workflow: receipts")
    time_zone = section.may("time_zone", TIME_ZONE, "")
    budget = section.may("budget", Form("budget", read_case_budget, NO_CASE_BUDGET), NO_CASE_BUDGET)
    features = read_features_section(section)
    contract = section.need("contract", CONTRACT, "name the contract of a case's input, as in receipt@1")
    read = _points(section, QueueTerms(name=workflow), time_zone, features)
    points = {name: resting_on(point, contract) for name, point in read.items()}
    declaration = Declaration(
        workflow=workflow,
        contract=contract,
        dossier=read_dossier(section),
        time_zone=time_zone or "UTC",
        budget=budget,
        decisions=MappingProxyType(points),
        features=MappingProxyType(features),
        actions=MappingProxyType(_actions(section, time_zone, budget, points)),
        facts=MappingProxyType(_entries(section, "facts", read_fact_terms)),
        events=MappingProxyType(_entries(section, "events", read_event_terms)),
        on_failure=read_on_failure(section),
        recalled=read_recalled(section),
        exceptions=read_routes(section),
        escalation=read_escalation(section, workflow),
        content=data,
        digest=hashlib.sha256(data).digest(),
    )
    check_control(section, declaration.control, points)
    if findings.all():
        raise _invalid(file, findings.all())
    return declaration


def _invalid(file: str, violations: tuple[Violation, ...]) -> DeclarationInvalid:
    count = "1 thing is" if len(violations) == 1 else f"{len(violations)} things are"
    return DeclarationInvalid(f"{count} wrong in the workflow's file", violations, where=file)


def _points(
    section: Section, queue: QueueTerms, time_zone: str, features: Mapping[FeatureRef, Feature]
) -> dict[str, DecisionPoint]:
    places = section.need("decisions", _NAMED, "declare at least one decision point")
    if section.at("decisions") is not None and not places:
        section.place.refuse("decisions: none is declared", "no-decision", "declare at least one decision point")
    points: dict[str, DecisionPoint] = {}
    for name, place in places.items():
        form = Form[DecisionPoint | None](
            "decision", lambda at, name=name: read_point(name, at, queue, time_zone, features), None
        )
        point = place.take(form)
        if point is not None:
            points[name] = point
    _check_queues(places, points)
    return points


def _check_queues(places: dict[str, Place], points: dict[str, DecisionPoint]) -> None:
    first: dict[str, DecisionPoint] = {}
    for name, point in points.items():
        earlier = first.setdefault(point.queue.name, point)
        if earlier.queue != point.queue:
            what = f"queue: {point.queue.name} has other terms than at {earlier.name}"
            places[name].refuse(what, "queue", "state the same capacity and due, or name another queue")


def _entries(section: Section, key: str, read: Callable[[str, Place], Terms]) -> dict[str, Terms]:
    found: dict[str, Terms] = {}
    for name, place in section.may(key, _NAMED, {}).items():
        form = Form[Terms | None](key, lambda at, name=name: read(name, at), None)
        terms = place.take(form)
        if terms is not None:
            found[name] = terms
    return found


def _actions(
    section: Section, time_zone: str, budget: CaseBudget, points: Mapping[str, DecisionPoint]
) -> dict[str, ActionTerms]:
    places = section.may("actions", _NAMED, {})
    actions: dict[str, ActionTerms] = {}
    for name, place in places.items():
        form = Form[ActionTerms | None]("action", lambda at, name=name: read_action(name, at, time_zone, budget), None)
        terms = place.take(form)
        if terms is not None:
            actions[name] = terms
    check_undo(places, actions)
    check_rests_on(places, actions, points)
    check_follows(section.may("decisions", _NAMED, {}), points, actions)
    return actions


def _named(place: Place) -> dict[str, Place]:
    """The entries of a mapping whose keys the file makes up."""
    places: dict[str, Place] = {}
    for name, at in place.entries():
        if NAME_PATTERN.match(name):
            places[name] = at
        else:
            at.refuse(
                f"{name[:60]!r} is no name", "name", "start with a small letter; then small letters, digits, -, _"
            )
    return places


_NAMED = Form[dict[str, Place]]("entries", _named, {})
