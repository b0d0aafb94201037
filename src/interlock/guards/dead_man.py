"""Dead-man terms: a scope that stops by itself unless somebody authorizes it, again and again.

INVARIANT: no process has to run for it. Whether a term has lapsed is read in the commit that dispatches, by the
database's clock, beside the stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.authority.judge import Verdict, verdict_facts
from interlock.db.database import Database
from interlock.db.gates import IsInState, StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict, WorkFailed
from interlock.guards.scope import check_scope
from interlock.guards.stops import CHANNEL, check_why
from interlock.ledger.ledger import first_entry

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=366)
SOON = 4
"""A term that has less than this part of its span left lapses soon."""


class TermState(StrEnum):
    """How a term stands: ``authorized``; ``soon``: less than a quarter is left; ``lapsed``: it holds its scope."""

    AUTHORIZED = "authorized"
    SOON = "soon"
    LAPSED = "lapsed"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-man term.

    Attributes:
        id: Its id.
        scope: What stops by itself: ``everything`` or ``kind:name``.
        every_seconds: For how long one authorization lasts, at most.
        authorized_until: When it stops by itself.
        authorized_by: Who authorized it last.
        why: Why there is a term.
        created_at: Since when there is one.
    """

    id: UUID
    scope: str
    every_seconds: int
    authorized_until: datetime
    authorized_by: str
    why: str
    created_at: datetime

    @property
    def every(self) -> timedelta:
        """For how long one authorization lasts, at most."""
        return timedelta(seconds=self.every_seconds)

    def state(self, now: datetime) -> TermState:
        """How it stands at this moment, of the database's clock."""
        if self.authorized_until <= now:
            return TermState.LAPSED
        return TermState.SOON if self.authorized_until - now < self.every / SOON else TermState.AUTHORIZED


class NewTerm(Term, frozen=True, kw_only=True):
    """A term on its way in."""

    tenant: UUID


class AuthorizedTerm(msgspec.Struct, frozen=True, kw_only=True):
    """A new authorization."""

    id: UUID
    authorized_until: datetime
    authorized_by: str


class EndedTerm(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a term: from here on nothing lapses."""

    id: UUID
    ended_at: datetime
    ended_by: str
    ended_why: str


_SQL = load_queries(__file__)
LIST_TERMS = _SQL.rows("list_terms", Term)
ADD_TERMS = _SQL.bulk("add_terms", NewTerm, distinct=("id",))
AUTHORIZE_TERMS = _SQL.bulk("authorize_terms", AuthorizedTerm, distinct=("id",))
END_TERMS = _SQL.bulk("end_terms", EndedTerm, distinct=("id",))
term_state_gate = StateGate("term", _SQL.rows("lock_terms", StateRow))


async def list_terms(database: Database, tenant: UUID, scope: str | None = None) -> list[Term]:
    """The terms of a tenant, the one that lapses first before the others; or that of one scope."""
    async with database.tenant(tenant) as connection:
        return await LIST_TERMS.all(connection, {"scope": scope})


async def find_term(database: Database, tenant: UUID, scope: str) -> Term:
    """The term of a scope.

    Raises:
        NotFound: it has none.
    """
    found = await list_terms(database, tenant, scope)
    if not found:
        raise NotFound(f"{scope[:80]} has no dead-man term", todo="`interlock deadman` lists those that there are")
    return found[0]


async def begin_term(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    scope: str,
    every: timedelta,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Term:
    """Let a scope stop by itself unless it is authorized in time. Beginning it is the first authorization.

    What the policies said of it (``verdict``) is in its entry.

    Raises:
        Refused: no such scope, no reason, or a span that is no use.
        StateConflict: the scope has a term.
    """
    check_scope(scope)
    check_why(why)
    if not SHORTEST <= every <= LONGEST:
        raise Refused(f"{every} is no use as a term", where="every", todo="give one from a second to a year, as 24h")
    made: list[NewTerm] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewTerm(
            id=stamp.entry,
            tenant=tenant,
            scope=scope,
            every_seconds=round(every.total_seconds()),
            authorized_until=stamp.now + every,
            authorized_by=who,
            why=why,
            created_at=stamp.now,
        )
        made.append(row)
        entry = first_entry(
            stamp, tenant, "guard.term_begun", subject=row.id, scope=scope, who=who, why=why,
            every_seconds=row.every_seconds, authorized_until=row.authorized_until, **verdict_facts(verdict),
        )  # fmt: skip
        return [Write(ADD_TERMS, row), entry]

    taken = StateConflict(
        f"{scope} has a dead-man term", where="scope", todo="authorize it, or end it before you begin another"
    )
    if await list_terms(database, tenant, scope):
        raise taken
    try:
        await writer.write(Unit(tenant, build, wakes=(CHANNEL,)))
    except WorkFailed as cause:
        if cause.where == "dead_man_is_one_a_scope":  # somebody else began one at this moment
            raise taken from cause
        raise
    return made[0]


async def authorize(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    scope: str,
    who: str,
    why: str,
    span: timedelta | None = None,
    verdict: Verdict | None = None,
) -> Term:
    """Authorize a scope for another term, from now. What had lapsed goes on within a second.

    Args:
        database: To find the term.
        writer: For the commit.
        tenant: Whose scope.
        scope: Which.
        who: Who answers for it.
        why: The reason.
        span: For how long; by default a whole term, and never for longer.
        verdict: What the policies said of it.

    Raises:
        NotFound: the scope has no term.
        Refused: no reason, or for longer than a term.
    """
    check_why(why)
    term = await find_term(database, tenant, scope)
    lasts = span or term.every
    if not SHORTEST <= lasts <= term.every:
        raise Refused(
            f"{scope} is authorized for {term.every} at most, not for {lasts}",
            where="for",
            todo="leave it out for a whole term, or begin a longer term",
        )
    made: list[AuthorizedTerm] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = AuthorizedTerm(id=term.id, authorized_until=stamp.now + lasts, authorized_by=who)
        made.append(row)
        entry = first_entry(
            stamp, tenant, "guard.authorized", subject=term.id, scope=scope, who=who, why=why,
            authorized_until=row.authorized_until, **verdict_facts(verdict),
        )  # fmt: skip
        return [Write(AUTHORIZE_TERMS, row), entry]

    await _change(writer, tenant, term, build)
    return msgspec.structs.replace(term, authorized_until=made[0].authorized_until, authorized_by=who)


async def end_term(
    database: Database,
    writer: Writer,
    tenant: UUID,
    *,
    scope: str,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Term:
    """End a term: the scope stops by itself no more, and goes on if it had lapsed. The term as it was.

    What the policies said of it (``verdict``) is in its entry.

    Raises:
        NotFound: the scope has no term.
        Refused: no reason.
    """
    check_why(why)
    term = await find_term(database, tenant, scope)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = EndedTerm(id=term.id, ended_at=stamp.now, ended_by=who, ended_why=why)
        entry = first_entry(
            stamp, tenant, "guard.term_ended", subject=term.id, scope=scope, who=who, why=why, **verdict_facts(verdict)
        )
        return [Write(END_TERMS, row), entry]

    await _change(writer, tenant, term, build)
    return term


async def _change(writer: Writer, tenant: UUID, term: Term, build: Callable[[Stamp], Sequence[Write]]) -> None:
    unit = Unit(tenant, build, (IsInState("term", term.id, ("in force",)),), wakes=(CHANNEL, "cases"))
    if await writer.write(unit):
        raise NotFound(f"the term of {term.scope} was ended just now", todo="begin another one, if there shall be one")
