"""Models that decide: a folder of ONNX files, and the function that reads an input with them."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.components.onnx_model import Model
from interlock.components.plain import copied
from interlock.components.source import sources
from interlock.components.taken import Taken, take_answer, words_of
from interlock.components.tolerance import EXACT, read_tolerance
from interlock.errors import ComponentFailed, ComponentInvalid, Violation
from interlock.plain_yaml import Mapping as YamlMapping
from interlock.plain_yaml import Node, Scalar, describe, parse_yaml
from interlock.spelling import meant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Run = Callable[[str, "NDArray[np.float32]"], "NDArray[np.float32]"]
"""A model's name and a float32 matrix ``[n, features]`` to the probability of each row, float32 ``[n]``."""
Read = Callable[[Mapping[str, Any], Run], Answer]
"""What a component's own code does: an input, and a way to run its models, to an answer."""
ReadMany = Callable[[Sequence[Mapping[str, Any]], Run], Sequence[Answer]]
"""The same for several inputs at once, in order; each answer is the one that ``Read`` gives, to the bit."""

MANIFEST = "component.yaml"
_KEYS = ("kind", "name", "version", "models", "read", "card", "bounded", "tolerance")
_TABLES = ("models", "tolerance")
_REQUIRED: tuple[str, ...] = ("kind", "name", "version", "models", "read")
_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)\Z", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_PROOF = 8
"""So many inputs are read both ways before a component's ``read_many`` is trusted."""
log = logging.getLogger("interlock.components")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A component's ``component.yaml``.

    Attributes:
        name: Its name.
        version: Its version.
        models: The file of each model by the name under which the code runs it.
        module: The module of its code.
        function: The function in it: ``read(input, run) -> Answer``.
        card: The file of its model card; empty if it has none.
        bounded: Whether its author declares that what the contract lets in bounds the time of an answer, so that it may
            be asked where nothing can cut it.
        tolerance: How far, by output field or ``confidence``, an answer may lie from an earlier one and count as it.
        digest: SHA-256 over the manifest, the model files, the code's module and what that imports of its own package.
            The card is not part of it: it changes no answer.
    """

    name: str
    version: str
    models: dict[str, str]
    module: str
    function: str
    card: str
    digest: bytes
    bounded: bool = False
    tolerance: Mapping[str, Decimal] = EXACT

    @property
    def ref(self) -> ComponentRef:
        """``onnx:NAME@VERSION``."""
        return ComponentRef(Kind.ONNX, self.name, self.version)


class Onnx:
    """A loaded folder: a component. ``load_onnx`` makes one.

    Attributes:
        manifest: What the folder says of itself.
    """

    def __init__(
        self, manifest: Manifest, models: Mapping[str, Model], read: Read, read_many: ReadMany | None = None
    ) -> None:
        self.manifest = manifest
        self._ref = manifest.ref
        self._models = dict(models)
        self._read = read
        self._read_many = read_many
        self._proved = False

    @property
    def ref(self) -> ComponentRef:
        """``onnx:NAME@VERSION``."""
        return self._ref

    @property
    def digest(self) -> bytes:
        """SHA-256 over everything that makes the answer."""
        return self.manifest.digest

    def answer(self, question: Question) -> Answer:
        """Read the input.

        Raises:
            ComponentFailed: the code raised anything at all, or what it gave is no answer.
        """
        try:
            answer = cast("object", self._read(copied(question.input), self.run))
        except (ComponentFailed, KeyboardInterrupt):
            raise
        except BaseException as cause:
            raise ComponentFailed(
                f"{self.ref} raised {words_of(cause)}", todo="look at its code with this input"
            ) from cause
        return take_answer(answer, self.ref)

    @property
    def bounded(self) -> bool:
        """Whether its time is bounded by what its contract lets in, as its author declares."""
        return self.manifest.bounded

    @property
    def reads_many(self) -> bool:
        """Whether its code can read several inputs at once."""
        return self._read_many is not None

    def answer_many(self, questions: Sequence[Question]) -> list[Answer | ComponentFailed]:
        """Read several inputs at once; each answer, or failure, is the one that ``answer`` gives, to the bit.

        A model whose rows do not have the same bits in any company is never run for several. The first few inputs of a
        process are read singly, too; where the two differ the code's ``read_many`` is not used again, since a batch
        must decide as a single question does. Nor is it for inputs on which it raises.
        """
        found = self._together(questions) if self._read_many else None
        if found is None:
            return [self._singly(question) for question in questions]
        if not self._proved and questions:
            alone = [self._singly(question) for question in questions[:_PROOF]]
            if [_seen(one) for one in alone] != [_seen(one) for one in found[:_PROOF]]:
                log.warning("%s answers several at once in another way than one by one: asked one by one", self.ref)
                self._read_many = None
                return [*alone, *(self._singly(question) for question in questions[_PROOF:])]
            self._proved = True
        return found

    def _singly(self, question: Question) -> Answer | ComponentFailed:
        try:
            return self.answer(question)
        except ComponentFailed as cause:
            return cause

    def _together(self, questions: Sequence[Question]) -> list[Answer | ComponentFailed] | None:
        """All answers from one call of the code; None where it raised, or gave another number of them."""
        if self._read_many is None:
            return None
        try:
            answers = list(self._read_many([copied(question.input) for question in questions], self._run_together))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - one input may be to blame: one by one, the others are answered
            return None
        return [_held(answer, self.ref) for answer in answers] if len(answers) == len(questions) else None

    def _run_together(self, model: str, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """As ``run``, for rows of several questions.

        Raises:
            ComponentFailed: a row's bits would depend on the others.
        """
        if model in self._models and not self._models[model].rowwise:
            log.info("%s runs %s, whose rows depend on their company: asked one by one", self.ref, model)
            self._read_many = None
            raise ComponentFailed(f"{model} cannot be run for several questions at once")
        return self.run(model, matrix)

    def run(self, model: str, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run one of its models, for code that works out beforehand what its answer will rest on.

        Args:
            model: Its name in the manifest.
            matrix: float32 ``[n, features]``, finite.

        Returns:
            The probability of the second class for each row, float32 ``[n]``.

        Raises:
            ComponentFailed: it has no such model, or that cannot be run.
        """
        if model not in self._models:
            raise ComponentFailed(f"{self.ref} has no model {model!r}", todo=meant(model, self._models))
        return self._models[model].run(matrix)


def load_onnx(folder: Path, manifest: Manifest | None = None) -> Onnx:
    """Load a component's folder.

    Args:
        folder: ``NAME@VERSION/`` with ``component.yaml`` and the model files.
        manifest: Its manifest, if it was read already.

    Raises:
        ComponentInvalid: everything that is wrong with the folder.
    """
    read = manifest if manifest is not None else read_manifest(folder)
    wrong: list[Violation] = []
    models: dict[str, Model] = {}
    for name, file in read.models.items():
        try:
            models[name] = Model((folder / file).read_bytes())
        except (OSError, ComponentFailed) as cause:
            what = cause.what if isinstance(cause, ComponentFailed) else str(cause)
            todo = cause.todo if isinstance(cause, ComponentFailed) else "restore the file"
            wrong.append(Violation(where=f"{folder.name}/{file}", what=what, rule="model", todo=todo))
    many: object = None
    try:
        module = importlib.import_module(read.module)
        function = cast("object", getattr(module, read.function))
        many = cast("object", getattr(module, f"{read.function}_many", None))
    except Exception as cause:  # noqa: BLE001 - importing runs the component's code, which may raise anything
        wrong.append(_wrong_code(folder, f"{type(cause).__name__}: {str(cause)[:300]}"))
        function = None
    if function is not None and not callable(function):
        wrong.append(_wrong_code(folder, f"{read.module}:{read.function} is no function"))
    if wrong:
        raise _invalid(folder, wrong)
    return Onnx(read, models, cast("Read", function), cast("ReadMany", many) if callable(many) else None)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest and compute the component's digest, without running anything of it.

    Raises:
        ComponentInvalid: the manifest says what cannot be, or a file or module that it names is not there.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as cause:
        raise _invalid(
            folder, [Violation(where=MANIFEST, what=str(cause), rule="manifest", todo="write one")]
        ) from cause
    root, found = parse_yaml(data, f"{folder.name}/{MANIFEST}")
    reader = _Reader(f"{folder.name}/{MANIFEST}", list(found))
    values = reader.values(root)
    models, tolerance = reader.models(root, folder), read_tolerance(root, reader.add)
    code = _FUNCTION.match(values["read"])
    if not reader.wrong and code is None:
        reader.add(root.get("read") or root, f"{values['read']!r} names no function", "write package.module:function")
    if reader.wrong or code is None:
        raise _invalid(folder, reader.wrong)
    return Manifest(
        name=values["name"],
        version=values["version"],
        models=models,
        module=code[1],
        function=code[2],
        card=values.get("card", ""),
        digest=_digest(data, folder, models, code[1]),
        bounded=values.get("bounded") == "true",
        tolerance=tolerance,
    )


class _Reader:
    """Takes the manifest's values, noting each that is wrong with its line."""

    def __init__(self, file: str, wrong: list[Violation]) -> None:
        self.file = file
        self.wrong = wrong

    def add(self, node: Node, what: str, todo: str) -> None:
        self.wrong.append(Violation(where=f"{self.file}:{node.line}", what=what, rule="manifest", todo=todo))

    def values(self, root: YamlMapping) -> dict[str, str]:
        for entry in root.entries:
            if entry.key.text not in _KEYS:
                self.add(entry.key, f"the key {entry.key.text!r} is unknown", meant(entry.key.text, _KEYS))
        found: dict[str, str] = dict.fromkeys(_REQUIRED, "")
        for key in _REQUIRED:
            if root.get(key) is None:
                self.add(root, f"the key {key!r} is missing", "add it")
        for entry in root.entries:
            if isinstance(entry.value, Scalar) and entry.key.text not in _TABLES:
                found[entry.key.text] = entry.value.text
            elif entry.key.text not in _TABLES:
                self.add(entry.value, f"{entry.key.text} is {describe(entry.value)}", "write a word")
        if found["kind"] not in ("", Kind.ONNX):
            self.add(root.get("kind") or root, f"the kind is {found['kind']!r}", "write onnx")
        if found.get("bounded", "false") not in ("true", "false"):
            self.add(root.get("bounded") or root, f"bounded is {found['bounded'][:60]!r}", "write true or false")
        return found

    def models(self, root: YamlMapping, folder: Path) -> dict[str, str]:
        node = root.get("models")
        if not isinstance(node, YamlMapping) or not node.entries:
            self.add(node or root, "models is no mapping of names to files", "write models: {total: total.onnx}")
            return {}
        found: dict[str, str] = {}
        for entry in node.entries:
            file = entry.value.text if isinstance(entry.value, Scalar) else ""
            if not _FILE.match(file):
                self.add(
                    entry.value, f"{describe(entry.value)} is no file of this folder", "name a file beside this one"
                )
            elif not (folder / file).is_file():
                self.add(entry.value, f"there is no file {file!r}", "restore it, or train the model")
            found[entry.key.text] = file
        return found


def _digest(manifest: bytes, folder: Path, models: Mapping[str, str], module: str) -> bytes:
    try:
        parts = {
            **{f"module {name}": source for name, source in sources(module).items()},
            **{f"model {file}": (folder / file).read_bytes() for file in models.values()},
            "manifest": manifest,
        }
    except Exception as cause:
        # Finding a module imports the packages that it lies in, and they may raise anything.
        raise _invalid(folder, [_wrong_code(folder, f"{type(cause).__name__}: {cause}")]) from cause
    digest = hashlib.sha256(b"interlock.components.onnx.1\0")
    for name, part in sorted(parts.items()):
        # Each part is preceded by its name and length, so that no two sets of parts give the same bytes.
        digest.update(f"{len(name.encode())} {name} {len(part)} ".encode())
        digest.update(part)
    return digest.digest()


def _wrong_code(folder: Path, what: str) -> Violation:
    return Violation(where=f"{folder.name}/{MANIFEST}, read", what=what, rule="code", todo="install or mend the module")


def _invalid(folder: Path, wrong: list[Violation]) -> ComponentInvalid:
    return ComponentInvalid(f"the component {folder.name} cannot be loaded", tuple(wrong), where=str(folder))


def _held(answer: object, ref: ComponentRef) -> Answer | ComponentFailed:
    try:
        return take_answer(answer, ref)
    except ComponentFailed as cause:
        return cause


def _seen(one: Answer | ComponentFailed) -> tuple[object, ...]:
    """Of an answer all that a record of it would show."""
    if not isinstance(one, Taken):
        return (str(one),)
    return one.output_json, one.evidence_json, one.fired_json, one.confidence, str(one.cost), one.usage
