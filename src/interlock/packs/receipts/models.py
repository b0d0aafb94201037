"""Running the reader's ONNX models from a folder: for training and evaluation, outside the decision path.

The decision path loads the same folder as a component; this module is the one place here that knows onnxruntime.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs] - it has none
from numpy.typing import NDArray

from interlock.errors import NotFound, Refused
from interlock.packs.receipts.reading import Run

FOLDER = Path(__file__).parent / "components" / "receipt-fields@1"
"""The models that come with the pack."""

FIELDS = ("total", "date", "company")
MODELS = (*FIELDS, *(f"{field}_confidence" for field in FIELDS))
"""The names that the reader asks for."""


THRESHOLDS = "thresholds.json"
"""The file of the thresholds that training proposes; a workflow's file decides, so it is no part of the component."""


class Threshold(msgspec.Struct, frozen=True):
    """From which confidence a total may be paid without a person.

    Attributes:
        below: The exposure, in ringgit, that it holds below.
        confidence: The least confidence of the total.
    """

    below: str
    confidence: float


def open_models(contents: dict[str, bytes]) -> Run:
    """A function that runs one of the models, given as the bytes of their files, on one thread."""
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    sessions: dict[str, Any] = {
        name: runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        for name, content in contents.items()
    }

    def run(name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(sessions[name].run(["probabilities"], {"x": x})[0][:, 1], dtype=np.float32)

    return run


def load_models(folder: Path = FOLDER) -> Run:
    """The models of a component folder.

    Raises:
        NotFound: a model file is not there.
    """
    missing = [name for name in MODELS if not (folder / f"{name}.onnx").is_file()]
    if missing:
        raise NotFound(f"{folder} has no model {', '.join(missing)}", todo="run interlock.packs.receipts.train")
    return open_models({name: (folder / f"{name}.onnx").read_bytes() for name in MODELS})


def load_thresholds(folder: Path = FOLDER) -> tuple[Threshold, ...]:
    """The thresholds that training proposed, the smallest exposure first.

    Raises:
        Refused: the folder has none.
    """
    path = folder / THRESHOLDS
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Threshold, ...])
    except (OSError, msgspec.MsgspecError) as cause:
        raise Refused(f"no thresholds: {cause}", where=str(path), todo="run interlock.packs.receipts.train") from cause
