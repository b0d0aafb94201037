"""The face of a case inside a workflow: everything that workflow code may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from interlock.cases.flags.flag import check_flag
from interlock.cases.journal import StepKind
from interlock.cases.requests import (
    Act,
    Ask,
    AskFlag,
    AwaitEvent,
    ContinueAs,
    Decide,
    Decided,
    Fact,
    First,
    Gather,
    ReadFact,
    Request,
    Review,
    Said,
    Step,
    StepRequest,
    Wait,
)
from interlock.db.text import storable
from interlock.money import Money

Flag = TypeVar("Flag", bool, str, int, float, Decimal, dict[str, Any], list[Any])
NO_CONTEXT: Mapping[str, Any] = MappingProxyType({})


class Case:
    """One case, as its workflow sees it. Every method that is awaited is recorded, and is replayed after a crash.

    Attributes:
        id: The case's id.
        key: The idempotency key under which it was submitted.
        input: The input, checked against the workflow's contract.
        workflow: The workflow's name.
        created_at: When it was submitted, UTC.
        exposure: The money in it when this worker took it up, if a decision had made it known.
    """

    def __init__(
        self,
        *,
        case_id: UUID,
        key: str,
        value: Mapping[str, Any],
        workflow: str,
        created_at: datetime,
        exposure: Money | None = None,
    ) -> None:
        self.id = case_id
        self.key = key
        self.input = value
        self.workflow = workflow
        self.created_at = created_at
        self.exposure = exposure

    def fact(self, name: str, parameters: Mapping[str, Any]) -> Request[Fact]:
        """Read a fact that the workflow's file declares, as it is now.

        Args:
            name: The fact's name.
            parameters: What it is read by, such as the id of a vendor.
        """
        return ReadFact(StepKind.FACT, name, parameters, parameters)

    def decide(
        self,
        point: str,
        value: Mapping[str, Any],
        *,
        exposure: Money | None = None,
        assumes: Sequence[Fact] = (),
    ) -> Request[Decided]:
        """Take a decision at a point that the workflow's file declares.

        Args:
            point: The point's name.
            value: What to decide on; money as exact strings.
            exposure: The money at stake, if the point's file does not say where it stands.
            assumes: The facts that it rests on. They are read again before an action begins because of it; if one is
                another by then, the decision is taken anew instead.
        """
        facts = tuple(assumes)
        told = [[fact.name, fact.parameters, fact.value, fact.place] for fact in facts]
        arguments = (value, exposure, told) if facts else (value, exposure)
        return Decide(StepKind.DECIDE, point, arguments, value, exposure, facts)

    def act(
        self, name: str, payload: Mapping[str, Any], *, key: str = "", because: Decided | None = None
    ) -> Request[dict[str, Any]]:
        """Cause an effect outside, once. Gives what the other side answered.

        Args:
            name: The action's name in the workflow's file.
            payload: What to ask for; a ``Money`` under ``amount`` is what the limits count.
            key: The idempotency key that the other side sees; by default the case's own, and the step's name.
            because: The decision that it rests on. After that one's time limit, when a fact that it assumed has
                changed, or when it went by itself and what is certified now would not let it, the action does not
                begin; the case goes back to before the decision and takes it anew.

        Raises:
            ActionFailed: it ended without effect.
            DecisionRejected: the decision that it rests on is a no; uncaught, this ends the case as rejected. What
                follows from a no, such as telling the customer, rests on none.
        """
        amount = payload.get("amount")
        return Act(
            StepKind.ACT,
            name,
            (payload, key),
            payload,
            key,
            amount if isinstance(amount, Money) else None,
            because.id if because else None,
        )

    def review(
        self,
        question: str,
        value: Mapping[str, Any],
        *,
        why: str,
        proposal: Mapping[str, Any] | None = None,
        exposure: Money | None = None,
        queue: str = "",
    ) -> Request[Decided]:
        """Ask a person something that no decision point covers.

        Args:
            question: Its name, for counting.
            value: What the person needs to see.
            why: Why it is asked, in a sentence.
            proposal: What would hold if the person approves.
            exposure: The money at stake.
            queue: Where it waits; by default the workflow's own name. What decision points of that queue declare holds
                for it, too: the longest ``hold``, and two people from the least amount of ``four_eyes`` on.
        """
        arguments = (value, proposal, exposure, queue, why)
        return Review(StepKind.REVIEW, question, arguments, value, proposal, exposure, queue, why)

    def ask(self, kind: str, what: str, *, group: str = "", exposure: Money | None = None) -> Request[Said]:
        """Stop here until a person says how to go on: the case becomes an exception, which nothing else resolves.

        For what is no decision about this one case alone: whoever answers for the kind sees those of one group as one,
        with the money in all of them, and may answer them with one word. A single question is a ``review``.

        Args:
            kind: The kind of exception; the workflow's file names its owner and the contract of the answer.
            what: What has to be settled, in a sentence.
            group: What those that belong together have in common; by default the sentence without its numbers.
            exposure: The money at stake.
        """
        what, group = storable(what), storable(group)  # words for people, often those of a file from elsewhere
        return Ask(StepKind.ASK, kind, (what, group, exposure), what, group, exposure)

    def wait(self, name: str, *, span: timedelta | None = None, until: datetime | None = None) -> Request[None]:
        """Wait for a span or until a moment (UTC), holding no process.

        Args:
            name: What is waited for, in words; a person sees it.
            span: How long.
            until: Or until when.
        """
        return Wait(StepKind.WAIT, name, (span, until), span, until)

    def flag(self, name: str, default: Flag, *, context: Mapping[str, Any] = NO_CONTEXT) -> Request[Flag]:
        """Ask for a feature flag, once: a replay gives what was given. Of the default's type, and it never fails: what
        cannot be evaluated in time gives the default, with the reason on record.

        Args:
            name: The flag's name at the provider.
            default: What holds without an answer: true or false, text, a whole number, a float, a ``Decimal`` (the
                provider holds it as text), a mapping or a list.
            context: What the provider may go by, beside the tenant, the workflow, the caller and the case.

        Raises:
            WorkflowMisuse: the name, the default or the context cannot be asked or recorded.
        """  # noqa: D205 - one thought
        kind = check_flag(name, default, context)
        given = f"{default:f}" if isinstance(default, Decimal) else default
        return AskFlag(StepKind.FLAG, name, (kind, given, dict(context)), kind, given, dict(context))

    def event(self, name: str, *, within: timedelta | None = None) -> Request[dict[str, Any]]:
        """Wait for an outside event that the workflow's file declares, holding no process. Gives its payload.

        Events of one name are taken in the order in which they came, each once; one that came before it was asked for
        is kept.

        Args:
            name: The event's name.
            within: How long to wait at most; None: for as long as it takes.

        Raises:
            EventLate: it did not come in time.
        """
        return AwaitEvent(StepKind.EVENT, name, within, within)

    def step(self, name: str, run: Callable[..., Any | Awaitable[Any]], *values: Any) -> Request[Any]:
        """Run a function outside the replay and keep its result.

        The place for I/O that is no action: reading a table, calling a service. After a crash it may run again.

        Args:
            name: What it is called in the journal.
            run: A function or coroutine function; its result must be JSON.
            values: Its arguments; compared on replay.
        """
        return Step(StepKind.STEP, name, values, run, values)

    def first(self, name: str, *keys: str) -> Request[UUID]:
        """Which case of this workflow was the first to name one of these keys: this case's own id if none was earlier.

        Atomic: of two cases at once exactly one is first. The keys that are free become this case's.
        """
        return First(StepKind.STEP, f"first:{name}", keys, tuple(dict.fromkeys(keys)))

    def gather(self, *branches: Coroutine[Any, Any, Any]) -> Request[list[Any]]:
        """Run coroutines side by side; their results in order. The only concurrency inside a workflow."""
        return Gather(branches)

    def now(self) -> Request[datetime]:
        """The time, recorded."""
        return StepRequest(StepKind.NOW, "now")

    def random(self) -> Request[float]:
        """A random number in [0, 1), recorded."""
        return StepRequest(StepKind.RANDOM, "random")

    def new_id(self) -> Request[UUID]:
        """A UUIDv7, recorded."""
        return StepRequest(StepKind.ID, "id")

    def patched(self, name: str) -> Request[bool]:
        """Whether this case runs, or began, with a change: for small changes while cases are under way."""
        return StepRequest(StepKind.PATCHED, name)

    def continue_as(self, value: Mapping[str, Any]) -> Request[None]:
        """End this run and begin the next one of the same case, with this input and an empty journal."""
        return ContinueAs(value)
