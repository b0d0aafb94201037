"""Reads a language model's ``component.yaml``, and names everything that is wrong with it and its folder at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from interlock.components.llm.manifest import (
    MANIFEST,
    SYSTEM,
    USER,
    AnswerForm,
    ConfidenceTerms,
    LlmManifest,
    Method,
    PriceTerms,
    folder_digest,
)
from interlock.components.llm.prices import DeclaredPrice
from interlock.components.llm.scorer import FEATURES, read_table
from interlock.components.llm.template import Template, read_template
from interlock.components.tolerance import read_tolerance
from interlock.errors import ComponentInvalid, Violation
from interlock.plain_yaml import Kind as Form
from interlock.plain_yaml import Mapping as Table
from interlock.plain_yaml import Node, Scalar, Sequence, describe, parse_yaml
from interlock.spelling import meant

LARGEST_PROMPT_FILE = 128 * 1024
"""Bytes."""
MOST_REPAIRS = 3
MOST_SAMPLES = 16
MOST_OUTPUT = 200_000

_KEYS = (
    "kind",
    "name",
    "version",
    "provider",
    "model",
    "answer",
    "parameters",
    "repairs",
    "confidence",
    "price",
    "card",
    "tolerance",
)
_REQUIRED = ("kind", "name", "version", "provider", "model", "parameters", "confidence")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_PROVIDER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_MODEL = re.compile(r"[\x21-\x7e]{1,200}\Z")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_WORD = re.compile(r"[a-z]{1,20}\Z")
_LIMITS = ("max_tokens", "max_completion_tokens")
_NUMBERS = {"temperature": (0, 2), "top_p": (0, 1)}
_PARAMETERS = (*_LIMITS, *_NUMBERS, "seed", "reasoning_effort")

E = TypeVar("E", bound=StrEnum)


def read_llm_manifest(folder: Path) -> LlmManifest:
    """Read a folder; nothing is asked yet.

    Raises:
        ComponentInvalid: everything that is wrong with it.
    """
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as cause:
        raise _invalid(
            folder, [Violation(where=MANIFEST, what=str(cause), rule="manifest", todo="write one")]
        ) from cause
    root, found = parse_yaml(data, f"{folder.name}/{MANIFEST}")
    reader = _Reader(folder, list(found))
    manifest = reader.manifest(root, data)
    if reader.wrong or manifest is None:
        raise _invalid(folder, reader.wrong)
    return manifest


class _Reader:
    """Takes the values, noting each that is wrong with its line."""

    def __init__(self, folder: Path, wrong: list[Violation]) -> None:
        self.folder = folder
        self.wrong = wrong

    def add(self, node: Node, what: str, todo: str) -> None:
        where = f"{self.folder.name}/{MANIFEST}:{node.line}"
        self.wrong.append(Violation(where=where, what=what, rule="manifest", todo=todo))

    def manifest(self, root: Table, data: bytes) -> LlmManifest | None:
        self.known(root, _KEYS, _REQUIRED)
        if self.text(root, "kind", r"llm\Z", "llm") != "llm":
            return None
        parameters, most_output = self.parameters(root)
        confidence = self.confidence(root, parameters)
        system, user = self.prompts()
        tolerance = read_tolerance(root, self.add)
        values = {
            "name": self.text(root, "name", r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", "letters, digits, . _ -"),
            "version": self.text(root, "version", r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", "letters, digits, . _ -"),
            "provider": self.text(root, "provider", _PROVIDER, "the NAME of [llm.NAME] in interlock.toml"),
            "model": self.text(root, "model", _MODEL, "the model's name as the provider calls it"),
        }
        answer = self.choice(root, "answer", AnswerForm, AnswerForm.JSON_SCHEMA)
        repairs = self.whole(root, "repairs", 0, MOST_REPAIRS, 1)
        price = self.price(root)
        self.text(root, "card", _FILE, "a file of this folder")
        if self.wrong:
            return None
        return LlmManifest(
            **values,
            parameters=parameters,
            most_output=most_output,
            answer=answer,
            repairs=repairs,
            confidence=confidence,
            price=price,
            system=system,
            user=user,
            digest=folder_digest(data, self.folder, confidence.file),
            tolerance=tolerance,
        )

    def known(self, table: Table, keys: tuple[str, ...], required: tuple[str, ...]) -> None:
        for entry in table.entries:
            if entry.key.text not in keys:
                self.add(entry.key, f"the key {entry.key.text[:60]!r} is unknown", meant(entry.key.text, keys))
        for key in required:
            if table.get(key) is None:
                self.add(table, f"the key {key!r} is missing", "add it")

    def text(self, table: Table, key: str, form: str | re.Pattern[str], todo: str) -> str:
        node = table.get(key)
        if node is None:
            return ""
        if not isinstance(node, Scalar) or not re.match(form, node.text):
            self.add(node, f"{key} is {describe(node)}", f"write {todo}")
            return ""
        return node.text

    def choice(self, table: Table, key: str, kind: type[E], default: E) -> E:
        node = table.get(key)
        if node is None:
            return default
        words = [str(one) for one in kind]
        if not isinstance(node, Scalar) or node.text not in words:
            self.add(node, f"{key} is {describe(node)}", f"write one of {', '.join(words)}")
            return default
        return kind(node.text)

    def whole(self, table: Table, key: str, least: int, most: int, default: int) -> int:
        node = table.get(key)
        if node is None:
            return default
        written = isinstance(node, Scalar) and node.kind is Form.INTEGER and re.fullmatch(r"[0-9]{1,18}", node.text)
        if not written or not isinstance(node, Scalar) or not least <= int(node.text) <= most:
            self.add(node, f"{key} is {describe(node)}", f"write a whole number from {least} to {most}")
            return default
        return int(node.text)

    def table(self, table: Table, key: str, known: tuple[str, ...], todo: str) -> Table | None:
        node = table.get(key)
        if node is None:
            return None
        if not isinstance(node, Table):
            self.add(node, f"{key} is {describe(node)}", todo)
            return None
        self.known(node, known, ())
        return node

    def parameters(self, root: Table) -> tuple[Mapping[str, Any], int]:
        table = self.table(root, "parameters", _PARAMETERS, "write parameters: {temperature: 0, max_tokens: 300}")
        if table is None:
            return {}, 0
        read: dict[str, Any] = {}
        for key, (least, most) in _NUMBERS.items():
            number = self.number(table, key, least, most)
            if number is not None:
                read[key] = number
        if table.get("seed") is not None:
            read["seed"] = self.whole(table, "seed", 0, 2**31 - 1, 0)
        if effort := self.text(table, "reasoning_effort", _WORD, "a word, such as low"):
            read["reasoning_effort"] = effort
        limits = [key for key in _LIMITS if table.get(key) is not None]
        if len(limits) != 1:
            what = "the most tokens of an answer are not given once"
            self.add(table, what, f"write max_tokens: 300, or {_LIMITS[1]} for models that want that")
            return read, 0
        most_output = self.whole(table, limits[0], 1, MOST_OUTPUT, 1)
        return {**read, limits[0]: most_output}, most_output

    def number(self, table: Table, key: str, least: int, most: int) -> float | None:
        node = table.get(key)
        if node is None:
            return None
        if not isinstance(node, Scalar) or not re.fullmatch(r"[0-9](\.[0-9]{1,6})?", node.text):
            self.add(node, f"{key} is {describe(node)}", f"write a number from {least} to {most}")
            return None
        if not least <= Decimal(node.text) <= most:
            self.add(node, f"{key} is {node.text}", f"write a number from {least} to {most}")
        return float(node.text)

    def confidence(self, root: Table, parameters: Mapping[str, Any]) -> ConfidenceTerms:
        node = root.get("confidence")
        if isinstance(node, Scalar):
            method = self.choice(root, "confidence", Method, Method.NONE)
            if method in (Method.NONE, Method.LOGPROBS):
                return ConfidenceTerms(method=method)
            self.add(node, f"{method} says too little", f"write confidence: {{method: {method}, samples: 5}}")
            return ConfidenceTerms(method=Method.NONE)
        keys = ("method", "fields", "samples", "file", "features")
        table = self.table(root, "confidence", keys, "write one of none, logprobs, or {method: ...}")
        if table is None:
            return ConfidenceTerms(method=Method.NONE)
        terms = ConfidenceTerms(
            method=self.choice(table, "method", Method, Method.NONE),
            fields=self.words(table, "fields", lambda text: bool(_FIELD.match(text)), "the names of fields"),
            samples=self.whole(table, "samples", 1, MOST_SAMPLES, 1),
            file=self.text(table, "file", _FILE, "a file of this folder"),
            features=self.words(table, "features", FEATURES.__contains__, f"some of {', '.join(FEATURES)}"),
        )
        return self.together(terms, table, parameters)

    def together(self, terms: ConfidenceTerms, table: Table, parameters: Mapping[str, Any]) -> ConfidenceTerms:
        """What only shows when the values are looked at together; the features of a table's scorer stand in it."""
        if terms.method is Method.SCORER:
            terms = self.scorer(terms, table)
        elif terms.file or terms.features:
            self.add(table, f"{terms.method} has no file and no features", "remove them, or write method: scorer")
        agreeing = terms.method is Method.SELF_CONSISTENCY or "agreement" in terms.features
        if agreeing and terms.samples == 1:
            self.add(table, "one sample agrees with itself", f"write samples: 2 to {MOST_SAMPLES}")
        if not agreeing and terms.samples > 1:
            self.add(table, f"{terms.method} looks at one sample", "remove samples")
        if terms.samples > 1 and parameters.get("temperature") == 0:
            self.add(table, "at temperature 0 all samples are alike", "raise parameters.temperature")
        return terms

    def scorer(self, terms: ConfidenceTerms, table: Table) -> ConfidenceTerms:
        features = terms.features
        if not terms.file or not (self.folder / terms.file).is_file():
            self.add(table, f"there is no scorer's file {terms.file!r}", "write file: NAME.json or NAME.onnx")
        elif terms.file.endswith(".json"):
            try:
                features = (read_table((self.folder / terms.file).read_bytes()).feature,)
            except ValueError as cause:
                self.add(table, f"{terms.file} is no calibration: {cause}", 'write {"feature": ..., "points": [...]}')
            if terms.features and terms.features != features:
                self.add(table, f"the features of {terms.file} stand in it", "remove features")
        elif not features:
            self.add(table, "the scorer's features are missing", f"write features: some of {', '.join(FEATURES)}")
        return ConfidenceTerms(
            method=terms.method, fields=terms.fields, samples=terms.samples, file=terms.file, features=features
        )

    def words(self, table: Table, key: str, fits: Callable[[str], bool], todo: str) -> tuple[str, ...]:
        node = table.get(key)
        if node is None:
            return ()
        items = node.items if isinstance(node, Sequence) else ()
        words = tuple(item.text for item in items if isinstance(item, Scalar) and fits(item.text))
        if not words or len(words) != len(items) or len(set(words)) != len(words):
            self.add(node, f"{key} is {describe(node)}", f"write {todo}, each once, as in [a, b]")
        return words

    def price(self, root: Table) -> PriceTerms:
        keys = ("input", "cached_input", "output", "table", "model")
        todo = 'write price: {input: "0.15", output: "0.60"}, in USD for a million tokens, or {table: PROVIDER}'
        table = self.table(root, "price", keys, todo)
        if table is None:
            return PriceTerms()
        amounts = {key: self.amount(table, key) for key in keys[:3]}
        whose = self.text(table, "table", _MODEL, "a provider, as genai-prices calls it")
        model = self.text(table, "model", _MODEL, "a model, as genai-prices calls it")
        given = [key for key, amount in amounts.items() if amount is not None]
        if not given:
            return PriceTerms(table=whose, model=model)
        if whose or model or amounts["input"] is None or amounts["output"] is None:
            self.add(table, f"the price says {', '.join(given)} only, or says it twice", todo)
            return PriceTerms()
        declared = DeclaredPrice(input=amounts["input"], output=amounts["output"], cached_input=amounts["cached_input"])
        return PriceTerms(declared=declared)

    def amount(self, table: Table, key: str) -> Decimal | None:
        text = self.text(table, key, _PRICE, 'plain digits in quotes, as in "0.15"')
        return Decimal(text) if text else None

    def prompts(self) -> tuple[str, Template]:
        system, user = self.prompt(SYSTEM), self.prompt(USER)
        read, wrong = read_template(system, f"{self.folder.name}/{SYSTEM}")
        self.wrong += wrong
        for place in read.places:
            where = f"{self.folder.name}/{SYSTEM}:{place.line}"
            what = f"{place.label} stands in the system prompt"
            todo = f"what comes from outside belongs in {USER}"
            self.wrong.append(Violation(where=where, what=what, rule="template", todo=todo))
        template, wrong = read_template(user, f"{self.folder.name}/{USER}")
        self.wrong += wrong
        if not template.places and user:
            what, todo = "it holds nothing of the input", "write {{input}} or {{input.FIELD}} where it goes"
            self.wrong.append(Violation(where=f"{self.folder.name}/{USER}", what=what, rule="template", todo=todo))
        return system, template

    def prompt(self, name: str) -> str:
        where = f"{self.folder.name}/{name}"
        try:
            data = (self.folder / name).read_bytes()
            text = data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            self.wrong.append(Violation(where=where, what=str(cause), rule="prompt", todo="write it, in UTF-8"))
            return ""
        if len(data) > LARGEST_PROMPT_FILE or not text.strip() or "\0" in text:
            what = f"it has {len(data):,} bytes" if text.strip() and "\0" not in text else "it is empty or holds NUL"
            todo = f"write a prompt of at most {LARGEST_PROMPT_FILE:,} bytes"
            self.wrong.append(Violation(where=where, what=what, rule="prompt", todo=todo))
        return text


def _invalid(folder: Path, wrong: list[Violation]) -> ComponentInvalid:
    return ComponentInvalid(f"the component {folder.name} cannot be loaded", tuple(wrong), where=str(folder))
