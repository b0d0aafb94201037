"""The features of one decision: computed and read within their time, checked, and merged into the input."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.contracts import canonical
from interlock.db.gates import short_digest
from interlock.db.text import storable
from interlock.decisions.decision import Decision, Reason
from interlock.decisions.features.feature import LARGEST_VALUE, Feature, OnMissing, entity_of, unfit
from interlock.decisions.features.function import load_function
from interlock.decisions.features.reader import FeatureReader, Found
from interlock.decisions.features.store import StoredValue, Wanted
from interlock.durations import format_duration
from interlock.errors import (
    ComponentFailed,
    ComponentLate,
    FeatureUnusable,
    MalformedJson,
    PublicationUnusable,
    Violation,
)

MOST_FEATURES = 64
"""Of one decision point."""
_LONGEST_WHY = 300

Violations = Callable[[str, Any], tuple[Violation, ...]]
"""What of a contract, by its reference, a value breaks."""


class FeatureUsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feature as a decision's evidence keeps it.

    Attributes:
        version: The feature's version.
        value: What components, checks and conditions saw; None where no value could be used.
        at: Since when the value holds, UTC.
        recorded_at: Since when a stored value could be seen.
        source: Where it came from: the function, what a load said, or ``default``.
        digest: SHA-256 of the function's code, in hex.
        entity: Of a stored value: the digest of what it is about, by which it is found.
        why: Why its own value was not used: feature_missing, feature_stale, feature_late, feature_failed,
            feature_unusable, feature_clash; empty if it was.
        what: The same in a sentence.
    """

    version: int
    value: Any
    at: datetime | None = None
    recorded_at: datetime | None = None
    source: str = ""
    digest: str = ""
    entity: str = ""
    why: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class FeaturesRead:
    """The features of one decision.

    Attributes:
        value: The input with the features, under their names.
        used: What is recorded of each, by its name in the input.
        shortfall: Why a person decides instead of the components; empty if they may be asked.
    """

    value: Mapping[str, Any]
    used: dict[str, FeatureUsed] = field(default_factory=dict[str, FeatureUsed])
    shortfall: tuple[Reason, ...] = ()


async def read_features(
    features: Sequence[Feature],
    reader: FeatureReader,
    tenant: UUID,
    value: Mapping[str, Any],
    *,
    violations: Violations,
    now: datetime,
    until: float,
) -> FeaturesRead:
    """Compute and read the features of one decision; all stored ones in one read, beside the functions.

    INVARIANT: a value that is absent, older than its limit, late or not of its type is never used. What the file says
    takes its place: a declared value, a person, or a refusal.

    Args:
        features: Those of the decision point, in order.
        reader: For the stored ones.
        tenant: Whose decision.
        value: The input, checked.
        violations: Checks values that are objects of a contract.
        now: The time of the decision, UTC: nothing is seen that was recorded, or holds, after it.
        until: When they must be there, on the event loop's clock.

    Raises:
        FeatureUnusable: one that the decision must not be taken without cannot be used; each is named.
        DatabaseUnavailable: the store does not answer.
    """
    wanted: list[Wanted] = []
    for feature in features:
        entity = "" if feature.function else entity_of(value, feature.entity)
        if entity:
            wanted.append(Wanted(len(wanted), feature.ref.name, feature.ref.version, entity, now))
    reading = reader.read(tenant, wanted) if wanted else None
    try:
        computing = [_compute(feature, value, now, until) for feature in features if feature.function]
        computed = iter(await asyncio.gather(*computing) if len(computing) > 1 else [await one for one in computing])
        stored = iter(await _within(reading, until)) if reading else iter(())
    finally:
        if reading and not reading.done():
            reading.cancel()
    used: dict[str, FeatureUsed] = {}
    for feature in features:
        found = next(computed) if feature.function else _held(feature, value, stored)
        if feature.field in value:
            found = _unused(feature, "feature_clash", f"the input has a field {feature.field} of its own")
        used[feature.field] = _in_force(feature, found, violations, now)
    return merged(features, value, used)


class _Recorded(msgspec.Struct, frozen=True):
    features: dict[str, FeatureUsed] = {}


def recorded_input(decision: Decision) -> dict[str, Any]:
    """What the components of a recorded decision saw: its input with its features. It needs no store. Pure."""
    value = msgspec.json.decode(decision.input, type=dict[str, Any])
    return {**value, **{name: one.value for name, one in recorded_features(decision).items() if one.value is not None}}


def recorded_features(decision: Decision) -> dict[str, FeatureUsed]:
    """The features of a recorded decision, by their names in the input. Pure."""
    if b'"features"' not in decision.evidence:
        return {}
    return msgspec.json.decode(decision.evidence, type=_Recorded).features


async def _compute(feature: Feature, value: Mapping[str, Any], now: datetime, until: float) -> FeatureUsed:
    function = load_function(feature.function)
    try:
        found, at = await function.compute(value, now, until, bounded=feature.bounded)
    except ComponentLate as cause:
        return _unused(feature, "feature_late", cause.what, digest=function.digest)
    except ComponentFailed as cause:
        return _unused(feature, "feature_failed", cause.what, digest=function.digest)
    return FeatureUsed(version=feature.ref.version, value=found, at=at, source=feature.function, digest=function.digest)


async def _within(reading: asyncio.Future[Found], until: float) -> Sequence[StoredValue | TimeoutError | None]:
    """What was read; where it did not come in time, the fact that it did not."""
    limit: asyncio.Timeout | None = None
    try:
        async with asyncio.timeout_at(until) as limit:
            return await reading
    except TimeoutError as late:
        if limit is None or not limit.expired():
            raise
        return [late] * MOST_FEATURES


def _held(
    feature: Feature, value: Mapping[str, Any], stored: Iterator[StoredValue | TimeoutError | None]
) -> FeatureUsed:
    """A stored feature as it was read."""
    entity = entity_of(value, feature.entity)
    if not entity:
        return _unused(feature, "feature_missing", f"input.{'.'.join(feature.entity)} names nothing to look up")
    found = next(stored)
    if isinstance(found, TimeoutError):
        return _unused(feature, "feature_late", "the store did not answer in time")
    if found is None:
        return _unused(feature, "feature_missing", f"there is no value for {entity[:60]!r}")
    return FeatureUsed(
        version=feature.ref.version,
        value=msgspec.json.decode(found.value),
        at=found.event_at,
        recorded_at=found.recorded_at,
        source=found.source,
        entity=short_digest(entity.encode()).hex,
    )


def _in_force(feature: Feature, found: FeatureUsed, violations: Violations, now: datetime) -> FeatureUsed:
    """A value that may be used, or what the file says in its place."""
    if not found.why and feature.max_age is not None and found.at is not None and now - found.at > feature.max_age:
        limit, at = format_duration(feature.max_age), f"{found.at:%Y-%m-%d %H:%M:%S} UTC"
        found = _unused(feature, "feature_stale", f"its value is of {at}, older than {limit}", found)
    if not found.why:
        wrong = _wrong(feature, found.value, violations)
        if wrong:
            found = _unused(feature, "feature_unusable", wrong, found)
    if not found.why or found.why == "feature_clash" or feature.default is None:
        return found
    return msgspec.structs.replace(found, value=msgspec.json.decode(feature.default), source="default")


def _wrong(feature: Feature, value: Any, violations: Violations) -> str:
    """Why a value is not of the declared type; empty if it is."""
    if not feature.contract:
        return unfit(feature.output, value)
    try:
        broken = violations(feature.contract, value)
    except PublicationUnusable as cause:
        return f"its contract cannot be used: {cause.what}"
    if broken:
        return f"it breaks {feature.contract}: {'; '.join(map(str, broken[:5]))}"
    try:
        size = len(canonical(value))
    except MalformedJson as cause:
        return f"it is no JSON: {cause.what}"
    return f"it has {size:,} bytes, more than {LARGEST_VALUE:,}" if size > LARGEST_VALUE else ""


def _unused(
    feature: Feature, why: str, what: str, found: FeatureUsed | None = None, *, digest: str = ""
) -> FeatureUsed:
    return FeatureUsed(
        version=feature.ref.version,
        value=None,
        at=found.at if found else None,
        recorded_at=found.recorded_at if found else None,
        source=found.source if found else feature.function,
        digest=found.digest if found else digest,
        why=why,
        what=storable(what)[:_LONGEST_WHY],
    )


def merged(features: Sequence[Feature], value: Mapping[str, Any], used: dict[str, FeatureUsed]) -> FeaturesRead:
    """The input with its features.

    Raises:
        FeatureUnusable: one that the decision must not be taken without cannot be used.
    """
    unusable = [(one, used[one.field]) for one in features if used[one.field].value is None]
    refused = tuple(
        Violation(where=f"/{one.field}", what=f"{one.ref}: {found.what}", rule=found.why, todo="load its value")
        for one, found in unusable
        if one.on_missing is OnMissing.REFUSE
    )
    if refused:
        raise FeatureUnusable("a feature that this must not be decided without cannot be used", refused)
    shortfall = tuple(Reason(code=found.why, what=f"{one.ref}: {found.what}") for one, found in unusable)
    merged = {
        **value,
        **{name: found.value for name, found in used.items() if found.value is not None and name not in value},
    }
    return FeaturesRead(merged, used, shortfall)
