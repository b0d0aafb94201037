"""Reading one entry under ``decisions`` in a workflow's file. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from interlock.cases.autonomy_entry import read_autonomy
from interlock.cases.budget_entry import read_budget
from interlock.cases.cascade_entry import currency_of, read_steps, read_sureness
from interlock.cases.feature_entry import NO_FEATURES, features_of
from interlock.cases.forms import (
    COMPONENT,
    CONDITION,
    CONTRACT,
    COUNT,
    DURATION,
    EXPOSURE,
    FUNCTION,
    MINUTES,
    NAME,
    SHARE,
    TEXT,
)
from interlock.cases.full_entry import read_when_full
from interlock.cases.practice_entry import PRACTICE
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.cases.then_entry import read_follows, read_then
from interlock.cases.verdict_entry import BULK, HOLD, read_four_eyes
from interlock.components.component import OUTSIDE, ComponentRef, Kind
from interlock.decisions.budget import Budget
from interlock.decisions.condition import Condition
from interlock.decisions.data_terms import DataTerms
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.point import REASONS, VALID_FOR, DecisionPoint, QueueTerms
from interlock.decisions.sureness import Sureness
from interlock.oversight.capacity.full import WhenFull

POINT_KEYS = (
    "components",
    "input",
    "output",
    "features",
    "exposure",
    "checks",
    "sure_from",
    "budget",
    "review",
    "reject",
    "policy",
    "valid_for",
    "queue",
    "no_person",
    "purpose",
    "on_broken_data",
    "then",
    "follows",
    "four_eyes",
    "autonomy",
)
QUEUE_KEYS = (
    "name",
    "capacity",
    "due",
    "team",
    "minutes",
    "reasons",
    "when_full",
    "second_looks",
    "hold",
    "bulk",
    "practice",
)

_NO_QUEUE = QueueTerms(name="")


def read_point(
    name: str,
    place: Place,
    queue: QueueTerms,
    time_zone: str = "",
    features: Mapping[FeatureRef, Feature] = NO_FEATURES,
) -> DecisionPoint:
    """Read one decision point.

    Args:
        name: Its name in the file.
        place: Where it stands.
        queue: Where its reviews wait if it names no queue.
        time_zone: Where calendar days begin and end; empty if the file names none.
        features: What the file declares, by name and version.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, POINT_KEYS)
    no_person = section.may("no_person", TEXT, "")
    exposure = section.may("exposure", EXPOSURE, None)
    place_sure, currency = section.at("sure_from"), exposure.currency if exposure else ""
    # what its certificate demands counts in its place: the file demands nothing beside it
    unsaid = Sureness(0.0) if section.at("autonomy") is not None else Sureness()
    sureness = read_sureness(place_sure, currency) if place_sure is not None else unsaid
    budget = Form("budget", lambda at: read_budget(at, time_zone), Budget())
    waits = section.may("queue", Form("queue", lambda at: _queue(at, queue), _NO_QUEUE), queue)
    return DecisionPoint(
        name=name,
        steps=read_steps(section, currency_of(sureness) or currency, no_person=bool(no_person)),
        output=section.need("output", CONTRACT, "name the contract of the answer, as in receipt-fields@1"),
        queue=waits,
        input=section.may("input", CONTRACT, ""),
        features=features_of(section, features, no_person=bool(no_person)),
        exposure=exposure,
        checks=section.may("checks", list_of(FUNCTION), ()),
        bands=sureness.bands,
        sure_from=sureness.sure_from,
        says_sure=place_sure is not None,
        review=_conditions(section, "review"),
        reject=_conditions(section, "reject"),
        policy=_policy(section),
        valid_for=section.may("valid_for", DURATION, VALID_FOR),
        budget=section.may("budget", budget, Budget()),
        no_person=no_person,
        purpose=section.may("purpose", NAME, ""),
        data=_data(section, no_person=bool(no_person)),
        then=read_then(section),
        follows=read_follows(section),
        four_eyes=read_four_eyes(section, exposure),
        autonomy=read_autonomy(section, exposure, no_person=bool(no_person), rejects=waits.full.reject),
    )


def resting_on(point: DecisionPoint, case: str) -> DecisionPoint:
    """The point with the contract of the data that it rests on: its input's, else that of the case's input."""
    data = structs.replace(point.data, contract=point.input or case, own=bool(point.input) and point.input != case)
    return structs.replace(point, data=data)


def _conditions(section: Section, key: str) -> tuple[Condition, ...]:
    read = section.may(key, list_of(CONDITION), ())
    return tuple(condition for condition in read if condition is not None)


def _policy(section: Section) -> ComponentRef | None:
    place = section.at("policy")
    policy = place.take(COMPONENT) if place is not None else None
    if policy is not None and place is not None and policy.kind is not Kind.RULES:
        place.refuse(f"{policy} is no decision table", "policy", "name one, as in rules:credit-policy@1")
    return policy


def _data(section: Section, *, no_person: bool) -> DataTerms:
    """What becomes of the decision while its data are not as promised; which data they are is known later."""
    place, text = section.at("on_broken_data"), section.may("on_broken_data", TEXT, "person")
    if place is None or text == "refuse":
        return DataTerms(refuse=text == "refuse")
    component = place.take(COMPONENT)
    if component.kind in OUTSIDE:
        place.refuse(f"{component} asks outside", "on_broken_data", "name one that computes, a person, or refuse")
    if component.kind is Kind.PERSON and no_person:
        place.refuse("no person stands at the end of this point", "on_broken_data", "name a component, or refuse")
    return DataTerms(component=component if component.kind is not Kind.PERSON else None)


def _queue(place: Place, default: QueueTerms) -> QueueTerms:
    section = Section(place, QUEUE_KEYS)
    return QueueTerms(
        name=section.may("name", NAME, default.name),
        capacity=section.may("capacity", COUNT, default.capacity),
        due=section.may("due", DURATION, default.due),
        team=section.may("team", TEXT, default.team),
        minutes=section.may("minutes", MINUTES, default.minutes),
        hold=section.may("hold", HOLD, default.hold),
        bulk=section.may("bulk", BULK, default.bulk),
        reasons=section.may("reasons", Form("reasons", lambda at: _reasons(at, default), REASONS), default.reasons),
        full=section.may("when_full", Form("when-full", read_when_full, WhenFull()), default.full),
        second_looks=section.may("second_looks", SHARE, default.second_looks),
        practice=section.may("practice", PRACTICE, default.practice),
    )


def _reasons(place: Place, default: QueueTerms) -> Mapping[str, tuple[str, ...]]:
    section = Section(place, tuple(REASONS))
    return {choice: section.may(choice, list_of(NAME), ()) or default.reasons[choice] for choice in REASONS}
