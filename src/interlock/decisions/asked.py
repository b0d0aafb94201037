"""What is asked of a decision point, and the answer that nothing was decided. Types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.control.terms import ControlTerms, Lot
from interlock.autonomy.standing import Standing
from interlock.db.work import Condition, Stamp, Write
from interlock.decisions.decision import Decision
from interlock.decisions.features.read import FeaturesRead
from interlock.decisions.library import Library
from interlock.decisions.origin import Origin
from interlock.decisions.point import DecisionPoint
from interlock.guards.scope import decision_scopes
from interlock.money import Money
from interlock.privacy.veil import Veil
from interlock.search.entry import NO_DIGESTS, Digests


def _nothing(_stamp: Stamp, _decision: Decision) -> Sequence[Write]:
    return ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be decided.

    Attributes:
        tenant: Whose decision.
        workflow: Whose point.
        point: The decision point, as its file declares it.
        declaration: SHA-256 of that file.
        library: Where its contracts, components and checks are.
        key: The idempotency key; within a case, the step.
        value: The input.
        exposure: The money at stake, if the caller knows it.
        case_id: The case that it belongs to, if any.
        caller: Who asks, or who submitted its case; a stop may name them.
        origin: What brought the question, where it comes from outside of any case.
        until: When the caller stops waiting, on the event loop's clock; it shortens the point's budget. None: whenever.
        aside: Entered while somebody outside is asked: whoever counts what is under way need not count this.
        facts: What it assumes, as canonical JSON.
        broken_data: Which levels of the data that it rests on are broken, in words; empty if none is.
        certified: What is certified at the point, once that is looked up; in words, why nothing is. None: it was not
            looked up, or the point declares no autonomy.
        control: What its workflow's file says of a control group; None: it has none.
        lot: How its case was drawn, once it is; None: it is in no group.
        features: The features of the point, once they are read; they then stand in the input, too.
        supersedes: The stale decision that it takes the place of.
        conditions: What else must hold in the commit, such as the case's fence.
        attach: Rows that belong into the same commit, such as the case's step.
        veil: The personal values of the input, once they are opened; None: the point states no purpose.
        digests: Of its personal values, under a key of the tenant, where decisions are found by them.
        begins_case: Whether the decision, unless it is a rejection, is the first step of a case of its own; ``attach``
            then gives the case's rows.
    """

    tenant: UUID
    workflow: str
    point: DecisionPoint
    declaration: bytes
    library: Library
    key: str
    value: Mapping[str, Any]
    exposure: Money | None = None
    case_id: UUID | None = None
    caller: str = ""
    origin: Origin | None = None
    until: float | None = None
    aside: Callable[[], AbstractContextManager[None]] = nullcontext
    facts: bytes | None = None
    broken_data: str = ""
    certified: Standing | str | None = None
    control: ControlTerms | None = None
    lot: Lot | None = None
    features: FeaturesRead | None = None
    supersedes: UUID | None = None
    conditions: tuple[Condition, ...] = ()
    attach: Callable[[Stamp, Decision], Sequence[Write]] = _nothing
    begins_case: bool = False
    digests: Digests = NO_DIGESTS
    veil: Veil | None = None

    @property
    def name(self) -> str:
        """The point's full name."""
        return f"{self.workflow}.{self.point.name}"

    @property
    def is_control(self) -> bool:
        """Whether a person takes it, since its case is in the control group."""
        return self.lot is not None and self.lot.is_control

    @property
    def choice_key(self) -> bytes:
        """What splits the decisions among components that share a step."""
        return f"{self.tenant}/{self.name}/{self.key}".encode()

    def scopes(self, component: object) -> tuple[str, ...]:
        """By which names the decision can be stopped, if this component answers."""
        return decision_scopes(workflow=self.workflow, point=self.name, component=str(component), caller=self.caller)


@dataclass(frozen=True, slots=True)
class Deferred:
    """No decision was taken: intake is held rather than anything automated.

    Its queue is full; or it is stopped, and its point declares no person who could decide meanwhile.

    Attributes:
        why: In a sentence.
        pause: When to ask again.
        held_by: The stop that holds it, if one does.
        code: Why, for programs: ``queue-full`` or ``data-broken``, where no stop holds it.
    """

    why: str
    pause: timedelta
    held_by: UUID | None = None
    code: str = "queue-full"
