"""Reading one entry under ``features`` in a workflow's file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from interlock.cases.forms import CONTRACT, DURATION, FUNCTION
from interlock.cases.sections import Form, Place, Section
from interlock.contracts import canonical
from interlock.decisions.features.feature import Feature, FeatureRef, OnMissing, OutputType, unfit
from interlock.decisions.features.read import MOST_FEATURES
from interlock.errors import Refused
from interlock.plain_yaml import Kind, Scalar
from interlock.plain_yaml import Mapping as Node
from interlock.spelling import meant

FEATURE_KEYS = ("from", "input", "table", "entity", "output", "max_age", "on_missing", "bounded")
ON_MISSING_KEYS = ("default",)
TABLE = "features"
"""The one table that values are read from: the store of features."""

_ENTITY = re.compile(r"input((?:\.[A-Za-z_]\w{0,99}){1,8})\Z", re.ASCII)
_NO_REF = FeatureRef("x", 1)
NO_FEATURES: Mapping[FeatureRef, Feature] = MappingProxyType({})
"""Of a file that declares none."""


def _output(place: Place) -> str:
    text = place.text()
    if "@" in text:
        return CONTRACT.read(place)
    if text not in frozenset(OutputType):
        todo = f"{meant(text, [*OutputType])}; or write the contract of an object, as in vendor-stats@1"
        raise Refused(f"{text[:60]!r} is no type of a feature", todo=todo)
    return text


def _entity(place: Place) -> tuple[str, ...]:
    found = _ENTITY.match(place.text())
    if found is None:
        raise Refused(f"{place.text()[:60]!r} is no path", todo="write where it stands, as in input.vendor")
    return tuple(found[1][1:].split("."))


def _table(place: Place) -> str:
    if place.text() != TABLE:
        raise Refused(f"{place.text()[:60]!r} is no table of features", todo=f"write table: {TABLE}")
    return TABLE


def _reference(place: Place) -> FeatureRef:
    return FeatureRef.parse(place.text())


def _bounded(place: Place) -> bool:
    if place.text() not in ("true", "false"):
        raise Refused(f"{place.text()[:60]!r} is neither true nor false", todo="write true or false")
    return place.text() == "true"


OUTPUT = Form("output", _output, "string")
_AGE = Form[timedelta | None]("max_age", DURATION.read, None)
_BOUNDED = Form("bounded", _bounded, blank=False)
ENTITY = Form[tuple[str, ...]]("entity", _entity, ())
REFERENCE = Form("feature", _reference, _NO_REF)


def read_features_section(section: Section) -> dict[FeatureRef, Feature]:
    """Every feature that the file declares, by name and version."""
    place = section.at("features")
    if place is None:
        return {}
    features: dict[FeatureRef, Feature] = {}
    for name, at in place.take(Form[tuple[tuple[str, Place], ...]]("features", Place.entries, ())):
        try:
            ref = FeatureRef.parse(name)
        except Refused as cause:
            at.refuse(cause.what, "feature", cause.todo)
            continue
        found = at.take(Form[Feature | None]("feature", lambda here, ref=ref: read_feature(ref, here), None))
        if found is not None:
            features[ref] = found
    return features


def read_feature(ref: FeatureRef, place: Place) -> Feature:
    """Read one feature.

    Args:
        ref: Its name and version in the file.
        place: Where it stands.

    Raises:
        Refused: no mapping stands there.
    """
    section = Section(place, FEATURE_KEYS)
    output = section.need("output", OUTPUT, f"say what its values are: {', '.join(OutputType)}, or a contract")
    on_missing, default = _on_missing(section, output)
    function = section.may("from", FUNCTION, "")
    table = section.may("table", Form("table", _table, ""), "")
    if bool(function) == bool(table):
        given = "both from and table stand here" if function else "neither from nor table stands here"
        if section.at("from") is None or section.at("table") is None or (function and table):
            place.refuse(given, "feature-source", "write from: package.module:function, or table: features")
    for key, needs, other in (("input", "from", "table"), ("entity", "table", "from"), ("bounded", "from", "table")):
        if key in _TODO and section.at(needs) is not None and section.at(key) is None:
            place.refuse(f'"{key}" is missing', "missing-key", _TODO[key])
        if section.at(key) is not None and section.at(needs) is None and section.at(other) is not None:
            place.refuse(f"{key} goes with {needs}", "feature-source", f"remove {key}")
    return Feature(
        ref=ref,
        output=output,
        function=function,
        input=section.may("input", CONTRACT, ""),
        entity=section.may("entity", ENTITY, ()),
        max_age=section.may("max_age", _AGE, None),
        on_missing=on_missing,
        default=default,
        bounded=section.may("bounded", _BOUNDED, default=False),
    )


_TODO = {
    "input": "name the contract of what the function is given: that of the point's input",
    "entity": "say where in the input stands what the value is about, as in input.vendor",
}


def _on_missing(section: Section, output: str) -> tuple[OnMissing, bytes | None]:
    place = section.at("on_missing")
    if place is None:
        return OnMissing.PERSON, None
    blank = (OnMissing.PERSON, None)
    if isinstance(place.node, Node):
        return place.take(Form[tuple[OnMissing, bytes | None]]("on_missing", lambda at: _default(at, output), blank))
    return place.take(Form[tuple[OnMissing, bytes | None]]("on_missing", _word, blank))


def _word(place: Place) -> tuple[OnMissing, bytes | None]:
    text = place.text()
    if text not in (OnMissing.PERSON, OnMissing.REFUSE):
        raise Refused(f"{text[:60]!r} is nothing that can be done", todo="write person, refuse, or {default: VALUE}")
    return OnMissing(text), None


def _default(place: Place, output: str) -> tuple[OnMissing, bytes | None]:
    section = Section(place, ON_MISSING_KEYS)
    at = section.at("default")
    if at is None:
        place.refuse('"default" is missing', "missing-key", "write {default: VALUE}")
        return OnMissing.PERSON, None
    if "@" in output:
        raise Refused("an object has no default", todo="write person or refuse")
    value = at.take(Form[Any]("default", _scalar, None))
    wrong = unfit(output, value) if value is not None else ""
    if wrong:
        raise Refused(f"default: {wrong}", todo=f"write a value of the type {output}")
    return OnMissing.DEFAULT, canonical(value)


def _scalar(place: Place) -> Any:
    """One value as JSON; a number that is no whole one stays text, which is how exact amounts are written."""
    text = place.text()
    if not isinstance(place.node, Scalar) or place.node.kind is Kind.TEXT:
        return text
    match place.node.kind:
        case Kind.BOOLEAN:
            return text.lower() == "true"
        case Kind.INTEGER if len(text) < 20:  # noqa: PLR2004 - far more digits than an integer may have
            return int(text)
        case _:
            return text


def features_of(section: Section, known: Mapping[FeatureRef, Feature], *, no_person: bool) -> tuple[Feature, ...]:
    """The features that a decision point names, as the file declares them."""
    place = section.at("features")
    if place is None:
        return ()
    features: dict[str, Feature] = {}
    for at in place.take(Form[tuple[Place, ...]]("features", Place.items, ())):
        ref = at.take(REFERENCE)
        if ref is _NO_REF:
            continue
        feature = known.get(ref)
        if feature is None:
            at.refuse(f"the file declares no feature {ref}", "feature", meant(str(ref), map(str, known)))
        elif feature.field in features:
            what = f"{ref} and {features[feature.field].ref} would both be input.{feature.field}"
            at.refuse(what, "feature-clash", "keep one of them")
        else:
            features[feature.field] = feature
            _check_person(at, feature, no_person=no_person)
    if len(features) > MOST_FEATURES:
        place.refuse(f"there are {len(features)} features", "feature", f"name at most {MOST_FEATURES}")
    return tuple(features.values())


def _check_person(place: Place, feature: Feature, *, no_person: bool) -> None:
    if no_person and feature.on_missing is OnMissing.PERSON:
        what = f"without {feature.ref} a person decides, and no_person says that there is none"
        place.refuse(what, "feature-no-person", "write on_missing: refuse, or a default")
