"""One event in: the decision of its point, or a case of its workflow, once by the event's own identity."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from interlock.cases.held import Tools
from interlock.cases.in_line import NamedPoint, ask_in_line, find_point, read_exposure
from interlock.cases.journal import encode
from interlock.cases.registry import Registered, Registry
from interlock.cases.store import FIND_QUARANTINE, QUARANTINES_OF_CASE
from interlock.cases.submit import Submitted, submit
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.decisions.origin import Origin
from interlock.money import Money
from interlock.streams.event import Event

WORKFLOW = "workflow:"
"""What stands before the name of a workflow where a decision point could be named."""
EXPOSURE = "exposure"
"""The extension attribute that names the money at stake, as in 12.30 MYR."""


@dataclass(frozen=True, slots=True)
class Target:
    """What events of one kind become.

    Attributes:
        registered: The workflow.
        named: Its decision point; None: each event is a case of the workflow.
    """

    registered: Registered
    named: NamedPoint | None

    @property
    def name(self) -> str:
        """As it is written: ``workflow.point`` or ``workflow:NAME``."""
        return self.named.name if self.named else f"{WORKFLOW}{self.registered.workflow.name}"

    @property
    def workflow(self) -> str:
        """The workflow's name."""
        return self.registered.workflow.name

    @property
    def point(self) -> str:
        """The point's name; empty for a workflow."""
        return self.named.point.name if self.named else ""

    @property
    def contract(self) -> str:
        """What the data must satisfy."""
        return self.named.point.input if self.named else self.registered.declaration.contract


def find_target(registry: Registry, text: str, *, where: str = "") -> Target:
    """The target of a name: ``workflow.point``, or ``workflow:NAME`` for cases.

    Raises:
        NotFound: this process carries nothing of that name.
    """
    if text.startswith(WORKFLOW):
        return Target(registry.named(text.removeprefix(WORKFLOW)), None)
    named = find_point(registry, text, where=where)
    return Target(named.registered, named)


async def take_event(
    tools: Tools,
    tenant: UUID,
    target: Target,
    event: Event,
    *,
    caller: str,
    stream: str = "",
    at: str = "",
    aside: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Decision | Deferred | Submitted:
    """Have an event decided, or submit it as a case.

    Args:
        tools: The process's decider and writer.
        tenant: Whose.
        target: What it becomes.
        event: The event.
        caller: Who brings it; stops and limits per caller go by this name.
        stream: The stream that delivered it, if one did.
        at: Where it stands at the stream's broker.
        aside: Entered while somebody outside is asked; see ``Asked``.

    Raises:
        ContractViolated: the data break the point's contract and are kept in quarantine, which is named. A case that
            breaks its contract is submitted and waits in quarantine by itself.
        KeyReused: the same source and id came before with other data.
        MoneyInvalid: the extension ``exposure`` is no amount.
    """
    origin = Origin(event=event.key, stream=stream, at=at)
    if target.named is None:
        return await submit(
            tools.writer,
            tenant,
            target.registered,
            key=event.key,
            data=encode(event.data),
            caller=caller,
            origin=origin,
            levels=tools.decider.levels,
        )
    exposure = exposure_of(event)
    return await ask_in_line(
        tools.decider,
        tools.writer,
        tenant,
        target.named,
        key=event.key,
        value=event.data,
        exposure=exposure,
        caller=caller,
        origin=origin,
        aside=aside,
    )


async def quarantine_of(tools: Tools, tenant: UUID, case_id: UUID) -> UUID | None:
    """The quarantine in which a case's input is or was kept; None if the case never went there.

    Raises:
        DatabaseUnavailable: nothing was read.
    """
    async with tools.database.tenant(tenant) as connection:
        held = await QUARANTINES_OF_CASE.one(connection, {"case_id": case_id})
    return held.id if held else None


async def is_held(tools: Tools, tenant: UUID, held: str, data: bytes) -> bool:
    """Whether these very data are or were kept in the quarantine of that name, which a sender may have made up.

    Raises:
        DatabaseUnavailable: nothing was read.
    """
    try:
        named = UUID(held)
    except ValueError:
        return False
    async with tools.database.tenant(tenant) as connection:
        kept = await FIND_QUARANTINE.one(connection, {"id": named})
    return kept is not None and kept.data == data


def exposure_of(event: Event) -> Money | None:
    """The money at stake, as the event says.

    Raises:
        MoneyInvalid: it says so wrongly.
    """
    stated = event.extensions.get(EXPOSURE)
    return read_exposure(str(stated), where=f"/{EXPOSURE}") if stated is not None else None
