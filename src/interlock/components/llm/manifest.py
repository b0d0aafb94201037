"""The folder of a language model's component: its ``component.yaml``, prompts and scorer, and their one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from interlock.components.component import ComponentRef, Kind
from interlock.components.llm.fence import NOTICE
from interlock.components.llm.prices import DeclaredPrice
from interlock.components.llm.template import Template
from interlock.components.tolerance import EXACT

MANIFEST = "component.yaml"
SYSTEM = "system.md"
USER = "user.md"
REPAIR = """\
Your last answer cannot be used. What is wrong with it stands below as data; it quotes your answer. \
Answer again, whole, with every fault mended, and with nothing but the JSON object."""
"""What a model is told when it is asked again. Part of every digest."""
FORM = """\
Answer with one JSON object and nothing else: no words around it, no code fence. It must keep this JSON Schema:
{schema}"""
"""What is added to the system prompt where the provider is not told the schema by itself. Part of every digest."""


class AnswerForm(StrEnum):
    """How the provider is told which form the answer must have."""

    JSON_SCHEMA = "json_schema"
    """By the schema, which it enforces while it writes."""
    JSON_OBJECT = "json_object"
    """That it must be JSON; the schema stands in the prompt."""
    TEXT = "text"
    """Not at all: the schema stands in the prompt."""


class Method(StrEnum):
    """Where the confidence comes from."""

    NONE = "none"
    """None is claimed: it is 0, and a person decides."""
    LOGPROBS = "logprobs"
    """The probability that the model itself gave to the values of its answer."""
    SELF_CONSISTENCY = "self_consistency"
    """How many of several samples agree."""
    SCORER = "scorer"
    """A scorer that was calibrated on answers of which it is known whether they were right."""


class ConfidenceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How sure an answer is.

    Attributes:
        method: Where the confidence comes from.
        fields: The fields of the answer that count; empty: all.
        samples: How many answers are asked for.
        file: The scorer's file; empty without one.
        features: What the scorer is given, in its order.
    """

    method: Method
    fields: tuple[str, ...] = ()
    samples: int = 1
    file: str = ""
    features: tuple[str, ...] = ()

    @property
    def needs_logprobs(self) -> bool:
        """Whether the provider is asked for log-probabilities."""
        return self.method is Method.LOGPROBS or any(name.endswith("_logprob") for name in self.features)


class PriceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prices stand.

    Attributes:
        declared: In the file itself; None: in the price table.
        table: Whose prices of the table count, as it calls the provider; empty: found by the provider's address.
        model: The model, as the table calls it; empty: as the provider does.
    """

    declared: DeclaredPrice | None = None
    table: str = ""
    model: str = ""


class LlmManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder says.

    Attributes:
        name: Its name.
        version: Its version.
        provider: Whom it asks, by the name in the settings.
        model: The model, as the provider calls it.
        parameters: What goes into each request as it is: temperature, seed, the most tokens.
        most_output: The most tokens of one answer.
        answer: How the provider is told the form of the answer.
        repairs: How often it is asked again when an answer breaks its contract.
        confidence: How sure an answer is.
        price: Where the prices stand.
        tolerance: How far, by output field or ``confidence``, an answer may lie from an earlier one and count as it.
        system: The system prompt; it holds nothing from outside.
        user: The user prompt.
        digest: SHA-256 over the manifest, the prompts, the scorer, and our own words in the prompts. The price table is
            not part of it: it changes no answer, and stands beside each cost.
    """

    name: str
    version: str
    provider: str
    model: str
    parameters: Mapping[str, Any]
    most_output: int
    answer: AnswerForm
    repairs: int
    confidence: ConfidenceTerms
    price: PriceTerms
    system: str
    user: Template
    digest: bytes
    tolerance: Mapping[str, Decimal] = EXACT

    @property
    def ref(self) -> ComponentRef:
        """``llm:NAME@VERSION``."""
        return ComponentRef(Kind.LLM, self.name, self.version)


def folder_digest(manifest: bytes, folder: Path, scorer: str) -> bytes:
    """SHA-256 over everything in a folder that makes answers, and over our own words."""
    parts = {
        "manifest": manifest,
        "form": FORM.encode(),
        "notice": NOTICE.encode(),
        "repair": REPAIR.encode(),
        **{f"file {name}": (folder / name).read_bytes() for name in (SYSTEM, USER, scorer) if name},
    }
    digest = hashlib.sha256(b"interlock.components.llm.1\0")
    for name, part in sorted(parts.items()):
        # Each part is preceded by its name and length, so that no two sets of parts give the same bytes.
        digest.update(f"{len(name.encode())} {name} {len(part)} ".encode())
        digest.update(part)
    return digest.digest()
