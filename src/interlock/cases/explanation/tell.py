"""One explanation, as passages, as text and as a document. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import UUID

import msgspec

from interlock.cases.explain import Passage, as_text
from interlock.cases.explanation.auditor import for_auditor
from interlock.cases.explanation.material import Checkpoint, Material, Reader
from interlock.cases.explanation.operator import for_operator
from interlock.cases.explanation.person import for_person
from interlock.decisions.counterfactual.search import Counterfactual
from interlock.decisions.proof import Bundle

Language = Literal["en"]
_TELL: Mapping[Reader, Callable[[Material], tuple[Passage, ...]]] = {
    Reader.OPERATOR: for_operator,
    Reader.AUDITOR: for_auditor,
    Reader.PERSON: for_person,
}


class PlainPassage(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an explanation.

    Attributes:
        title: What it is about.
        lines: A sentence a line.
    """

    title: str
    lines: tuple[str, ...]


class Otherwise(msgspec.Struct, frozen=True, kw_only=True):
    """What would have changed one decision, for programs.

    Attributes:
        decision: The decision.
        found: What would have changed it; each was evaluated.
        not_computed: What cannot be said, and why.
        omitted: How many more were found.
    """

    decision: UUID
    found: tuple[Counterfactual, ...]
    not_computed: tuple[str, ...]
    omitted: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one entry stands in the ledger.

    Attributes:
        entry: Its id.
        kind: What it tells; empty where it is not sealed yet.
        index: Its leaf's place; None: it is not sealed yet.
        leaf: The leaf's hash, in hex.
    """

    entry: UUID
    kind: str
    index: int | None
    leaf: str


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A signed head of the ledger.

    Attributes:
        size: Of how many leaves.
        root: Their root, in hex.
        signed_at: When, in UTC.
    """

    size: int
    root: str
    signed_at: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """By what an explanation is borne out.

    Attributes:
        entries: The entries of the ledger.
        records: SHA-256 of each decision's record, in hex, by the decision's id.
        checkpoint: The newest signed one.
        proof: The bundle that interlock-verify checks; None: not all is sealed and signed yet.
    """

    entries: tuple[Place, ...]
    records: dict[str, str]
    checkpoint: SignedHead | None
    proof: Bundle | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An explanation.

    Attributes:
        reader: For whom.
        language: In which language.
        passages: Its parts.
        text: The same as plain text.
        case: The case that it is of; never told to the person.
        otherwise: What would have changed each decision; never told to the person in this form.
        evidence: By what it is borne out; an auditor's only.
    """

    reader: Reader
    language: Language
    passages: tuple[PlainPassage, ...]
    text: str
    case: UUID | None = None
    otherwise: tuple[Otherwise, ...] = ()
    evidence: Evidence | None = None


def tell(material: Material, reader: Reader, language: Language = "en") -> Explanation:
    """Explain to a reader."""
    passages = _TELL[reader](material)
    plain = tuple(PlainPassage(title=one.title, lines=one.lines) for one in passages)
    if reader is Reader.PERSON:  # INVARIANT: nothing but the words reaches them
        return Explanation(reader=reader, language=language, passages=plain, text=plain_text(plain))
    return Explanation(
        reader=reader,
        language=language,
        passages=plain,
        text=as_text(passages),
        case=material.record.case.id if material.record is not None else None,
        otherwise=tuple(
            Otherwise(
                decision=one.decision.id,
                found=one.counterfactuals.found,
                not_computed=one.counterfactuals.not_computed,
                omitted=one.counterfactuals.omitted,
            )
            for one in material.in_focus
        ),
        evidence=_evidence(material) if reader is Reader.AUDITOR else None,
    )


def plain_text(passages: tuple[PlainPassage, ...]) -> str:
    """Passages as text for people: titles, and a sentence a line."""
    return "\n\n".join("\n".join([one.title, *(f"    {line}" for line in one.lines)]) for one in passages)


def _evidence(material: Material) -> Evidence:
    return Evidence(
        entries=tuple(Place(entry=one.entry, kind=one.kind, index=one.index, leaf=one.leaf) for one in material.sealed),
        records={str(decision): digest for decision, digest in material.records.items()},
        checkpoint=_head(material.checkpoint),
        proof=material.proof,
    )


def _head(checkpoint: Checkpoint | None) -> SignedHead | None:
    if checkpoint is None:
        return None
    return SignedHead(size=checkpoint.size, root=checkpoint.root, signed_at=checkpoint.signed_at.isoformat())
