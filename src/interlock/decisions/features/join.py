"""The step of the decision path that joins a decision's features to its input."""

from __future__ import annotations

from datetime import datetime

import msgspec

from interlock.decisions.asked import Asked
from interlock.decisions.features.read import read_features
from interlock.decisions.features.reader import FeatureReader


async def join_features(asked: Asked, reader: FeatureReader, now: datetime, until: float) -> Asked:
    """What is asked, with the features of its point in the input and on record.

    Args:
        asked: What is to be decided; its input is checked, and its point has features.
        reader: For the stored ones.
        now: The time of the decision, UTC.
        until: When they must be there, on the event loop's clock: the end of the budget's part for retrieval.

    Raises:
        FeatureUnusable: one that the decision must not be taken without cannot be used.
        DatabaseUnavailable: the store does not answer.
    """
    point = asked.point
    read = await read_features(
        point.features,
        reader,
        asked.tenant,
        asked.value,
        violations=asked.library.violations,
        now=now,
        until=until,
    )
    return msgspec.structs.replace(asked, value=read.value, features=read)
