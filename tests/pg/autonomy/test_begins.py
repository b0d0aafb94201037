"""What was taken back is certified anew by what came since alone, unless somebody says otherwise and why."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import Made, known_truth, place, put, terms

from interlock.autonomy.certificate import Begins
from interlock.autonomy.issuing.begins import begins_after, begins_as_stated
from interlock.autonomy.issuing.duty import derive_now, keep_once, renew
from interlock.autonomy.issuing.issue import issue, refuse, stands_at, withdraw
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.show import show_points
from interlock.autonomy.issuing.store import Stands
from interlock.autonomy.issuing.verify import verify
from interlock.autonomy.store import AutonomyState
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import Refused

Admin = psycopg.Connection[tuple[Any, ...]]


async def counts(database: Database, it: Place) -> Stands:
    found = await stands_at(database, it.tenant, it.workflow, it.point)
    assert found is not None
    return found


def minutes_ago(minutes: float, number: int, **of: Any) -> list[Made]:
    """So many good decisions within twelve seconds."""
    begun = datetime.now(UTC) - timedelta(minutes=minutes)
    return [Made(at=begun + timedelta(seconds=12) * at / number, **of) for at in range(number)]


async def test_old_good_data_outvote_nothing_that_the_monitor_found(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant, terms(renew=timedelta(days=7)))
    put(database_url, it, known_truth(datetime.now(UTC) - timedelta(minutes=9), 3000, wrong=0.0))
    await issue(writer, it, await derive_now(database, it, None, who="olga"), None)
    admin.execute("update certificate_monitor set counted_to = now() - interval '9 minutes'")
    put(database_url, it, [*minutes_ago(8, 60, right=False), *minutes_ago(8, 240)])
    await keep_once(database, writer, lambda _: [it])
    assert (await counts(database, it)).state is AutonomyState.WITHDRAWN
    admin.execute("update autonomy set changed_at = now() - interval '7 minutes'")
    stands = await counts(database, it)

    put(database_url, it, minutes_ago(7.5, 400))  # before it was taken back, though its truth came later
    refused = await derive_now(database, it, stands, who="olga")
    assert (refused.certificate, refused.data.decisions) == (None, 0)
    assert "then the last certificate was taken back by monitor (the monitor found more lost" in refused.refused
    await refuse(writer, it, refused, stands, who="olga")
    shown = (await show_points(database, tenant, [it], database.clock.now()))[0]
    assert (shown.state, shown.counts_since) == ("withdrawn", stands.changed_at)

    put(database_url, it, minutes_ago(6, 900))
    stands = await counts(database, it)
    derived = await derive_now(database, it, stands, who="olga")
    assert derived.certificate is not None
    assert (derived.data.decisions, derived.data.since) == (900, stands.changed_at)
    identity = await issue(writer, it, derived, stands)
    assert (await verify(database, tenant, identity, database.clock.now())).same
    said = admin.execute(
        "select convert_from(body, 'UTF8')::jsonb -> 'begins' ->> 'who' from ledger_entry"
        " where kind in ('certificate.issued', 'certificate.refused') order by id"
    ).fetchall()
    assert said == [(None,), ("monitor",), ("monitor",)]

    admin.execute("update autonomy set tried_at = now() - interval '8 days', changed_at = now() - interval '8 days'")
    renewed = await renew(database, writer, it)
    assert renewed is not None
    assert (renewed.data.decisions, renewed.begins) == (900, derived.begins)  # a renewal reaches back no further
    assert begins_after(await counts(database, it), it.terms, database.clock.now() + it.terms.window) is None


async def test_who_answers_for_it_may_say_that_what_came_before_is_like_what_will_come(
    database_url: str, database: Database, writer: Writer, tenant: UUID
) -> None:
    it = place(tenant)
    put(database_url, it, known_truth(datetime.now(UTC), 3000, wrong=0.0))
    await issue(writer, it, await derive_now(database, it, None, who="olga"), None)
    stands = await counts(database, it)
    await withdraw(database, writer, tenant, stands, who="ben", why="a drill")
    stands, now = await counts(database, it), database.clock.now()
    assert (await derive_now(database, it, stands, who="olga")).data.decisions == 0
    for at, why in ((now - timedelta(hours=1), " "), (now - timedelta(hours=4), "x"), (now + timedelta(hours=1), "x")):
        with pytest.raises(Refused):
            begins_as_stated(it.terms, at, now, who="olga", why=why)
    begins = begins_as_stated(it.terms, now - timedelta(hours=1), now, who="olga", why="it was a drill")
    derived = await derive_now(database, it, stands, who="olga", begins=begins)
    assert derived.certificate is not None
    assert derived.certificate.begins == begins
    assert any("as olga states: it was a drill" in one for one in derived.certificate.assumptions)
    identity = await issue(writer, it, derived, stands)
    assert (await verify(database, tenant, identity, now)).same
    later = await derive_now(database, it, await counts(database, it), who="olga")
    assert (later.begins, later.data.decisions) == (begins, 3000)

    over = msgspec.structs.replace(await counts(database, it), crossed_at=now)  # its monitor crossed when it was over
    found = begins_after(over, it.terms, now)
    assert isinstance(found, Begins)
    assert (found.at, found.stated) == (now, False)
    assert Fraction(over.threshold) > 0
