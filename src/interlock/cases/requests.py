"""What workflow code asks of its driver. Each is awaited inside the workflow and carried out outside of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from interlock.cases.flags.flag import FlagType
from interlock.cases.journal import StepKind
from interlock.errors import DecisionRejected
from interlock.money import Money

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Request(Generic[T]):
    """One request; ``await`` hands it to the driver, which sends the result back in."""

    def __await__(self) -> Generator[Request[Any], Any, T]:
        return (yield self)


@dataclass(frozen=True, slots=True, eq=False)
class StepRequest(Request[T]):
    """A request that is recorded as a step.

    Attributes:
        kind: What it does.
        name: What the workflow calls it.
        arguments: What is compared on replay.
    """

    kind: StepKind
    name: str
    arguments: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Decide(StepRequest["Decided"]):
    """Ask a decision point."""

    value: Mapping[str, Any] = field(default_factory=dict[str, Any])
    exposure: Money | None = None
    assumes: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ReadFact(StepRequest["Fact"]):
    """Read a fact as it is now."""

    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class AskFlag(StepRequest[Any]):
    """Evaluate a feature flag."""

    type: FlagType = FlagType.BOOLEAN
    default: Any = False
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class AwaitEvent(StepRequest[dict[str, Any]]):
    """Wait for an outside event."""

    within: timedelta | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Act(StepRequest[dict[str, Any]]):
    """Cause an effect outside."""

    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    key: str = ""
    amount: Money | None = None
    decision: UUID | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Review(StepRequest["Decided"]):
    """Ask a person something that no decision point covers."""

    value: Mapping[str, Any] = field(default_factory=dict[str, Any])
    proposal: Mapping[str, Any] | None = None
    exposure: Money | None = None
    queue: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Wait(StepRequest[None]):
    """Wait for a time."""

    span: timedelta | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Step(StepRequest[Any]):
    """Run a function once and keep its result; after a crash it may run again before it is kept."""

    run: Callable[..., Any | Awaitable[Any]] = lambda: None
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class First(StepRequest["UUID"]):
    """Be the first case of this workflow to name keys, or learn which one was."""

    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ask(StepRequest["Said"]):
    """Stop until a person says how to go on; ``name`` is the kind of the exception."""

    what: str = ""
    group: str = ""
    exposure: Money | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Gather(Request[list[Any]]):
    """Run branches side by side, each in a scope of its own."""

    branches: tuple[Coroutine[Any, Any, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ContinueAs(Request[None]):
    """End this run and begin the next one with an empty journal."""

    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the outside world, as it was when the case read it. A decision that rests on it says so.

    Attributes:
        name: Its name in the workflow's file.
        parameters: What it was read by.
        value: What it was, as JSON; None where the other side knows of no such thing.
        read_at: When it was read, UTC.
        place: The step that read it.
    """

    name: str
    parameters: Mapping[str, Any]
    value: Any
    read_at: datetime
    place: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said where only a person can go on.

    Attributes:
        value: Their answer; it keeps the contract that the workflow's file names for this kind.
        by: Who said it.
        why: Why, in their words.
    """

    value: dict[str, Any]
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision: the answer that holds, after a person's word if one was needed.

    Attributes:
        id: The decision's id.
        rejected: Whether the answer is no; ``output`` is then not to be had.
        exposure: The money at stake.
        confidence: How sure the component was; None if none answered.
        by: Whose answer holds: a component's reference, or ``person:NAME``.
        findings: The codes of what the checks found.
        answer: The output, or None.
    """

    id: UUID
    rejected: bool
    exposure: Money | None
    confidence: float | None
    by: str
    findings: tuple[str, ...]
    answer: dict[str, Any] | None

    @property
    def output(self) -> dict[str, Any]:
        """The answer.

        Raises:
            DecisionRejected: it is no; uncaught, this ends the case as rejected.
        """
        if self.answer is None:
            raise DecisionRejected(f"the decision {self.id} was rejected by {self.by}")
        return self.answer
