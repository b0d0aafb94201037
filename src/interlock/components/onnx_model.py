"""The one place that talks to onnxruntime: a model's bytes in, probabilities out, the same on every run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from interlock.errors import ComponentFailed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUT = "x"
OUTPUT = "probabilities"
_CLASSES = 2
_ERRORS_ONLY = 3


_ROWWISE = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor", "Cast", "Identity"})
"""Operators that compute each row by itself, in one order, when they run in one thread."""
_LENGTH_DELIMITED = 2
_GRAPH, _NODE, _OPERATOR = 7, 1, 4
"""The fields of ModelProto, GraphProto and NodeProto (onnx.proto) that lead to an operator's name."""


class _Argument(Protocol):
    """What a session says of one input or output."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


class _Session(Protocol):
    """What of onnxruntime's session is used; it has no types of its own."""

    def get_inputs(self) -> Sequence[_Argument]: ...
    def get_outputs(self) -> Sequence[_Argument]: ...
    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]], /) -> Sequence[object]: ...


class Model:
    """A classifier of two classes: input ``x`` float32 ``[n, features]``, output ``probabilities`` float32 ``[n, 2]``.

    ``rowwise`` says whether a row has the same bits in whatever company it runs. A linear model has not: how its sums
    are grouped depends on the number of rows.

    It runs on the CPU in one thread, so that the same input gives the same bits and the threads of a worker do not
    fight for cores; threads may share it.

    Args:
        data: The model file's bytes.

    Raises:
        ComponentFailed: they are no such model.
    """

    def __init__(self, data: bytes) -> None:
        import onnxruntime  # noqa: PLC0415 - with numpy a fifth of a second: only who runs a model waits for it

        library = cast("Any", onnxruntime)
        options = library.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = library.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = _ERRORS_ONLY
        try:
            session = library.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as cause:
            raise ComponentFailed(f"it is no model that can be run: {str(cause)[:300]}") from cause
        self._session = cast("_Session", session)
        self.rowwise = set(operators(data)) <= _ROWWISE
        inputs = [(argument.name, argument.type) for argument in self._session.get_inputs()]
        outputs = {argument.name: argument.type for argument in self._session.get_outputs()}
        if inputs != [(INPUT, "tensor(float)")] or outputs.get(OUTPUT) != "tensor(float)":
            raise ComponentFailed(
                f"it takes {inputs} and gives {outputs}",
                todo=f"export it with one float32 input {INPUT!r} and a float32 output {OUTPUT!r} (zipmap off)",
            )

    def run(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of the second class for each row.

        Args:
            matrix: float32 ``[n, features]``, finite.

        Returns:
            float32 ``[n]``, each from 0 to 1.

        Raises:
            ComponentFailed: the matrix is not of that form, or the model gives no probabilities.
        """
        import numpy as np  # noqa: PLC0415 - whoever has a matrix has it

        if matrix.dtype != np.float32 or matrix.ndim != 2:  # noqa: PLR2004 - rows and columns
            raise ComponentFailed(f"a matrix is {matrix.dtype} {list(matrix.shape)}, not float32 [n, features]")
        # one sum in doubles, which cannot overflow, says it; the other look costs four times as much
        if not math.isfinite(np.add.reduce(matrix, axis=None, dtype=np.float64)):
            raise ComponentFailed("a matrix holds what is no finite number")
        if matrix.shape[0] == 0:
            return np.zeros(0, dtype=np.float32)
        try:
            given = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(matrix)})[0]
        except Exception as cause:
            raise ComponentFailed(f"the model failed: {str(cause)[:300]}") from cause
        both = np.asarray(given)
        if both.shape != (matrix.shape[0], _CLASSES):
            raise ComponentFailed(f"the model gave {list(both.shape)}, not [{matrix.shape[0]}, {_CLASSES}]")
        column = both[:, 1].astype(np.float32)
        if not all(0 <= probability <= 1 for probability in column.tolist()):  # NaN is not either
            raise ComponentFailed("the model gave what is no probability")
        return column


def operators(data: bytes) -> list[str]:
    """The operators of a model, read from its bytes (protocol buffers, onnx.proto).

    Args:
        data: A model that onnxruntime has loaded.
    """
    return [
        bytes(name).decode("utf-8", "replace")
        for graph in _fields(memoryview(data), _GRAPH)
        for node in _fields(graph, _NODE)
        for name in _fields(node, _OPERATOR)
    ]


def _fields(message: memoryview, wanted: int) -> list[memoryview]:
    """The length-delimited fields of a number in a message; every other one is passed over."""
    found: list[memoryview] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(message, at)
            if tag >> 3 == wanted:
                found.append(message[at : at + length])
            at += length
        elif kind == 0:
            _, at = _varint(message, at)
        else:
            at += {1: 8, 5: 4}[kind]
    return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
