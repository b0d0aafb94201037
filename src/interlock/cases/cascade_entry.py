"""Reading who answers at a decision point, in which order and from which confidence on. Pure."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from interlock.cases.forms import COMPONENT, CONFIDENCE, MONEY, SHARE
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.components.component import ComponentRef, Kind
from interlock.decisions.point import ComponentChoice, Share
from interlock.decisions.sureness import SURE_FROM, Band, Sureness
from interlock.errors import Refused
from interlock.money import Money
from interlock.plain_yaml import Mapping, Sequence

STEP_KEYS = ("use", "sure_from", "compare")
BAND_KEYS = ("below", "confidence")

_NOBODY = ComponentChoice(())


def read_steps(section: Section, currency: str, *, no_person: bool) -> tuple[ComponentChoice, ...]:
    """Read the components of a point, in order.

    Args:
        section: The point.
        currency: That of its exposure or of its own bands, which the bands of its steps are in; empty if it has none.
        no_person: Whether it says that no person stands at the end.
    """
    todo = "name who answers, in order, as in [rules:approve-receipt@1, person]"
    form = Form("components", lambda at: _step(at, currency), _NOBODY)
    steps = section.need("components", list_of(form), todo)
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


def _step(place: Place, currency: str) -> ComponentChoice:
    """A component, several by their shares, or either with a confidence of its own."""
    if not isinstance(place.node, Mapping) or not {entry.key.text for entry in place.node.entries} & {*STEP_KEYS}:
        return _choice(place)
    section = Section(place, STEP_KEYS)
    choice = section.need("use", Form("components", _choice, _NOBODY), "name who answers, as in use: onnx:small@1")
    sure, compare = section.at("sure_from"), section.at("compare")
    for said in (sure, compare):
        if said is not None and choice.shares and choice.is_person:
            said.refuse("a person needs no confidence and is compared with nobody", "person-sure", "write person alone")
    own = read_sureness(sure, currency) if sure is not None else None
    return ComponentChoice(choice.shares, own, compare.take(SHARE) if compare is not None else Fraction(0))


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


def read_sureness(place: Place, currency: str) -> Sureness:
    """Read one confidence for everything, or bands by the money at stake.

    Args:
        place: Where it stands.
        currency: What the bands are in; empty if nothing says it but they themselves.
    """
    if not isinstance(place.node, Sequence):
        return Sureness(place.take(CONFIDENCE))
    read = place.take(list_of(Form[tuple[Money | None, float]]("band", _band, (None, SURE_FROM))))
    bands = tuple(Band(below, confidence) for below, confidence in read if below is not None)
    if not read:
        place.refuse("no band stands here", "bands", "write {below: 50 MYR, confidence: 0.9}, or remove the key")
    if bands and len(bands) == len(read):
        _check_bands(place, bands, currency or bands[0].below.currency)
    return Sureness(SURE_FROM, bands)


def currency_of(sureness: Sureness) -> str:
    """What its bands are in; empty if it has none."""
    return sureness.bands[0].below.currency if sureness.bands else ""


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
