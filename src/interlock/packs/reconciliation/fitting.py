"""Fitting and exporting the scorer's trees: the one place here that knows scikit-learn and skl2onnx (extra ``train``).

Both come without complete types, so they are loaded by name, and all that they return is turned into arrays and bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlock.errors import Refused

SEED = 20260101
TREES: dict[str, Any] = {
    "max_iter": 150,
    "learning_rate": 0.07,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "early_stopping": False,
}
"""Settings of the boosted trees (Friedman, 2001; histograms as in LightGBM, Ke et al., 2017), of both models."""
_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "scipy", "polars", "rapidfuzz")


def versions() -> dict[str, str]:
    """The versions of the libraries that make a model what it is."""
    return {name: version(name) for name in _LIBRARIES}


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as cause:
        raise Refused(f"{name} is not installed", todo="install the extra: pip install 'interlock[train]'") from cause


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted classifier.

    Attributes:
        model: Of scikit-learn.
        features: How many it takes.
    """

    model: Any
    features: int

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Float32 ``[n, features]`` to ``[n]``."""
        return np.asarray(self.model.predict_proba(x)[:, 1], dtype=np.float64)

    def onnx(self, slope: float = 1.0, shift: float = 0.0) -> bytes:
        """The same for ONNX: input ``x`` float32 ``[n, features]``, output ``probabilities`` ``[n, 2]``.

        Args:
            slope: By what its log odds are multiplied, in the leaves themselves, so that rows stay independent.
            shift: What is added to them.
        """
        helper = _load("onnx").helper
        node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "probabilities"], domain="ai.onnx.ml")
        columns = self._nodes(slope)
        columns |= {"classlabels_int64s": [0, 1], "post_transform": "LOGISTIC"}
        columns["base_values"] = [slope * float(self.model._baseline_prediction[0, 0]) + shift]  # noqa: SLF001 - as above
        node.attribute.extend(helper.make_attribute(name, columns[name]) for name in sorted(columns))
        kinds = _load("onnx").TensorProto
        graph = helper.make_graph(
            [node],
            "match-scorer",
            [helper.make_tensor_value_info("x", kinds.FLOAT, [None, self.features])],
            [
                helper.make_tensor_value_info("label", kinds.INT64, [None]),
                helper.make_tensor_value_info("probabilities", kinds.FLOAT, [None, 2]),
            ],
        )
        imports = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        made = helper.make_model(graph, opset_imports=imports, ir_version=8)
        return bytes(made.SerializeToString(deterministic=True))

    def _nodes(self, slope: float) -> dict[str, Any]:
        """The trees as ONNX has them: one list for each property of a node.

        skl2onnx 1.20 cannot export the histograms' trees of this scikit-learn, so their nodes are read here.
        """
        found: dict[str, list[Any]] = {f"nodes_{name}": [] for name in _NODE}
        found |= {f"class_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
        for tree, predictor in enumerate(one for turn in self.model._predictors for one in turn):  # noqa: SLF001 - see above
            for number, node in enumerate(predictor.nodes):
                leaf = bool(node["is_leaf"])
                row = (tree, number, 0 if leaf else int(node["feature_idx"]), "LEAF" if leaf else "BRANCH_LEQ")
                threshold = 0.0 if leaf else _downwards(float(node["num_threshold"]))
                ends = (0, 0) if leaf else (int(node["left"]), int(node["right"]))
                for name, value in zip(_NODE, (*row, threshold, *ends), strict=True):
                    found[f"nodes_{name}"].append(value)
                if leaf:
                    for name, value in (("treeids", tree), ("nodeids", number), ("ids", 0)):
                        found[f"class_{name}"].append(value)
                    found["class_weights"].append(slope * float(node["value"]))
        return found


_NODE = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")


def _downwards(threshold: float) -> float:
    """The greatest float32 that is not above: for float32 features, the same side as the exact one."""
    held = np.float32(threshold)
    return float(held if float(held) <= threshold else np.nextafter(held, np.float32(-np.inf)))


def fit_trees(
    x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64], rising: Sequence[int]
) -> Fitted:
    """Boosted trees that tell what belongs together.

    Args:
        x: ``[n, features]``.
        y: Whether each does.
        weight: Of each.
        rising: Columns that may only make it likelier.
    """
    ensemble = _load("sklearn.ensemble")
    signs = [int(at in rising) for at in range(x.shape[1])]
    model = ensemble.HistGradientBoostingClassifier(random_state=SEED, monotonic_cst=signs, **TREES)
    return Fitted(model.fit(x, y.astype(np.int64), sample_weight=weight), int(x.shape[1]))


def fit_line(odds: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and shift that make log odds honest (Platt, 1999), out of sample."""
    model = _load("sklearn.linear_model").LogisticRegression(C=100.0)
    model.fit(odds.reshape(-1, 1), right.astype(np.int64), sample_weight=weight)
    return float(model.coef_[0][0]), float(model.intercept_[0])
