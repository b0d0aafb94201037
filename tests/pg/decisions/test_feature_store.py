"""Stored features: as they were known at a moment, loaded once, checked, and never seen before they were recorded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.db.database import SERVICE_OPTIONS, Database
from interlock.db.queries import encode_rows
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.features.load import Line, LoadReport, load_values
from interlock.decisions.features.store import READ_VALUES, SEEN_AFTER, Wanted, values_as_of
from interlock.errors import Refused, Violation

Admin = psycopg.Connection[tuple[Any, ...]]
SPEND = Feature(ref=FeatureRef("vendor-spend", 1), output="decimal", entity=("vendor",))
START = datetime(2026, 1, 1, tzinfo=UTC)


def none_broken(_contract: str, _value: Any) -> tuple[Violation, ...]:
    return ()


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    async with Writer(database_url, database.clock, (), notifier) as writer:
        yield writer


async def load(
    database: Database, writer: Writer, tenant: UUID, *values: Any, feature: Feature = SPEND, source: str = "a test"
) -> LoadReport:
    lines = [Line(number, value) for number, value in enumerate(values, 1)]
    load_id = database.clock.new_id()
    return await load_values(database, writer, tenant, load_id, feature, lines, source=source, violations=none_broken)


def line(entity: Any, value: Any, event_at: Any = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"entity": entity, "value": value, "event_at": event_at}


# ------------------------------------------------------------------------------------------------ as of a moment

minutes = st.integers(0, 12)
histories = st.lists(st.tuples(st.sampled_from("abc"), minutes, minutes), max_size=25)
questions = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-1, 13)), min_size=1, max_size=25)


def known(history: list[tuple[str, int, int]], entity: str, as_of: int) -> int | None:
    """The naive model: of what held and was on record by then, the newest; of two corrections, the later."""
    seen = [
        (event, recorded, number)
        for number, (who, event, recorded) in enumerate(history)
        if who == entity and event <= as_of and recorded <= as_of
    ]
    return max(seen)[2] if seen else None


def test_a_moment_is_read_as_it_was_known_then(database_url: str, admin: Admin) -> None:
    """Events and their recording in any order, late ones and corrections: what a naive model says, for every moment."""
    tenant, version = UUID(int=7), iter(range(1, 10_000))

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(histories, questions)
    def check(history: list[tuple[str, int, int]], asked: list[tuple[str, int]]) -> None:
        feature = FeatureRef("f", next(version))
        with admin.cursor() as cursor:
            cursor.executemany(
                "insert into feature_value values (%s, %s, 'f', %s, %s, %s, %s, %s, 'model')",
                [
                    (
                        UUID(int=number), tenant, feature.version, who, str(number).encode(),
                        START + timedelta(minutes=event), START + timedelta(minutes=recorded),
                    )
                    for number, (who, event, recorded) in enumerate(history)
                ],
            )  # fmt: skip

        async def read() -> list[int | None]:
            async with Database(database_url, most=1) as database:
                pairs = [(who, START + timedelta(minutes=as_of)) for who, as_of in asked]
                found = await values_as_of(database, tenant, feature, pairs)
            return [int(one.value) if one else None for one in found]

        assert asyncio.run(read()) == [known(history, who, as_of) for who, as_of in asked]

    check()


async def test_no_tenant_sees_another_s_values(database: Database, writer: Writer, tenant: UUID) -> None:
    other = await database.ensure_tenant("other")
    await load(database, writer, tenant, line("v", "1"))
    pairs = [("v", database.clock.now())]
    assert await values_as_of(database, other, SPEND.ref, pairs) == [None]
    (mine,) = await values_as_of(database, tenant, SPEND.ref, pairs)
    assert mine is not None
    assert mine.value == b'"1"'


def test_a_read_is_one_look_up_in_the_index(database_url: str, admin: Admin, tenant: UUID) -> None:
    admin.execute(
        "insert into feature_value select gen_random_uuid(), %s, 'vendor-spend', 1, 'v' || n %% 100, '1', "
        "'2026-01-01'::timestamptz + n * interval '1 second', '2026-01-01', 'x' from generate_series(1, 20000) n",
        (tenant,),
    )
    admin.execute("analyze feature_value")
    wanted = encode_rows([Wanted(0, "vendor-spend", 1, "v7", START + timedelta(days=9))])
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        service.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
        text = "explain (analyze, costs off, timing off, summary off, buffers off) " + READ_VALUES.sql
        plan = "\n".join(row[0] for row in service.execute(text.encode(), {"wanted": wanted}))
    assert "Index Scan Backward using feature_value_is_recorded_once" in plan, plan
    (condition,) = [part for part in plan.splitlines() if "Index Cond" in part]
    assert all(name in condition for name in ("tenant", "feature", "version", "entity", "event_at", "recorded_at"))
    assert "Sort" not in plan
    assert "Rows Removed" not in plan


# ---------------------------------------------------------------------------------------------------------- loading


async def test_a_load_is_seen_when_it_returns_and_recorded_once(
    database: Database, writer: Writer, tenant: UUID, admin: Admin
) -> None:
    before = database.clock.now()
    values = [line("v", "1.00"), line("w", "2"), line("v", "3.50", "2026-02-01T08:00:00+08:00")]
    report = await load(database, writer, tenant, *values, source="values.csv")
    assert (report.read, report.taken, report.rejected) == (3, 3, 0)
    now = database.clock.now()
    february = datetime(2026, 2, 1, tzinfo=UTC)
    found = await values_as_of(
        database, tenant, SPEND.ref, [("v", now), ("w", now), ("v", february - timedelta(seconds=1)), ("v", before)]
    )
    assert [one.value if one else None for one in found] == [b'"3.50"', b'"2"', None, None]  # not on record by then
    assert found[0]
    assert (found[0].event_at, found[0].source) == (february, "values.csv")
    assert before < found[0].recorded_at <= now
    await load(database, writer, tenant, *values)  # once more, as after a cut
    assert admin.execute("select count(*) from feature_value").fetchall() == [(3,)]
    kinds = admin.execute(
        "select kind, count(*) from ledger_entry where tenant <> installation_tenant() group by 1"
    ).fetchall()
    assert kinds == [("feature.loaded", 2)]


async def test_a_correction_is_seen_from_its_recording_on(database: Database, writer: Writer, tenant: UUID) -> None:
    await load(database, writer, tenant, line("v", "1"))
    between = database.clock.now()
    await asyncio.sleep(SEEN_AFTER.total_seconds())
    await load(database, writer, tenant, line("v", "2"), line("v", "1"), line("v", "4"))  # the last one counts
    pairs = [("v", between), ("v", database.clock.now())]
    assert [one.value if one else None for one in await values_as_of(database, tenant, SPEND.ref, pairs)] == [
        b'"1"',
        b'"4"',
    ]


async def test_a_value_is_on_record_before_any_reader_may_see_it(
    database: Database, writer: Writer, tenant: UUID
) -> None:
    """What was read at a moment, then and later, is the same: the recording never slips in behind a reader's back.

    The one exception is a commit that took longer than the allowance, which the load says: then it is tried again.
    """
    for entity in ("v1", "v2", "v3", "v4", "v5"):
        slowest, seen = await loaded_under_watch(database, writer, tenant, entity)
        again = await values_as_of(database, tenant, SPEND.ref, [(entity, at) for at, _ in seen])
        late = [pair for pair, one in zip(seen, again, strict=True) if pair[1] != (one.value if one else None)]
        if not late:
            assert len({value for _, value in seen}) >= 4
            return
        assert slowest > SEEN_AFTER.total_seconds(), late
    pytest.fail(f"a commit took longer than {SEEN_AFTER} and was seen late, five times in a row")


async def loaded_under_watch(
    database: Database, writer: Writer, tenant: UUID, entity: str
) -> tuple[float, list[tuple[datetime, bytes | None]]]:
    """Load four values one after another; the longest commit in seconds, and what was read at each moment."""
    seen: list[tuple[datetime, bytes | None]] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            at = database.clock.now()
            (one,) = await values_as_of(database, tenant, SPEND.ref, [(entity, at)])
            seen.append((at, one.value if one else None))

    watching = asyncio.create_task(watch())
    slowest = 0.0
    for number in range(4):
        report = await load(database, writer, tenant, line(entity, str(number), f"2026-01-0{number + 1}T00:00:00Z"))
        slowest = max(slowest, report.longest_commit_s)
    done.set()
    await watching
    return slowest, seen


BAD: list[tuple[Any, str]] = [
    (Refused("not JSON"), "not JSON"),
    ([], "a line is an object"),
    ({"entity": "v", "value": "1"}, "a line is an object"),
    ({**line("v", "1"), "more": 1}, "a line is an object"),
    (line("", "1"), "entity"),
    (line("v\0", "1"), "entity"),
    (line("v\ud800", "1"), "entity"),
    (line("v" * 501, "1"), "entity"),
    (line(entity=True, value="1"), "entity"),
    (line(None, "1"), "entity"),
    (line(1.5, "1"), "entity"),
    (line("v", 1), "exact number as text"),
    (line("v", 1.5), "exact number as text"),
    (line("v", math.nan), "exact number as text"),
    (line("v", "NaN"), "exact number as text"),
    (line("v", "1e5"), "exact number as text"),
    (line("v", "١"), "exact number as text"),
    (line("v", "1\n"), "exact number as text"),
    (line("v", "9" * 31), "exact number as text"),
    (line("v", None), "exact number as text"),
    (line("v", "1", "2026-01-01"), "time zone"),
    (line("v", "1", "2026-01-01T00:00:00"), "time zone"),
    (line("v", "1", "yesterday"), "event_at is no time"),
    (line("v", "1", "0001-01-01T00:00:00+14:00"), "event_at is no time"),
    (line("v", "1", 1_700_000_000), "event_at is no text"),
]


async def test_a_bad_line_is_named_and_stops_no_other(database: Database, writer: Writer, tenant: UUID) -> None:
    report = await load(database, writer, tenant, line("good", "1"), *(value for value, _ in BAD), line("better", "2"))
    assert (report.read, report.taken, report.rejected) == (len(BAD) + 2, 2, len(BAD))
    assert [one.line for one in report.told] == list(range(2, len(BAD) + 2))
    assert [(one.why, wanted) for one, (_, wanted) in zip(report.told, BAD, strict=True) if wanted not in one.why] == []
    now = database.clock.now()
    found = await values_as_of(database, tenant, SPEND.ref, [("good", now), ("better", now), ("v\0", now), ("v", now)])
    assert [one.value if one else None for one in found] == [b'"1"', b'"2"', None, None]


async def test_a_long_load_takes_several_commits(
    database: Database, writer: Writer, tenant: UUID, admin: Admin
) -> None:
    report = await load(database, writer, tenant, *(line(f"v{number}", str(number)) for number in range(1201)))
    assert (report.taken, report.rejected) == (1201, 0)
    assert admin.execute("select count(*) from feature_value").fetchall() == [(1201,)]
    assert admin.execute("select count(*) from ledger_entry where kind = 'feature.loaded'").fetchall() == [(3,)]


async def test_a_process_whose_clock_lags_sees_what_it_has_loaded(
    database: Database, writer: Writer, tenant: UUID
) -> None:
    """The clock is corrected by answers that take their time; a busy machine's may be behind by much."""
    real = database.clock.now
    database.clock.now = lambda: real() - timedelta(milliseconds=300)
    await load(database, writer, tenant, line("v", "1"))
    (found,) = await values_as_of(database, tenant, SPEND.ref, [("v", database.clock.now())])
    assert found is not None
