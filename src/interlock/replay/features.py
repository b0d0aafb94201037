"""The features of a recorded decision: computed ones are computed again, stored ones are as they were read then."""

from __future__ import annotations

import time
from datetime import datetime

from interlock.contracts import canonical
from interlock.decisions.asked import Asked
from interlock.decisions.features.feature import Feature
from interlock.decisions.features.function import load_function
from interlock.decisions.features.read import FeatureUsed
from interlock.errors import ComponentFailed, InterlockError
from interlock.replay.compare import short
from interlock.replay.record import Record
from interlock.replay.result import Stage, Status

_LONGEST_S = 30.0
"""How long a feature's function may take: its budget of then is not held against it."""


async def features_stage(asked: Asked, record: Record) -> list[Stage]:
    """A stage for each feature of the point; the recorded values are what the components see in any case."""
    return [await _stage(feature, asked, record) for feature in asked.point.features]


async def _stage(feature: Feature, asked: Asked, record: Record) -> Stage:
    name, used = f"features {feature.field}", record.features.get(feature.field)
    if used is None:
        return Stage(name=name, status=Status.NOT_RUN, what=f"{feature.ref} is not on record")
    if used.version != feature.ref.version:
        what = f"version {used.version} is on record, and the file asks for {feature.ref}"
        return Stage(name=name, status=Status.DIFFERENT, what=what)
    if not feature.function:
        return Stage(name=name, status=Status.RECORDED, what=f"{feature.ref} as it was read then")
    if used.why:
        return Stage(name=name, status=Status.RECORDED, what=f"{feature.ref} was not usable then: {used.what}")
    return await _computed(name, feature, used, asked, record.now)


async def _computed(name: str, feature: Feature, used: FeatureUsed, asked: Asked, now: datetime) -> Stage:
    other = ""
    try:
        function = load_function(feature.function)
        if function.digest != used.digest:
            other = f"{feature.function} is not the code of then; "
        value, _ = await function.compute(asked.value, now, time.monotonic() + _LONGEST_S)
    except ComponentFailed as cause:
        what = f"{other}{feature.ref} fails now: {cause.what}"
        return Stage(name=name, status=Status.DIFFERENT, what=what, recorded=short(canonical(used.value)))
    except InterlockError as cause:
        return Stage(name=name, status=Status.NOT_RUN, what=f"{feature.function} is missing: {cause.what}")
    if asked.veil is not None:
        value = asked.veil.mask(value)
    now_text, then_text = canonical(value), canonical(used.value)
    if now_text == then_text:
        return Stage(name=name, status=Status.EQUAL, what=f"{other}{feature.ref}")
    return Stage(
        name=name,
        status=Status.DIFFERENT,
        what=f"{other}{feature.ref}",
        recorded=short(then_text),
        replayed=short(now_text),
    )
