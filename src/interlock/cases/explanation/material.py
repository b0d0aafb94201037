"""What an explanation is made of: the records, what judged them, and their places in the ledger. Types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from interlock.actions.action import Action
from interlock.cases.declaration import Declaration
from interlock.cases.record import CaseRecord
from interlock.decisions.counterfactual.kept import Kept
from interlock.decisions.counterfactual.search import Counterfactuals
from interlock.decisions.decision import Decision
from interlock.decisions.proof import Bundle
from interlock.oversight.review import Review


class Reader(StrEnum):
    """For whom a decision is explained."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One decision with what belongs to it.

    Attributes:
        decision: The decision.
        review: What a person was asked about it, if anything.
        actions: What rests on it.
        kept: What judged it, as far as it is at hand.
        declaration: The workflow's file that it names; None: it is not at hand.
        counterfactuals: What would have changed its outcome.
        unreadable: Why its row cannot be read; then only its evidence is told. Empty where it can.
        outcomes: What became of it, in lines; empty: nothing is recorded.
    """

    decision: Decision
    review: Review | None
    actions: tuple[Action, ...]
    kept: Kept
    declaration: Declaration | None
    counterfactuals: Counterfactuals
    unreadable: str = ""
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Where one entry of the ledger stands.

    Attributes:
        entry: Its id.
        kind: What it tells; empty where that is not known before it is sealed.
        at: When; None as for ``kind``.
        index: Its leaf's place; None: it is not sealed yet.
        leaf: The leaf's hash, in hex; empty as for ``index``.
        body: What it tells; empty as for ``kind``.
    """

    entry: UUID
    kind: str = ""
    at: datetime | None = None
    index: int | None = None
    leaf: str = ""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The newest signed head of the ledger.

    Attributes:
        size: Of how many leaves.
        root: Their root, in hex.
        signed_at: When.
    """

    size: int
    root: str
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that is explained at once.

    Attributes:
        kind: What the id is of that was given: case, decision, review, action, exception, quarantine.
        identifier: That id.
        record: The case, whole; None: the decision belongs to none.
        told: The decisions, in order; of a case the newest ones.
        focus: The decision that the id belongs to; None: the case as a whole.
        left_out: How many older decisions of the case are not among ``told``.
        sealed: The entries of the ledger, in order.
        checkpoint: The newest one; None: none is signed yet.
        proof: The proofs of these entries, for programs; None: they are not wanted, or not all of them are sealed.
        records: SHA-256 of each decision's record as it is now, by the decision's id, in hex.
    """

    kind: str
    identifier: UUID
    record: CaseRecord | None
    told: tuple[Told, ...]
    focus: UUID | None = None
    left_out: int = 0
    sealed: tuple[Sealed, ...] = ()
    checkpoint: Checkpoint | None = None
    proof: Bundle | None = None
    records: Mapping[UUID, str] = field(default_factory=dict[UUID, str])

    @property
    def in_focus(self) -> tuple[Told, ...]:
        """The decision that was asked about, or all of the case."""
        return tuple(one for one in self.told if self.focus in (None, one.decision.id))
