"""Fills a database with reviews and exceptions that wait for a person, made by the server itself.

Skewed as they are in life: two dozen decision points, most of the money in few items, three currencies with 0, 2 and 3
decimals, one item in fifty without an amount, one in ten overdue, the confidence mostly high. Each question is as long
as a receipt's.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import msgspec
import psycopg

QUESTION_BYTES = 900
QUEUES = 8
TEAMS = 5
PEOPLE = 40
_MANY = 20_000

_QUESTION = msgspec.json.encode(
    {
        "why": ["the money at stake is 100.00 EUR or more"],
        "input": {"receipt": "x" * QUESTION_BYTES},
        "proposal": {"approved": True},
        "proposed_by": "rules:approve@1",
        "confidence": 0.9,
        "confidence_needed": 0.95,
        "evidence": {},
        "findings": [],
        "output_contract": "",
        "choices": {"approve": "it is paid", "change": "your output holds", "reject": "no"},
    }
)
_DRAWN = """
create temp table drawn on commit drop as
select n, (lpad(to_hex((extract(epoch from x.at) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(%(seed)s::text || n), 14))::uuid as id,
  x.at, h.a, h.b, h.c, (array['EUR', 'EUR', 'EUR', 'MYR', 'JPY', 'KWD'])[1 + h.a %% 6] as currency,
  exp(h.b %% 100000 / 100000.0 * h.c %% 1000 / 1000.0 * 14)::bigint as exposure,
  case when h.c %% 3 = 0 then 1000000 else (power(h.a %% 1000 / 1000.0, 3) * 900000)::int end as doubt
from generate_series(1, %(number)s::bigint) n
cross join lateral (select now() - interval '5 days' * (1 - n::float8 / %(number)s) - interval '1 minute' as at) x
cross join lateral (select hashint8extended(n, 1) & 2147483647 as a, hashint8extended(n, 2) & 2147483647 as b,
  hashint8extended(n, 3) & 2147483647 as c) h
"""
_REVIEWS = """
insert into review (id, tenant, workflow, point, queue, state, question, proposal, exposure_minor, currency, urgency,
  confidence, why, codes, due_at, created_at, team, assigned_to, snoozed_until, snoozed_by, claimed_by,
  claimed_at, claimed_until)
select id, %(tenant)s, 'flow-' || a %% 6, 'point-' || b %% 4, 'queue-' || a %% 8,
  case when n %% 500 = 3 then 'claimed' else 'open' end::review_state,
  %(question)s, '{}', case when n %% 50 = 0 then null else exposure end,
  case when n %% 50 = 0 then null else currency end,
  case when n %% 50 = 0 then doubt else exposure * doubt / 1000000 end, 1 - doubt / 1e6,
  'the confidence ' || (1 - doubt / 1e6)::numeric(4, 3) || ' is below 0.95, for vendor ' || c %% 5000,
  case when n %% 20 = 0 then array['total-differs'] else '{}'::text[] end,
  now() + interval '1 minute' * (b %% 4000 - 400), at, case when a %% 2 = 0 then 'team-' || c %% 5 end,
  case when n %% 700 = 5 then 'person-' || c %% 40 end, case when n %% 300 = 7 then now() + interval '3 hours' end,
  case when n %% 300 = 7 then 'person-1' end, case when n %% 500 = 3 then 'person-' || c %% 40 end,
  case when n %% 500 = 3 then now() end, case when n %% 500 = 3 then now() + interval '15 minutes' end
from drawn where n %% 20 <> 1 order by n
"""
_EXCEPTIONS = """
insert into exception (id, tenant, workflow, kind, fingerprint, state, priority, what, detail, owner, exposure_minor,
  currency, urgency, due_at, created_at, team)
select id, %(tenant)s, 'flow-' || a %% 6, (array['action-in-doubt', 'workflow-failed', 'undo-failed'])[1 + b %% 3],
  md5('cause-' || c %% 30)::uuid, 'open', case when n %% 40000 = 1 then 0 else 1 end,
  'the other side answered 503 ' || c, '{}',
  'owner@example.com', exposure, currency, exposure, now() + interval '1 minute' * (b %% 4000 - 400), at,
  case when a %% 2 = 0 then 'team-' || c %% 5 end
from drawn where n %% 20 = 1 order by n
"""
_RESOLVED = """
insert into review (id, tenant, workflow, point, queue, state, question, proposal, exposure_minor, currency, urgency,
  confidence, due_at, created_at, claimed_by, claimed_at, claimed_until, resolution, output, reason_code, note,
  resolved_by, resolved_at, decided_by)
select gen_random_uuid(), %(tenant)s, 'flow-' || n %% 6, 'point-' || n / 6 %% 4, 'queue-1', 'resolved', '{}',
  '{}', 100, 'EUR', 1, 1,
  now(), now() - interval '1 day', 'person-1', x.at, x.at, 'approve', '{}', 'as_proposed', '', 'person-1',
  x.at + interval '1 second' * (20 + n %% 200), array['person-1']
from generate_series(1, %(number)s::bigint) n cross join lateral (select now() - interval '1 second' * n * 60 as at) x
"""


@contextmanager
def _entering_at_once(admin: psycopg.Connection[tuple[object, ...]], number: int) -> Generator[None]:
    """Of many, the letters of their reasons are entered at the end, a third of the work; what is stored is the same."""
    if number < _MANY:
        yield
        return
    (made,) = admin.execute("select pg_get_indexdef('review_words'::regclass)").fetchone() or ("",)
    admin.execute("drop index review_words")
    yield
    admin.execute(str(made).encode())


def fill_waiting(url: str, tenant: UUID, number: int, *, resolved: int = 5000) -> None:
    """Make reviews and exceptions that wait, one exception in twenty, and reviews that people have resolved.

    Args:
        url: The database, as an administrator.
        tenant: Whose.
        number: How many wait.
        resolved: How many were resolved before.
    """
    told = {"tenant": tenant, "number": number, "seed": str(tenant), "question": _QUESTION}
    with psycopg.connect(url, autocommit=True, options="-c search_path=interlock -c timezone=UTC") as admin:
        with admin.transaction():
            admin.execute(_DRAWN.encode(), told)
            with _entering_at_once(admin, number):
                admin.execute(_REVIEWS.encode(), told)
            admin.execute(_EXCEPTIONS.encode(), told)
        admin.execute(_RESOLVED.encode(), told | {"number": resolved})
        admin.execute("vacuum analyze review")
        admin.execute("vacuum analyze exception")
