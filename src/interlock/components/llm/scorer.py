"""From what is measured of an answer to the probability that it is right: a table or a model, fitted before. Pure."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Protocol

import msgspec
import numpy as np

from interlock.components.onnx_model import Model

FEATURES = ("joint_logprob", "mean_logprob", "least_logprob", "agreement")
"""What can be measured; docs/reference/language-models.md has the formulas."""

_Finite = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
_Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Scorer(Protocol):
    """Something that was calibrated on answers of which it is known whether they were right."""

    def probability(self, features: Mapping[str, float]) -> float:
        """The probability that the answer is right, from 0 to 1.

        Raises:
            ComponentFailed: it gives none.
        """
        ...


class IsotonicTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calibration that never falls: points of one feature and the share of right answers there, with lines between.

    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", 2002.

    Attributes:
        feature: One of ``FEATURES``.
        points: Pairs of the feature and the probability, the features ascending, the probabilities never falling. Below
            the first and above the last point the probability of that point counts.
    """

    feature: str
    points: list[tuple[_Finite, _Probability]]

    def probability(self, features: Mapping[str, float]) -> float:
        """Read off the line."""
        value = features[self.feature]
        after = bisect.bisect_right(self.points, value, key=lambda point: point[0])
        if after == 0 or after == len(self.points):
            return self.points[0 if after == 0 else -1][1]
        (left, low), (right, high) = self.points[after - 1], self.points[after]
        return min(max(low + (high - low) * (value - left) / (right - left), low), high)


class ModelScorer:
    """An ONNX model of two classes, wrong and right, over some features.

    Args:
        data: The model's file: input ``x`` float32 [n, features], output ``probabilities`` float32 [n, 2].
        features: Which features, in the order of its columns.

    Raises:
        ComponentFailed: it is no such model, or not for so many features.
    """

    def __init__(self, data: bytes, features: tuple[str, ...]) -> None:
        self._model = Model(data)
        self._features = features
        self._model.run(np.zeros((1, len(features)), np.float32))

    def probability(self, features: Mapping[str, float]) -> float:
        """Run the model."""
        row = np.array([[features[name] for name in self._features]], np.float32)
        return float(self._model.run(row)[0])


def read_table(data: bytes) -> IsotonicTable:
    """Read the file of a table.

    Raises:
        ValueError: it is none; says why.
    """
    try:
        table = msgspec.json.decode(data, type=IsotonicTable)
    except msgspec.DecodeError as cause:
        raise ValueError(str(cause)) from cause
    if table.feature not in FEATURES:
        raise ValueError(f"{table.feature!r} is none of {', '.join(FEATURES)}")
    if len(table.points) < 2:  # noqa: PLR2004 - a line has two ends
        raise ValueError("it has fewer than two points")
    for (left, low), (right, high) in itertools.pairwise(table.points):
        if not left < right or low > high or not math.isfinite(left):
            raise ValueError(f"the point [{right}, {high}] does not rise from [{left}, {low}]")
    return table
