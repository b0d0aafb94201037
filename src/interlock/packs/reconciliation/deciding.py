"""How sure it is that a proposed match is right: the calibrated model of the whole, asked again by the decision itself.

The round puts into the question the features that the solver gave the model. So the decision does not take the round's
word for the probability: it computes it, by the component version in force, and its record replays to the bit. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock.components.component import Answer
from interlock.errors import ComponentFailed

Run: TypeAlias = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""A model's name and a float32 matrix ``[n, features]`` to the probability of each row, float32 ``[n]``."""

MODEL = "match"


def read(input: Mapping[str, Any], run: Run) -> Answer:  # noqa: A002 - the name that every component's read uses
    """Judge one proposed match.

    Args:
        input: A ``match@1``: ``features`` is what the model is given, ``reasons`` what it comes to in words.
        run: Runs the model ``match``.

    Returns:
        Output ``{"verdict": "same"}``: the entries are held to be the same money, with the confidence that the model
        gives. Where that is too little for the terms of the point, a person says it.

    Raises:
        ComponentFailed: the features are not as many as the model's.
    """
    return read_many([input], run)[0]


def read_many(inputs: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """The same for several; each answer is the one that ``read`` gives, to the bit.

    Raises:
        ComponentFailed: the inputs have not as many features each.
    """
    rows = [one["features"] for one in inputs]
    if len({len(row) for row in rows}) > 1:
        raise ComponentFailed("the matches have not the same number of features")
    matrix = np.array(rows, dtype=np.float32).reshape(len(rows), -1)
    return [_answer(one, float(sure)) for one, sure in zip(inputs, run(MODEL, matrix).tolist(), strict=True)]


def _answer(asked: Mapping[str, Any], sure: float) -> Answer:
    evidence = {"reasons": asked["reasons"], "difference": asked["difference"], "explained": asked["explained"]}
    return Answer(output={"verdict": "same"}, confidence=sure, evidence=evidence)
