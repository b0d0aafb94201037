"""The rows of the comparison: how far each look has come, and the gaps that were found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the ledger and a table say differently.

    Attributes:
        tenant: Whose; of what is the installation's, its own.
        relation: The table.
        subject: The row, or what the entry is about.
        kind: The kind of entry that is missing, or that stands alone.
        gap: ``entry``: the row has none; ``row``: the entry has none; ``change``: the row does not show what it tells.
    """

    tenant: UUID
    relation: str
    subject: UUID
    kind: str
    gap: str

    @property
    def what(self) -> str:
        """In a sentence."""
        match self.gap:
            case "entry":
                return f"{self.relation} {self.subject} has no entry {self.kind}"
            case "row":
                return f"the entry {self.kind} tells of {self.relation} {self.subject}, which is not there"
            case _:
                return f"{self.relation} {self.subject} does not show what its entry {self.kind} tells"


class FoundGap(Gap, frozen=True, kw_only=True):
    """A gap as a look finds it; ``known``: it was found before, and is open or accepted."""

    known: bool


class OpenGap(Gap, frozen=True, kw_only=True):
    """A gap that nobody has closed: with the id of its entry, and when it was found."""

    id: UUID
    found_at: datetime


class NewGap(Gap, frozen=True, kw_only=True):
    """A gap on its way in; its id is that of its entry."""

    id: UUID
    found_at: datetime


class ClosedGap(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a gap: it is no more, or somebody accepts it."""

    id: UUID
    closed_at: datetime
    closed_by: str
    closed_why: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How far a look has come.

    Attributes:
        look: Which: ``new``, ``day``, ``all``.
        upto: The first id that it has not compared.
        beyond: The id before which this turn ends.
        began_at: When this turn began.
        ended_at: When the last whole turn ended; None: none has.
        looked_at: When it last looked.
    """

    look: str
    upto: UUID
    beyond: UUID
    began_at: datetime
    ended_at: datetime | None
    looked_at: datetime


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A look that has come further; fields as in ``Look``."""

    look: str
    upto: UUID
    beyond: UUID
    began_at: datetime
    ended_at: datetime | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of a table, and how many entries that tell of their beginning."""

    relation: str
    rows: int
    entries: int


_SQL = load_queries(__file__)
RECONCILE_UNTIL = _SQL.rows("reconcile_until", UUID)
FIND_GAPS = _SQL.rows("find_gaps", FoundGap)
FIND_NEW_GAPS = _SQL.rows("find_new_gaps", FoundGap)
COUNTS = _SQL.rows("ledger_counts", Count)
OPEN_GAPS = _SQL.rows("open_gaps", OpenGap)
COUNT_OPEN_GAPS = _SQL.rows("count_open_gaps", int)
LOOKS = _SQL.rows("looks", Look)
MOVE_LOOKS = _SQL.bulk("move_looks", Moved, distinct=("look",))
ADD_GAPS = _SQL.bulk("add_gaps", NewGap, distinct=("id",))
CLOSE_GAPS = _SQL.bulk("close_gaps", ClosedGap, distinct=("id",))
