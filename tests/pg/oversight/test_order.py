"""The order of work is exact: over made-up queues the first of it are those that ranking all that waits finds."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg

from interlock.authority.actor import Actor, ActorKind
from interlock.db.database import Database
from interlock.oversight.index import LOOK_AHEAD, MINUTES, Pace, Worth
from interlock.oversight.listing import list_work
from interlock.oversight.ranking import Scale, Shown, WorkClass, ranked
from interlock.oversight.work import WorkFilter
from interlock.oversight.work_scale import WorkTerms

Admin = psycopg.Connection[tuple[Any, ...]]
WORTH = Worth(rates={"JPY": 0.006})
SCENES = 16
LAST = 4
"""Of each five kinds this one is of exceptions."""
_REVIEWS = """
insert into review (id, tenant, workflow, point, queue, state, question, currency, urgency, due_at, created_at)
select id, %(tenant)s, workflow, point, 'queue', 'open', '', currency, urgency, due_at, now()
from json_to_recordset(%(rows)s::json) as w (id uuid, exceptional bool, workflow text, point text, currency text,
  urgency bigint, due_at timestamptz) where not exceptional"""
_EXCEPTIONS = """
insert into exception (id, tenant, workflow, kind, fingerprint, state, priority, what, detail, owner, currency, urgency,
  due_at, created_at)
select id, %(tenant)s, workflow, point, id, 'open', priority, '', '', '', currency, urgency, due_at, now()
from json_to_recordset(%(rows)s::json) as w (id uuid, exceptional bool, workflow text, point text, currency text,
  priority int, urgency bigint, due_at timestamptz) where exceptional"""


class Form(NamedTuple):
    """Losses from one on, so far apart, due in so many minutes."""

    least: int
    spread: int
    due: float


LOSSES = ((0, 1), (1_000_000, 1), (0, 3), (900_000, 100_000), (1, 10**7))
OPPOSED = (Form(1_000_000, 10, 40_000), Form(900_000, 100_000, 30), Form(2_000, 1, -30))
"""The greatest losses have time, and what is overdue is little: neither end alone has the first."""


class Waiting(msgspec.Struct, frozen=True):
    """One that waits."""

    of: WorkClass
    item: Shown


def alike(chance: random.Random, of: WorkClass, number: int, now: datetime, form: Form | None = None) -> list[Waiting]:
    """Some of one kind whose losses and deadlines are of one form."""
    form = form or Form(*chance.choice(LOSSES), chance.choice((-30, 30, 600, 40_000)))
    jitter, dated = chance.choice((0, 0.001, 60)), chance.choice((0.0, 0.9, 1.0, 1.0))
    return [
        Waiting(of, Shown(
            UUID(int=chance.getrandbits(128)), form.least + chance.randrange(form.spread),
            now + timedelta(minutes=form.due + jitter * at) if chance.random() < dated else None,
        ))
        for at in range(number)
    ]  # fmt: skip


def made_up(chance: random.Random, now: datetime) -> list[Waiting]:
    """A queue: a few kinds or many, most of it in one or two of them, with or without some that lead."""
    found: list[Waiting] = []
    kinds, large = chance.choice((1, 3, 10, 16)), chance.choice((1, 2))
    for at in range(kinds):
        of = WorkClass(at % 5 == LAST, "flow", f"point-{at}", chance.choice(("EUR", "JPY", "")), 1)
        if at >= large:
            found += alike(chance, of, chance.randrange(1, 4), now)
        elif chance.random() < 0.5:
            for form in OPPOSED:
                found += alike(chance, of, chance.choice((10, 60)), now, form)
        else:
            found += alike(chance, of, 60, now)
    for at in range(chance.choice((0, 1, 2))):
        leading = WorkClass(exceptional=True, workflow="flow", point=f"leads-{at}", currency="EUR", priority=0)
        found += alike(chance, leading, chance.choice((1, 15, 40)), now)
    return found


def put(admin: Admin, tenant: UUID, waiting: list[Waiting]) -> None:
    rows = [msgspec.structs.asdict(one.of) | one.item._asdict() for one in waiting]
    for row in rows:
        row["currency"] = row["currency"] or None
    told = {"tenant": tenant, "rows": msgspec.json.encode(rows).decode()}
    for statement in (_REVIEWS, _EXCEPTIONS):
        admin.execute(statement.encode(), told)


async def test_the_first_of_every_queue_are_those_of_all_that_waits(database: Database, admin: Admin) -> None:
    now = database.clock.now().replace(microsecond=0)
    for seed in range(SCENES):
        chance = random.Random(seed)
        tenant = await database.ensure_tenant(f"scene-{seed}")
        waiting = made_up(chance, now)
        put(admin, tenant, waiting)
        me = Actor(kind=ActorKind.PERSON, name="ana", tenant=tenant, roles=(), teams=())
        kinds = {(one.of.exceptional, one.of.workflow, one.of.point) for one in waiting}
        minutes = dict.fromkeys(sorted(kinds), chance.choice((0.1, 3.0, 60.0)))
        terms = WorkTerms(minutes={of[1:]: each for of, each in minutes.items()}, worth=WORTH, oldest=0.0)
        for wanted in (1, 20, 60):
            at_now = f"0-{int(now.timestamp())}000000"
            page = await list_work(database, tenant, WorkFilter(), me, most=wanted, after=at_now, terms=terms)
            pace = Pace(mean_minutes=page.horizon / LOOK_AHEAD, waiting=1, people=1)
            scale = Scale(now=now, pace=pace, worth=WORTH, minutes=minutes, default=MINUTES)
            told = ranked(((one.of, one.item) for one in waiting), scale)[:wanted]
            assert [one.id for one in page.items] == [one.id for one in told], (seed, wanted)
