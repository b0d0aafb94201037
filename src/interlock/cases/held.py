"""A case in a worker's hands: what its steps need, and what is raised when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from interlock.actions.action import Action
from interlock.actions.connector import Connector
from interlock.actions.dispatch import Dispatcher
from interlock.actions.outcome import Holder
from interlock.actions.refused import refused
from interlock.cases.declaration import Declaration
from interlock.cases.flags.evaluate import Flags
from interlock.cases.journal import Place
from interlock.cases.store import ClaimedCase
from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.work import Condition, Refusal, Stamp, Write
from interlock.db.writer import Writer
from interlock.decisions.decide import Decider
from interlock.decisions.library import Library
from interlock.errors import InterlockError
from interlock.money import Money

FirstWrites = Callable[[Stamp], Sequence[Write]]


class CaseStuck(InterlockError):
    """The case cannot go on by itself: it becomes an exception, with these writes in the same commit.

    Attributes:
        kind: What kind of fact it is.
        writes: What is recorded with it.
        conditions: What must hold in that commit.
        action: The action that it is about, if it is about one.
        priority: 0 is the highest.
        place: The step at which the case stopped, if it was at one.
        asks: The contract of the answer, where the workflow's code asks for one; "" where something went wrong.
        group: What those of one cause have in common, where the workflow's code says it.
    """

    def __init__(
        self,
        kind: str,
        what: str,
        *,
        writes: FirstWrites | None = None,
        conditions: tuple[Condition, ...] = (),
        action: Action | None = None,
        priority: int = 1,
        place: Place | None = None,
        asks: str = "",
        group: str = "",
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.writes = writes
        self.conditions = conditions
        self.action = action
        self.priority = priority
        self.place = place
        self.asks = asks
        self.group = group


@dataclass(slots=True)
class Held:
    """A case that this worker holds, with all that its steps need.

    Attributes:
        case: As it was claimed.
        declaration: The workflow's file in force.
        library: What the file refers to; each decision takes what counts in its tenant at that moment.
        holder: Tenant, worker and fence.
        exposure: The money in the case, as its decisions make it known.
    """

    case: ClaimedCase
    declaration: Declaration
    library: Library
    holder: Holder
    exposure: Money | None = None

    @property
    def condition(self) -> HoldsCase:
        """INVARIANT: each write for the case is conditional on its fence; nothing begins in one to be cancelled."""
        return HoldsCase(self.case.id, self.holder.fence, even_cancelled=self.case.cancel_at is not None)

    @property
    def recording(self) -> HoldsCase:
        """The condition for recording what has begun, also while the case is to be cancelled."""
        return HoldsCase(self.case.id, self.holder.fence)

    def raise_refused(self, refusal: Refusal) -> NoReturn:
        """End this run of the case: it belongs to another worker, is to be cancelled, or a person has to look.

        Raises:
            Fenced: it belongs to another worker now.
            CancelWanted: it is to be cancelled.
            RecordRefused: for any other reason.
        """
        raise refused(refusal, self.case.id)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps of every case of this process share."""

    database: Database
    writer: Writer
    decider: Decider
    dispatcher: Dispatcher
    connectors: dict[str, Connector] = field(default_factory=dict[str, Connector])
    flags: Flags = field(default_factory=Flags)
