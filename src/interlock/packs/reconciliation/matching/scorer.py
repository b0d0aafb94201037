"""What makes probabilities: two models of one component, opened from its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from interlock.components.onnx import read_manifest
from interlock.components.onnx_model import Model
from interlock.errors import ComponentFailed, ComponentInvalid, Violation

Run: TypeAlias = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""A model's name and a float32 matrix ``[n, features]`` to the probability of each row, float32 ``[n]``."""

FOLDER = Path(__file__).parents[1] / "components" / "match-scorer@1"
"""The component that comes with the pack."""
PAIR, MATCH = "pair", "match"
_ROWS = 50_000


@dataclass(frozen=True, eq=False)
class Scorer:
    """Two models.

    Attributes:
        ref: The component's name, such as ``onnx:match-scorer@1``.
        digest: SHA-256 over everything that makes its answers.
        run: Runs ``pair`` on ``PAIR_FEATURES`` and ``match`` on ``MATCH_FEATURES``.
    """

    ref: str
    digest: bytes
    run: Run

    def score(self, model: str, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities ``[n]``, in parts of fifty thousand rows.

        Raises:
            ComponentFailed: the model cannot be run on such a matrix.
        """
        parts = [self.run(model, matrix[at : at + _ROWS]) for at in range(0, len(matrix), _ROWS)]
        return np.concatenate([np.zeros(0, dtype=np.float32), *parts]).astype(np.float64)


def open_scorer(ref: str, digest: bytes, models: dict[str, bytes]) -> Scorer:
    """A scorer of models given as the bytes of their files.

    Raises:
        ComponentFailed: they are no such models.
    """
    opened = {name: Model(data) for name, data in models.items()}

    def run(name: str, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in opened:
            raise ComponentFailed(f"{ref} has no model {name!r}", todo="give the models pair and match")
        return opened[name].run(matrix)

    return Scorer(ref, digest, run)


def load_scorer(folder: Path = FOLDER) -> Scorer:
    """The scorer of a component's folder.

    Raises:
        ComponentInvalid: the folder is no component, or has no such models.
    """
    manifest = read_manifest(folder)
    missing = [name for name in (PAIR, MATCH) if name not in manifest.models]
    if missing:
        what = f"it has no model {', '.join(missing)}"
        raise ComponentInvalid(
            str(manifest.ref), (Violation(where="component.yaml", what=what, rule="model", todo="train it anew"),)
        )
    files = {name: (folder / manifest.models[name]).read_bytes() for name in (PAIR, MATCH)}
    return open_scorer(str(manifest.ref), manifest.digest, files)
