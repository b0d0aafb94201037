"""A site with one of everything that has an id, for those who try each door of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from tests.console.page_walk import Work, working_site
from tests.console.route_table import SCRIPT
from tests.console.visiting import Visiting, signed_in
from tests.pg.stage import declared

from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.cases.verdicts import shown_now
from interlock.guards.stops import stop
from interlock.oversight.queue import find_review
from interlock.oversight.views import list_views, save_view
from interlock.oversight.work_filter import read_filter

EVERY_ROLE = ("lead", "owner", "engineer", "auditor", "admin")


_KNOWN = """insert into interlock.known_case (id, tenant, workflow, point, resolution, explanation, added_by, added_at,
  answered_by, answered_at, was_right)
values (%(review)s, %(tenant)s, 'refund_orders', 'approve', 'reject', %(why)s, 'lea', now(), 'ben', now(), true)"""
_PRACTISED = """insert into interlock.practice_attempt (id, tenant, person, review, workflow, point, counts, begun_at)
values (%(attempt)s, %(tenant)s, 'ana', %(review)s, 'refund_orders', 'approve', true, now())"""


class Broken(Exception):
    """What the workflow trips over."""


async def trip(case: Case) -> str:
    """Fail, with what the case says."""
    raise Broken(f"cannot go on with {case.input['customer']}")


@dataclass(frozen=True, slots=True)
class Busy:
    """The site.

    Attributes:
        work: With its pages' ids.
        stack: Where visitors are signed in.
        ana: Somebody of the tenant who may do everything.
        ids: One of everything, by the names that routes give their parameters.
        database_url: Where its database is.
    """

    work: Work
    stack: AsyncExitStack
    ana: Visiting
    ids: Mapping[str, str]
    database_url: str

    async def enter(self, name: str, *roles: str, tenant: str = "default") -> Visiting:
        """Somebody who is signed in."""
        return await signed_in(self.stack, self.work.on.node, self.work.url, name, roles, tenant=tenant)

    async def count(self) -> tuple[int, str]:
        """How many entries the tenant's ledger has beside those of sessions, and how its review stands."""
        asked = """select (select count(*) from interlock.ledger_entry where tenant = %(tenant)s
            and kind not like 'session.%%' and kind not like 'person.%%'),
            (select concat_ws(' ', state, claimed_by, held_verdict) from interlock.review where id = %(review)s)"""
        given = {"tenant": self.work.on.node.tenant, "review": self.ids["review_id"]}
        async with await AsyncConnection.connect(self.database_url, row_factory=tuple_row) as connection:
            row = await (await connection.execute(asked, given)).fetchone()
        assert row is not None
        return row[0], row[1]


@asynccontextmanager
async def busy_site(database_url: str, folder: Path, provider_url: str) -> AsyncGenerator[Busy]:
    """One of everything: cases, a review, an exception, a stop in force, a view, a person with a session."""
    async with (
        AsyncExitStack() as stack,
        working_site(database_url, folder, provider_url, also=[declared(trip, folder)]) as work,
    ):
        on, node = work.on, work.on.node
        tripped = await on.submit("trip", key="k4", customer=SCRIPT)
        await on.until(tripped, CaseState.EXCEPTION)
        (exception,) = (await on.record(tripped)).exceptions
        (review,) = await on.reviews()
        made = await stop(node.database, node.writer, node.tenant, scope="workflow:trip", who="ana", why=SCRIPT)
        ana = await signed_in(stack, node, work.url, "ana", EVERY_ROLE)
        actor = ana.visitor.actor
        await save_view(node.database, node.authority, actor, "the reviews", read_filter("kind=review"), shared=False)
        views = await list_views(node.database, node.tenant, actor, terms=node.work_terms)
        entry = (await on.record(work.paid)).entries[0]
        review = await find_review(node.database, node.tenant, review.id)
        ids: dict[str, object] = {
            "case_id": work.paid, "decision_id": work.decision, "action_id": work.action, "about": work.paid,
            "quarantine_id": work.quarantine, "stop_id": made.stop.id, "review_id": review.id, "task_id": review.id,
            "item": review.id, "exception_id": exception.id, "fingerprint": exception.fingerprint,
            "entry_id": entry.id, "record_id": work.decision, "kind": "decision", "person": ana.person.id,
            "session": ana.visitor.session, "view": next(one.id for one in views if one.id is not None),
            "shown": (await shown_now(node.desk, node.registry, actor, review)).stated,
        }  # fmt: skip
        attempt = uuid4()
        async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
            given = {"review": review.id, "tenant": node.tenant, "attempt": attempt, "why": SCRIPT}
            await connection.execute(_KNOWN, given)
            await connection.execute(_PRACTISED, given)
        ids["attempt_id"] = attempt
        yield Busy(work, stack, ana, {name: str(one) for name, one in ids.items()}, database_url)
