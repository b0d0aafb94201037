"""A case in a worker's hands: what its steps need, and what is raised when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from interlock.actions.connector import Connector
from interlock.actions.dispatch import Dispatcher
from interlock.actions.outcome import Holder
from interlock.cases.declaration import Declaration
from interlock.cases.store import ClaimedCase
from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.work import Condition, Stamp, Write
from interlock.db.writer import Writer
from interlock.decisions.decide import Decider
from interlock.decisions.library import Library
from interlock.errors import InterlockError
from interlock.money import Money

FirstWrites = Callable[[Stamp], Sequence[Write]]


class CaseStuck(InterlockError):
    """The case cannot go on by itself: it becomes an exception, with these writes in the same commit."""

    def __init__(
        self, kind: str, what: str, *, writes: FirstWrites | None = None, conditions: tuple[Condition, ...] = ()
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.writes = writes
        self.conditions = conditions


@dataclass(slots=True)
class Held:
    """A case that this worker holds, with all that its steps need.

    Attributes:
        case: As it was claimed.
        declaration: The workflow's file in force.
        library: What the file refers to.
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
        """INVARIANT: every write for the case is conditional on its fence."""
        return HoldsCase(self.case.id, self.holder.fence)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps of every case of this process share."""

    database: Database
    writer: Writer
    decider: Decider
    dispatcher: Dispatcher
    connectors: dict[str, Connector] = field(default_factory=dict[str, Connector])
