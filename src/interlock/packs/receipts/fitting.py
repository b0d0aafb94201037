"""Fitting and exporting the small models: the one place that knows scikit-learn and skl2onnx (the extra ``train``).

Both come without complete types, so they are loaded by name and everything they return is turned into arrays, numbers
and bytes here.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlock.errors import Refused

SEED = 20260101
TREES: dict[str, float | int] = {
    "n_estimators": 150,
    "max_depth": 4,
    "learning_rate": 0.08,
    "subsample": 0.7,
    "max_features": 0.3,
    "min_samples_leaf": 5,
}
"""Settings of the boosted trees (Friedman, 2001), the same for every field."""

_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy")


def versions() -> dict[str, str]:
    """The versions of the libraries that make a model what it is."""
    return {name: version(name) for name in _LIBRARIES}


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as cause:
        raise Refused(f"{name} is not installed", todo="install the extra: pip install 'interlock[train]'") from cause


class Fitted:
    """A fitted classifier: probabilities of the positive class, and its ONNX form."""

    def __init__(self, model: Any, features: int) -> None:
        self._model = model
        self.features = features

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Float32 ``[n, features]`` to float32 ``[n]``."""
        return np.asarray(self._model.predict_proba(x)[:, 1], dtype=np.float32)

    def onnx(self) -> bytes:
        """The same model for ONNX: input ``x`` float32 ``[n, features]``, output ``probabilities`` ``[n, 2]``."""
        skl2onnx = _load("skl2onnx")
        kinds = _load("skl2onnx.common.data_types")
        exported = skl2onnx.convert_sklearn(
            self._model,
            name="receipt-field",
            initial_types=[("x", kinds.FloatTensorType([None, self.features]))],
            options={id(self._model): {"zipmap": False}},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
        # The exporter fills this list from a set, so its order changes from process to process.
        imports = sorted(exported.opset_import, key=lambda opset: str(opset.domain))
        del exported.opset_import[:]
        exported.opset_import.extend(imports)
        return bytes(exported.SerializeToString(deterministic=True))


def fit_trees(x: NDArray[np.float32], y: NDArray[np.int64], weight: NDArray[np.float64]) -> Fitted:
    """Boosted trees that tell candidates that are the field (1) from those that are not (0)."""
    ensemble = _load("sklearn.ensemble")
    model = ensemble.GradientBoostingClassifier(random_state=SEED, **TREES)
    return Fitted(model.fit(x, y, sample_weight=weight), int(x.shape[1]))


def fit_sureness(x: NDArray[np.float32], right: NDArray[np.int64]) -> Fitted:
    """A logistic regression (Platt, 1999) of whether a reading was right; regularised, since errors are few."""
    linear, pipeline, scaling = (
        _load("sklearn.linear_model"),
        _load("sklearn.pipeline"),
        _load("sklearn.preprocessing"),
    )
    model = pipeline.make_pipeline(scaling.StandardScaler(), linear.LogisticRegression(C=0.5, max_iter=1000))
    return Fitted(model.fit(x, right), int(x.shape[1]))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.float64], bins: int = 10) -> float:
    """Expected calibration error with equally filled bins (Naeini et al., 2015); 0 is perfect."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(confidence[part].mean()) - float(right[part].mean())) for part in parts]
    return sum(gaps) / max(len(order), 1)
