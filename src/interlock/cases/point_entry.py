"""Reading one entry under ``decisions`` in a workflow's file. Pure."""

from __future__ import annotations

from itertools import pairwise

from interlock.cases.forms import (
    COMPONENT,
    CONDITION,
    CONFIDENCE,
    CONTRACT,
    COUNT,
    DURATION,
    EXPOSURE,
    FUNCTION,
    MONEY,
    NAME,
    SHARE,
    TEXT,
    USD,
)
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.components.component import ComponentRef, Kind
from interlock.decisions.condition import Condition
from interlock.decisions.point import (
    SURE_FROM,
    VALID_FOR,
    Band,
    Budget,
    ComponentChoice,
    DecisionPoint,
    ExposureSource,
    QueueTerms,
    Share,
)
from interlock.errors import Refused
from interlock.money import Money
from interlock.plain_yaml import Mapping, Sequence

POINT_KEYS = (
    "components",
    "input",
    "output",
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
)
BAND_KEYS = ("below", "confidence")
BUDGET_KEYS = ("time", "cost")
QUEUE_KEYS = ("name", "capacity", "due")

_PERSON = ComponentChoice(())
_NO_QUEUE = QueueTerms(name="")


def read_point(name: str, place: Place, queue: QueueTerms) -> DecisionPoint:
    """Read one decision point.

    Args:
        name: Its name in the file.
        place: Where it stands.
        queue: Where its reviews wait if it names no queue.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, POINT_KEYS)
    no_person = section.may("no_person", TEXT, "")
    exposure = section.may("exposure", EXPOSURE, None)
    sure_from, bands = _sureness(section, exposure)
    budget = Form("budget", _budget, Budget())
    waits = Form("queue", lambda at: _queue(at, queue), _NO_QUEUE)
    return DecisionPoint(
        name=name,
        steps=_steps(section, no_person=bool(no_person)),
        output=section.need("output", CONTRACT, "name the contract of the answer, as in receipt-fields@1"),
        queue=section.may("queue", waits, queue),
        input=section.may("input", CONTRACT, ""),
        exposure=exposure,
        checks=section.may("checks", list_of(FUNCTION), ()),
        bands=bands,
        sure_from=sure_from,
        review=_conditions(section, "review"),
        reject=_conditions(section, "reject"),
        policy=_policy(section),
        valid_for=section.may("valid_for", DURATION, VALID_FOR),
        budget=section.may("budget", budget, Budget()),
        no_person=no_person,
    )


def _conditions(section: Section, key: str) -> tuple[Condition, ...]:
    read = section.may(key, list_of(CONDITION), ())
    return tuple(condition for condition in read if condition is not None)


def _policy(section: Section) -> ComponentRef | None:
    place = section.at("policy")
    policy = place.take(COMPONENT) if place is not None else None
    if policy is not None and place is not None and policy.kind is not Kind.RULES:
        place.refuse(f"{policy} is no decision table", "policy", "name one, as in rules:credit-policy@1")
    return policy


def _steps(section: Section, *, no_person: bool) -> tuple[ComponentChoice, ...]:
    todo = "name who answers, in order, as in [rules:approve-receipt@1, person]"
    steps = section.need("components", list_of(Form("components", _choice, _PERSON)), todo)
    place = section.at("components")
    if place is None or not isinstance(place.node, Sequence):
        return steps
    if not steps:
        place.refuse("nobody answers", "no-component", todo)
    elif all(step.shares for step in steps):
        _check_order(place, steps, no_person=no_person)
    return steps


def _check_order(place: Place, steps: tuple[ComponentChoice, ...], *, no_person: bool) -> None:
    for at, step in zip(place.items(), steps[:-1], strict=False):
        if step.is_person:
            at.refuse("nothing comes after a person", "person-not-last", "move person to the end")
    named = [share.component for step in steps for share in step.shares]
    for twice in sorted({str(one) for one in named if named.count(one) > 1}):
        place.refuse(f"{twice} stands twice, so it would be its own fallback", "own-fallback", "keep it once")
    if steps[-1].is_person:
        if no_person:
            place.refuse("ends in person, though no_person says that there is none", "no-person", "remove one of them")
    elif len(steps) == 1:
        what = f"{', '.join(map(str, named))} has no fallback, for when it fails, is late or is unsure"
        place.refuse(what, "no-fallback", "add who answers then, as in [..., person]")
    elif not no_person:
        todo = "add person at the end, or say why there is none: no_person: REASON"
        place.refuse("does not end in person", "no-person", todo)


def _choice(place: Place) -> ComponentChoice:
    if not isinstance(place.node, Mapping):
        return ComponentChoice((Share(place.take(COMPONENT), SHARE.blank),))
    shares: list[Share] = []
    for name, at in place.entries():
        try:
            component = ComponentRef.parse(name)
        except Refused as cause:
            at.refuse(cause.what, "component", cause.todo)
            continue
        if component.kind is Kind.PERSON:
            at.refuse("a person has a share of the keys", "person-share", "let person stand alone, at the end")
        shares.append(Share(component, at.take(SHARE)))
    if len(shares) == len(place.node.entries):
        total = sum(share.share for share in shares)
        if total != 1:
            place.refuse(f"the shares add to {total}, not to 1", "shares", "write shares that add to exactly 1")
    return ComponentChoice(tuple(shares))


def _sureness(section: Section, exposure: ExposureSource | None) -> tuple[float, tuple[Band, ...]]:
    """One confidence for everything, or bands by the money at stake."""
    place = section.at("sure_from")
    if place is None:
        return SURE_FROM, ()
    if not isinstance(place.node, Sequence):
        return place.take(CONFIDENCE), ()
    read = place.take(list_of(Form[tuple[Money | None, float]]("band", _band, (None, 1.0))))
    bands = tuple(Band(below, confidence) for below, confidence in read if below is not None)
    if not read:
        place.refuse("no band stands here", "bands", "write {below: 50 MYR, confidence: 0.9}, or remove the key")
    if bands and len(bands) == len(read):
        _check_bands(place, bands, exposure.currency if exposure else bands[0].below.currency)
    return SURE_FROM, bands


def _check_bands(place: Place, bands: tuple[Band, ...], currency: str) -> None:
    places = place.items()
    for at, band in zip(places, bands, strict=True):
        if band.below.currency != currency:
            what = f"{band.below} is not in {currency}, as the exposure or the first band is"
            at.refuse(what, "band-currency", "state all amounts of a point in one currency")
            return
    for at, (lower, upper) in zip(places[1:], pairwise(bands), strict=True):
        if upper.below <= lower.below:
            at.refuse(f"{upper.below} does not come after {lower.below}", "band-order", "sort the bands, lowest first")
        if upper.confidence < lower.confidence:
            what = f"asks {upper.confidence} where less money asks {lower.confidence}"
            at.refuse(what, "band-loosens", "ask at least as much where more is at stake")


def _band(place: Place) -> tuple[Money | None, float]:
    section = Section(place, BAND_KEYS)
    below = section.need("below", MONEY, "write the amount at which the band ends, as in 50 MYR")
    return below, section.need("confidence", CONFIDENCE, "write the least confidence, from 0 to 1")


def _budget(place: Place) -> Budget:
    section = Section(place, BUDGET_KEYS)
    return Budget(time=section.may("time", DURATION, Budget().time), cost=section.may("cost", USD, Budget().cost))


def _queue(place: Place, default: QueueTerms) -> QueueTerms:
    section = Section(place, QUEUE_KEYS)
    return QueueTerms(
        name=section.may("name", NAME, default.name),
        capacity=section.may("capacity", COUNT, default.capacity),
        due=section.may("due", DURATION, default.due),
    )
