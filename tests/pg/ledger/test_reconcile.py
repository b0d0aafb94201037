"""The ledger held against the tables: what is made or lost behind Interlock's back is named, and nothing else is."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, payments, stage

from interlock.api.health import look
from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.migrate import migrations
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused
from interlock.guards.stops import resume, stop
from interlock.ledger import reconcile as room
from interlock.ledger.ledger import INSTALLATION
from interlock.ledger.reconcile import LAST, NIL, Reconciler, accept_gap, reconcile, standing_of
from interlock.ledger.reconcile_store import FIND_GAPS, OPEN_GAPS, FoundGap, OpenGap
from interlock.money import Money
from interlock.node import gates
from interlock.sim import SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]
NOT_COMPARED = {
    "artifact": "content-addressed: its bytes are its name, and the decision that names it is compared",
    "audit_draw": "audit.drawn names each with its probability, and audit.answered says how it ended",
    "audit_drawing": "how far the audit sample is drawn, and its key, whose SHA-256 is in audit.begun",
    "autonomy_figures": "what pages show of decisions and outcomes, which are on record; measured anew all the time",
    "autonomy": "each turn of it is an entry with its certificate and its reason",
    "certificate": "content-addressed: its entry states its digest",
    "certificate_course": "the chart of a monitor: its crossing is an entry",
    "certificate_monitor": "counted from decisions and outcomes, whose entries stand; its crossing is an entry",
    "decision_outcome": "derived from outcomes",
    "outcome_feed": "how far a feed is read, which counts nothing",
    "outcome_feed_held": "what a feed said that is not on record",
    "outcome": "each word is an entry of its own, in the commit that makes it",
    "business_counted": "how far the tallies of the business view go",
    "business_hour": "tallies of decisions, cases and reviews, which are compared",
    "bulk_act": "its entry has all that it says, and each review that it decided has one of its own",
    "circuit": "what a process measures of the other side; by hand it is an entry of its own",
    "control_draw": "drawn from the case's id by the key, so each can be drawn again",
    "control_key": "the key that draws, whose SHA-256 is in control.begun",
    "data_arrival": "telemetry: when data last came",
    "data_tally": "telemetry: how many records came",
    "feature_value": "the entry of its load says how many there are and their SHA-256",
    "known_case": "its review is compared; queue.known_answered says what it was",
    "guard_bucket": "a sum over reservations, which are compared",
    "idempotency_key": "digests of keys; what bears the key is compared",
    "legal_hold": "what may not be erased: its entries are written by who sets and lifts it",
    "lineage_action": "derived from the ledger itself",
    "lineage_case": "derived from the ledger itself",
    "lineage_cursor": "derived from the ledger itself",
    "lineage_money": "derived from the ledger itself",
    "lineage_part": "derived from the ledger itself",
    "notice": "what people are told: sending is an entry of its own, and nothing follows from it",
    "oversight_counted": "telemetry: how far hours are counted",
    "oversight_hour": "telemetry: how much came and was answered, counted from reviews, which are compared",
    "oversight_person_hour": "as oversight_hour",
    "oversight_queue": "telemetry: how queues stand",
    "lesson": "its review is compared; declaring and withdrawing it are entries",
    "practice_attempt": "nothing follows from one; each answer, and what it was enough for, is an entry",
    "qualification": "who may decide where practice is asked for: giving and taking it are entries",
    "person": "who may sign in: each change is an entry of its own, in the commit that makes it",
    "person_link": "as person",
    "person_session": "where somebody is signed in: opening and closing are entries; nothing of a case rests on it",
    "personal_secret": "a key; nothing happens to it",
    "sign_in_attempt": "counts of failures; a series of them is an entry",
    "saved_view": "a filter that somebody keeps under a name: nothing follows from it",
    "searchable": "derived from decisions, which are compared",
    "subject_key": "the keys of persons: the erasure of one is an entry",
    "subject_record": "an index from persons to records, which are compared",
    "journal": "the steps of a case: each is recorded with the decision, action, review or event that is compared",
    "ledger_checkpoint": "the tree: audited by `interlock ledger audit`",
    "ledger_gap": "what the comparison itself found",
    "ledger_head": "as ledger_checkpoint",
    "ledger_leaf": "as ledger_checkpoint",
    "ledger_node": "as ledger_checkpoint",
    "recall_member": "what a recall holds: found by what its entry states, and each has an entry of its end",
    "quality_seen": "what a person says of their own figures; no decision, money or right rests on it",
    "queue_response": "each turn of it is an entry with its figures",
    "reconciliation": "how far the comparison has come",
    "recon_break": "its case is compared; what becomes of it are the case's decisions, actions and exceptions",
    "recon_close": "its entry bears the SHA-256 of its report",
    "recon_closed_entry": "where entries stood at a close: sums of it are in its report",
    "recon_broken": "which quarantine holds which entry of a statement; quarantines are compared",
    "recon_entry": "digests of what statements state; the entry of each statement bears their digest and sums",
    "recon_file": "what statements came in; the entry of each bears the file's SHA-256",
    "recon_line": "as recon_entry",
    "recon_statement": "statement.taken and all that happens to it are entries with its digest and sums",
    "recon_match": "a match's decision, its case and its booking are compared; what a person says of it is an entry",
    "recon_member": "which entries are in a match: the input of its decision names them, and is compared",
    "recon_round": "what a round found and did: its entry has the figures",
    "recon_telling": "as recon_entry",
    "review_verdict": "its entry bears the SHA-256 of all that it says, and the review that it settles is compared",
    "second_look": "both its reviews are compared",
    "stream_standing": "telemetry: how a stream stands",
    "stream_trial": "what a stream tries again; what it led to is compared",
    "task_note": "what people tell each other: the entry of each bears its SHA-256",
    "worker": "which processes live",
}
"""Tables that are not held against the ledger, and why."""
PROTECTED = re.compile(r"call protect\('(\w+)'|create table (?:interlock\.)?(\w+)")


@asynccontextmanager
async def writing(url: str) -> AsyncGenerator[tuple[Database, Writer]]:
    """A database and a writer, as a process has them."""
    async with (
        Database(url) as database,
        Notifier(url) as notifier,
        Writer(url, database.clock, gates(), notifier) as writer,
    ):
        yield database, writer


async def gaps_in(database: Database) -> list[FoundGap]:
    async with database.installation() as connection:
        return await FIND_GAPS.all(connection, {"first": NIL, "beyond": LAST, "most": 1000})


async def open_in(database: Database) -> list[OpenGap]:
    async with database.installation() as connection:
        return await OPEN_GAPS.all(connection, {"most": 1000})


async def pays(case: Case) -> str:
    """Decide and pay."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.act("pay", {"to": "Ana", "amount": decided.exposure}, key=case.key)
    return "paid"


def kinds(admin: Admin) -> list[str]:
    return [row[0] for row in admin.execute("select kind from ledger_entry where kind like 'ledger.%' order by id")]


class Trick(NamedTuple):
    """What somebody does behind Interlock's back, and the gap that names it.

    Attributes:
        name: For the test.
        does: SQL; %(id)s is an id of now, %(tenant)s a tenant.
        relation: The table that is named.
        kind: The kind of entry.
        gap: The sort of gap.
    """

    name: str
    does: str
    relation: str
    kind: str
    gap: str


CASE = (
    "insert into cases (id, tenant, workflow, version, code, key, input, state, conclusion, created_at, changed_at) "
    "values (%(id)s, %(tenant)s, 'w', '1', %(id)s, 'k', '', {state}, {end}, now(), now())"
)
REVIEW = (
    "insert into review (id, tenant, workflow, point, queue, state, question, urgency, created_at, resolution, "
    "resolved_by) "
    "values (%(id)s, %(tenant)s, 'w', 'p', 'q', {state}, '', 0, now(), {how}, 'me')"
)
ACTION = (
    "insert into action (id, tenant, case_id, workflow, name, connector, domain, key, payload, state, fence, deadline, "
    "created_at) "
    "values (%(id)s, %(tenant)s, %(id)s, 'w', 'pay', 'c', 'd', 'k', '', {state}, 1, now(), now())"
)
EXCEPTION = (
    "insert into exception (id, tenant, workflow, kind, fingerprint, state, priority, what, detail, owner, created_at) "
    "values (%(id)s, %(tenant)s, 'w', 'k', %(id)s, {state}, 1, '', '', 'o', now())"
)
QUARANTINE = (
    "insert into quarantine (id, tenant, workflow, point, contract, data, violations, state, created_at) "
    "values (%(id)s, %(tenant)s, 'w', 'p', 'c@1', '', '[]', {state}, now())"
)
STOP = (
    "insert into {table} (id, {tenant}scope, who, why, created_at, lifted_at) "
    "values (%(id)s, {value}'workflow:w', 'me', 'why', now(), {lifted})"
)
RECALL = (
    "insert into recall (id, tenant, selector, who, why, state, stop, restore, anew, names, strand, after, gathered, "
    "decisions, held_until, created_at, changed_at, ended_at) values (%(id)s, %(tenant)s, '{{}}', 'me', 'why', "
    "{state}, false, false, false, '{{}}', 0, %(id)s, true, 0, now(), now(), now(), now())"
)
ENTRY = (
    "insert into ledger_entry (id, tenant, kind, subject, at, body) "
    "values (%(id)s, %(tenant)s, '{kind}', %(id)s, now(), '{{}}')"
)


def inserted(kind: str, relation: str) -> Trick:
    return Trick(f"{kind} of nothing", ENTRY.format(kind=kind), relation, kind, "row")


TRICKS = (
    Trick("a case", CASE.format(state="'ready'", end="null"), "cases", "case.received", "entry"),
    Trick("a case that is done", CASE.format(state="'done'", end="'paid'"), "cases", "case.done", "entry"),
    Trick("a cancelled case", CASE.format(state="'cancelled'", end="null"), "cases", "case.cancelled", "entry"),
    Trick("a quarantined case", CASE.format(state="'quarantined'", end="null"), "cases", "case.quarantined", "entry"),
    Trick("a review", REVIEW.format(state="'open'", how="null"), "review", "review.opened", "entry"),
    Trick("a resolution", REVIEW.format(state="'resolved'", how="'approve'"), "review", "review.resolved", "entry"),
    Trick("a withdrawal", REVIEW.format(state="'withdrawn'", how="null"), "review", "review.withdrawn", "entry"),
    Trick("an action", ACTION.format(state="'ready'"), "action", "action.intended", "entry"),
    Trick("an action done", ACTION.format(state="'done'"), "action", "action.done", "entry"),
    Trick("an action undone", ACTION.format(state="'undone'"), "action", "action.undone", "entry"),
    Trick("an action failed", ACTION.format(state="'failed'"), "action", "action.failed", "entry"),
    Trick("an action in exception", ACTION.format(state="'exception'"), "action", "action.exception", "entry"),
    Trick(
        "an attempt",
        "insert into attempt (action_id, tenant, number, worker, sent_at) values (%(id)s, %(tenant)s, 1, 1, now())",
        "attempt", "action.dispatched", "entry",
    ),
    Trick(
        "a reservation",
        "insert into reservation (action_id, tenant, guard, currency, slot, amount_minor, state, at) "
        "values (%(id)s, %(tenant)s, 'g', 'EUR', '', 1, 'reserved', now())",
        "reservation", "action.dispatched", "entry",
    ),
    Trick("an exception", EXCEPTION.format(state="'open'"), "exception", "exception.opened", "entry"),
    Trick("its end", EXCEPTION.format(state="'resolved'"), "exception", "exception.resolved", "entry"),
    Trick("a quarantine", QUARANTINE.format(state="'held'"), "quarantine", "decision.quarantined", "entry"),
    Trick("its release", QUARANTINE.format(state="'released'"), "quarantine", "quarantine.released", "entry"),
    Trick(
        "an event",
        "insert into case_event (id, tenant, case_id, name, payload, sender, received_at, taken_at) "
        "values (%(id)s, %(tenant)s, %(id)s, 'n', '', 's', now(), now())",
        "case_event", "event.taken", "entry",
    ),
    Trick(
        "a stop", STOP.format(table="stop", tenant="tenant, ", value="%(tenant)s, ", lifted="null"),
        "stop", "guard.stopped", "entry",
    ),
    Trick(
        "a stop lifted", STOP.format(table="stop", tenant="tenant, ", value="%(tenant)s, ", lifted="now()"),
        "stop", "guard.resumed", "entry",
    ),
    Trick(
        "an installation's stop", STOP.format(table="installation_stop", tenant="", value="", lifted="null"),
        "installation_stop", "guard.stopped", "entry",
    ),
    Trick(
        "a stop everywhere lifted", STOP.format(table="installation_stop", tenant="", value="", lifted="now()"),
        "installation_stop", "guard.resumed", "entry",
    ),
    Trick(
        "a term that has ended",
        "insert into dead_man (id, tenant, scope, every_seconds, authorized_until, authorized_by, why, created_at, "
        "ended_at) "
        "values (%(id)s, %(tenant)s, 's', 1, now(), 'a', 'w', now(), now())",
        "dead_man", "guard.term_ended", "entry",
    ),
    Trick(
        "a publication",
        "insert into publication (id, tenant, kind, name, version, line, digest, content, author, why, at) "
        "values (%(id)s, %(tenant)s, 'rules', 'n', '1', '1', sha256('x'), 'x', 'a', 'w', now())",
        "publication", "rules.published", "entry",
    ),
    Trick(
        "a change of what counts",
        "with p as (insert into publication (id, tenant, kind, name, version, line, digest, content, author, why, at) "
        "values (%(id)s, %(tenant)s, 'rules', 'm', '1', '1', sha256('x'), 'x', 'a', 'w', now()) returning id) "
        "insert into in_force (tenant, kind, name, line, change, publication, since, author, why) "
        "select %(tenant)s, 'rules', 'm', '1', 1, id, clock_timestamp() - interval '1 second', 'a', 'w' from p",
        "in_force", "rules.published", "entry",
    ),
    Trick(
        "a key that was revoked",
        "insert into api_key (id, tenant, name, digest, scopes, created_at, revoked_at) "
        "values (%(id)s, %(tenant)s, 'n', sha256('k'), '{}', now(), now())",
        "api_key", "key.revoked", "entry",
    ),
    Trick(
        "a cost",
        "insert into undecided_cost (id, tenant, workflow, point, attempts, cost, at) "
        "values (%(id)s, %(tenant)s, 'w', 'p', '[]', 1, now())",
        "undecided_cost", "cost.settled", "entry",
    ),
    Trick(
        "a turn of a rule",
        "insert into escalation (id, tenant, workflow, rule, turn, state, value, changed_at) "
        "values (gen_random_uuid(), %(tenant)s, 'w', 'r', 1, 'fired', 1, now())",
        "escalation", "escalation.fired", "entry",
    ),
    Trick(
        "a broken level",
        "insert into data_level (tenant, line, level, state, turn, what, owner, changed_at) "
        "values (%(tenant)s, 'c@1', 'l', 'broken', 1, 'w', 'o', now())",
        "data_level", "data.level_broken", "entry",
    ),
    Trick("a tenant", "insert into tenant (tenant, name) values (%(id)s, 'sly')", "tenant", "tenant.made", "entry"),
    Trick(
        "a migration", "insert into public.interlock_migration (name, digest) values ('0099_sly.sql', 'd')",
        "interlock_migration", "migration.applied", "entry",
    ),
    Trick("a plan", RECALL.format(state="'planned'"), "recall", "recall.planned", "entry"),
    Trick("a recall", RECALL.format(state="'running'"), "recall", "recall.started", "entry"),
    Trick("its end", RECALL.format(state="'done'"), "recall", "recall.ended", "entry"),
    inserted("recall.started", "recall"),
    inserted("case.received", "cases"),
    inserted("step.done", "cases"),
    inserted("decision.taken", "decision"),
    inserted("decision.quarantined", "quarantine"),
    inserted("review.opened", "review"),
    inserted("action.intended", "action"),
    inserted("action.dispatched", "attempt"),
    inserted("exception.opened", "exception"),
    inserted("quarantine.released", "quarantine"),
    inserted("event.received", "case_event"),
    inserted("guard.stopped", "stop"),
    inserted("guard.term_begun", "dead_man"),
    inserted("key.made", "api_key"),
    inserted("rules.published", "publication"),
    inserted("contract.published", "publication"),
    inserted("rules.reverted", "publication"),
    inserted("cost.reserved", "reservation"),
    inserted("escalation.cleared", "escalation"),
    inserted("tenant.made", "tenant"),
    inserted("migration.applied", "interlock_migration"),
)  # fmt: skip
CHANGES = (
    ("recall", RECALL.format(state="'planned'"), "recall.planned", "recall.started"),
    ("recall", RECALL.format(state="'running'"), "recall.started", "recall.ended"),
    ("review", REVIEW.format(state="'open'", how="null"), "review.opened", "review.resolved"),
    ("review", REVIEW.format(state="'open'", how="null"), "review.opened", "review.withdrawn"),
    ("cases", CASE.format(state="'ready'", end="null"), "case.received", "case.done"),
    ("cases", CASE.format(state="'ready'", end="null"), "case.received", "case.cancelled"),
    ("action", ACTION.format(state="'ready'"), "action.intended", "action.done"),
    ("exception", EXCEPTION.format(state="'open'"), "exception.opened", "exception.resolved"),
    ("exception", EXCEPTION.format(state="'open'"), "exception.opened", "exception.abandoned"),
    ("quarantine", QUARANTINE.format(state="'held'"), "decision.quarantined", "quarantine.released"),
    ("quarantine", QUARANTINE.format(state="'held'"), "decision.quarantined", "quarantine.discarded"),
    ("stop", STOP.format(table="stop", tenant="tenant, ", value="%(tenant)s, ", lifted="null"), "guard.stopped",
     "guard.resumed"),
    (
        "api_key",
        (
            "insert into api_key (id, tenant, name, digest, scopes, created_at) "
            "values (%(id)s, %(tenant)s, 'n', sha256(%(id)s::text::bytea), '{}', now())"
        ),
        "key.made", "key.revoked",
    ),
)  # fmt: skip
"""A row whose beginning is told of, and an entry of a change that it does not show."""


async def test_what_is_made_behind_its_back_is_named(database: Database, tenant: UUID, admin: Admin) -> None:
    assert await gaps_in(database) == []
    wanted: set[tuple[str, str, str, UUID | None]] = set()
    anywhere = {"escalation", "data_level", "interlock_migration"}
    for trick in TRICKS:
        made = database.clock.new_id()
        admin.execute(trick.does.encode(), {"id": made, "tenant": tenant})
        no_id = trick.relation in anywhere and trick.gap == "entry"
        wanted.add((trick.relation, trick.kind, trick.gap, None if no_id else made))
    told = ENTRY.replace("{{}}", "{}")
    for relation, row, begins, change in CHANGES:
        made = {"id": database.clock.new_id(), "tenant": tenant}
        with admin.transaction():
            admin.execute(row.encode(), made)
            admin.execute(told.replace("{kind}", begins).encode(), made)
            another = told.replace("{kind}", change).replace("(%(id)s", "(%(other)s", 1)
            admin.execute(another.encode(), {**made, "other": database.clock.new_id()})
        wanted.add((relation, change, "change", made["id"]))
    found = await gaps_in(database)
    named = {(gap.relation, gap.kind, gap.gap, gap.subject) for gap in found}
    named |= {(gap.relation, gap.kind, gap.gap, None) for gap in found}
    assert wanted - named == set()


def test_every_table_is_compared_or_says_why_not(admin: Admin) -> None:
    """A table that a later migration makes fails here until it is compared, or stands on the list."""
    text = "".join(one.text for one in migrations())
    made = {name for names in PROTECTED.findall(text) for name in names if name and not name.startswith("%")}
    assert len(made) > 25
    (body,) = [row[0] for row in admin.execute("select prosrc from pg_proc where proname = 'ledger_gaps'").fetchall()]
    compared = set(re.findall(r"from (\w+) x\b", body))
    assert {one for one in made - compared - NOT_COMPARED.keys() if not one.endswith("_")} == {"ledger_entry"}
    assert compared & NOT_COMPARED.keys() == set()
    assert NOT_COMPARED.keys() <= made


async def test_a_gap_is_told_once_and_closed_when_it_is_no_more(
    database_url: str, database: Database, tenant: UUID, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    made = database.clock.new_id()
    admin.execute(CASE.format(state="'ready'", end="null").encode(), {"id": made, "tenant": tenant})
    async with writing(database_url) as (own, writer):
        with caplog.at_level(logging.ERROR):
            first = await reconcile(own, writer)
            again = await reconcile(own, writer)
        assert [(gap.relation, gap.subject, gap.tenant) for gap in first.gaps] == [("cases", made, tenant)]
        assert [gap.subject for gap in again.gaps] == [made]
        (counted,) = [one for one in first.counts if one.relation == "cases"]
        assert (counted.rows, counted.entries) == (1, 0)
        assert [record.getMessage() for record in caplog.records] == [
            f"the ledger and the tables differ: cases {made} has no entry case.received (tenant {tenant})"
        ]
        assert kinds(admin) == ["ledger.gap"]
        async with own.installation() as connection:
            assert (await standing_of(connection)).gaps == 1
        health = await look(own)
        assert (health.status, health.gaps) == ("degraded", 1)
        admin.execute("delete from cases where id = %s", (made,))
        mended = await reconcile(own, writer)
        assert (mended.gaps, mended.closed) == ((), 1)
        assert kinds(admin) == ["ledger.gap", "ledger.gap_closed"]
        assert await open_in(own) == []
        assert (await look(own)).gaps == 0


async def test_a_person_accepts_a_gap_and_the_next_one_is_seen(
    database_url: str, database: Database, tenant: UUID, admin: Admin
) -> None:
    insert = CASE.format(state="'ready'", end="null").encode()
    admin.execute(insert, {"id": database.clock.new_id(), "tenant": tenant})
    async with writing(database_url) as (own, writer):
        await reconcile(own, writer)
        (gap,) = await open_in(own)
        with pytest.raises(Refused, match="reason"):
            await accept_gap(own, writer, gap.id, who="ann", why=" ")
        with pytest.raises(Refused, match="accepts nothing"):
            await accept_gap(own, writer, gap.id, who="reconciliation", why="w")
        await accept_gap(own, writer, gap.id, who="ann", why="restored by hand on Monday")
        with pytest.raises(NotFound):
            await accept_gap(own, writer, gap.id, who="ann", why="again")
        after = await reconcile(own, writer)
        assert (after.gaps, after.accepted, after.closed) == ((), 1, 0)
        assert kinds(admin) == ["ledger.gap", "ledger.gap_accepted"]
        other = database.clock.new_id()
        admin.execute(insert, {"id": other, "tenant": tenant})
        assert [one.subject for one in (await reconcile(own, writer)).gaps] == [other]


async def test_the_looks_of_a_leader_find_what_is_new_and_what_is_past(
    database_url: str, database: Database, tenant: UUID, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LAG", timedelta(0))
    monkeypatch.setattr(room, "PART", 3)
    for moment in ("NEW_S", "PATROL_S"):  # a slow machine would end a look of many small parts in the middle
        monkeypatch.setattr(room, moment, 600.0)
    insert = CASE.format(state="'ready'", end="null").encode()
    async with writing(database_url) as (own, writer):
        reconciler = Reconciler(own, writer)
        assert await reconciler.round() == 0
        past = database.clock.new_id()
        admin.execute(
            ENTRY.replace("{{}}", "{}").replace("{kind}", "test.made").encode(), {"id": past, "tenant": tenant}
        )
        assert await reconciler.round() == 0
        admin.execute(insert, {"id": database.clock.new_id(), "tenant": tenant})
        await asyncio.sleep(0.01)  # it must be past, to the millisecond
        assert await reconciler.round() == 1
        # what is changed behind the looks is found by a look of the past
        admin.execute(insert, {"id": past, "tenant": tenant})
        assert await reconciler.round() == 0
        admin.execute("update reconciliation set began_at = began_at - interval '61 minutes' where look = 'day'")
        assert await reconciler.round() == 1
        assert {gap.subject for gap in await open_in(own)} >= {past}


async def test_more_gaps_than_are_told_at_once_are_all_told_and_none_is_closed_that_is_there(
    database_url: str, database: Database, tenant: UUID, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_GAPS", 3)
    monkeypatch.setattr(room, "LAG", timedelta(0))
    insert = CASE.format(state="'ready'", end="null").encode()

    def stray() -> UUID:
        made = database.clock.new_id()
        admin.execute(insert, {"id": made, "tenant": tenant})
        return made

    past = [stray() for _ in range(4)]
    async with writing(database_url) as (own, writer):
        await asyncio.sleep(0.01)
        newest = database.clock.now()
        past.append(stray())
        assert [gap.subject for gap in (await reconcile(own, writer, since=newest)).gaps] == past[4:]
        told = await reconcile(own, writer)
        assert ({gap.subject for gap in told.gaps}, told.closed) == (set(past), 0)
        for gap in await open_in(own):  # what is accepted hides nothing
            await accept_gap(own, writer, gap.id, who="ann", why="restored by hand")
        past += [stray() for _ in range(7)]
        await asyncio.sleep(0.01)
        assert await Reconciler(own, writer).round() == 7
        told = await reconcile(own, writer)
        assert ({gap.subject for gap in told.gaps}, told.accepted, told.closed) == (set(past[5:]), 5, 0)


@pytest.mark.parametrize(
    "does",
    ["upto = 'ffffffff-ffff-ffff-ffff-ffffffffffff' where look = 'beginning'", "look = 'x' where look = 'beginning'"],
)
async def test_no_process_moves_the_beginning(database: Database, does: str) -> None:
    async with database.installation() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(f"update reconciliation set {does}".encode())


async def test_a_look_that_was_moved_ahead_looks_again(
    database_url: str, database: Database, tenant: UUID, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LAG", timedelta(0))
    async with writing(database_url) as (own, writer):
        reconciler = Reconciler(own, writer)
        await reconciler.round()
        async with own.installation() as connection:
            await connection.execute(
                "update reconciliation set upto = %s, beyond = %s, began_at = '9999-01-01', looked_at = '9999-01-01' "
                "where look <> 'beginning'",
                (LAST, LAST),
            )
            assert (await standing_of(connection)).late
        admin.execute(
            CASE.format(state="'ready'", end="null").encode(), {"id": database.clock.new_id(), "tenant": tenant}
        )
        await asyncio.sleep(0.01)
        assert await reconciler.round() >= 1
        looks = admin.execute("select look from reconciliation where upto < %s and look <> 'beginning'", (LAST,))
        assert {name for (name,) in looks} == {"new", "day", "all"}


async def test_a_clock_that_is_set_makes_no_gap(database: Database, admin: Admin) -> None:
    """A process whose clock is behind the database's makes the row's id, a statement of the database its entry's."""
    behind = database.clock.now() - timedelta(minutes=10)
    admin.execute("select ensure_tenant('late', %s)", (UUID(int=first_id(behind).int + 1),))
    around = {"first": first_id(behind), "beyond": first_id(behind + timedelta(minutes=1)), "most": 100}
    async with database.installation() as connection:
        assert await FIND_GAPS.all(connection, around) == []


async def test_two_processes_that_look_at_once_tell_of_a_gap_once(
    database_url: str, database: Database, tenant: UUID, admin: Admin
) -> None:
    insert = CASE.format(state="'ready'", end="null").encode()
    for _ in range(5):
        admin.execute(insert, {"id": database.clock.new_id(), "tenant": tenant})
    async with writing(database_url) as one, writing(database_url) as other:
        await asyncio.gather(reconcile(*one), reconcile(*other))
        await asyncio.gather(reconcile(*one), reconcile(*other))
    assert kinds(admin) == ["ledger.gap"] * 5


async def test_what_was_before_the_comparison_is_not_held_to_it(database: Database, tenant: UUID, admin: Admin) -> None:
    old, new = database.clock.new_id(), database.clock.new_id()
    insert = CASE.format(state="'ready'", end="null").encode()
    admin.execute(insert, {"id": old, "tenant": tenant})
    admin.execute("update reconciliation set upto = %s where look = 'beginning'", (new,))
    admin.execute(insert, {"id": new, "tenant": tenant})
    assert [gap.subject for gap in await gaps_in(database)] == [new]


async def test_stops_of_the_whole_installation_are_compared(database_url: str, tenant: UUID, admin: Admin) -> None:
    async with writing(database_url) as (own, writer):
        made = await stop(own, writer, tenant, scope="everything", who="ann", why="fire", everywhere=True)
        await resume(writer, tenant, made.stop.id, who="ann", why="out", everywhere=True)
        assert await gaps_in(own) == []
        admin.execute("delete from installation_stop")
        assert {(gap.relation, gap.kind, gap.gap) for gap in await gaps_in(own)} == {
            ("stop", "guard.stopped", "row"),
            ("stop", "guard.resumed", "row"),
        }


async def test_migrations_are_in_the_ledger_of_the_installation(database: Database, admin: Admin) -> None:
    told = admin.execute(
        "select convert_from(body, 'UTF8')::json ->> 'name', convert_from(body, 'UTF8')::json ->> 'digest' "
        "from ledger_entry where kind = 'migration.applied' and tenant = %s order by 1",
        (INSTALLATION,),
    ).fetchall()
    assert told == [(one.name, one.digest) for one in migrations()]
    async with database.tenant(INSTALLATION) as connection:  # whose name no caller goes by
        assert (await connection.execute("select from ledger_entry")).rowcount == len(told)


def test_no_key_and_no_tenant_is_the_installations(admin: Admin) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="tenant_is_not_the_installation"):
        admin.execute("insert into tenant (tenant, name) values (%s, 'sly')", (INSTALLATION,))
    (same,) = admin.execute("select installation_tenant() = %s", (INSTALLATION,)).fetchall()
    assert same == (True,)


async def test_work_under_way_is_no_gap(database_url: str, admin: Admin, tmp_path: Path) -> None:
    """Rows and entries are committed together, so whoever looks in between sees both or neither."""
    with SimulatedProvider(tmp_path / "book") as provider:
        flow = declared(pays, tmp_path)
        async with stage(database_url, [flow], connectors=[payments(provider.url)], workers=2) as on:
            submitting = asyncio.gather(*(on.submit(key=f"k{number}", amount="10.00") for number in range(40)))
            looks = 0
            while not submitting.done() or looks < 5:
                assert await gaps_in(on.node.database) == []
                looks += 1
            for case_id in await submitting:
                await on.until(case_id, CaseState.DONE)
                assert await gaps_in(on.node.database) == []
    told = admin.execute("select count(*) from ledger_entry where kind = 'action.done'").fetchall()
    assert told == [(40,)]
