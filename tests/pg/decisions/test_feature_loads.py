"""A load of values that fails, or whose answer is lost: every value is on record once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.db.batch import Batch
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.work import Unit
from interlock.db.writer import Writer
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.features.load import Line, load_values
from interlock.errors import Violation

SPEND = Feature(ref=FeatureRef("vendor-spend", 1), output="decimal", entity=("vendor",))


def none_broken(_contract: str, _value: Any) -> tuple[Violation, ...]:
    return ()


@pytest.mark.parametrize("commits", [False, True], ids=["cut", "answer lost"])
async def test_a_load_that_is_cut_is_on_record_once(
    database_url: str,
    database: Database,
    tenant: UUID,
    notifier: Notifier,
    admin: psycopg.Connection[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    commits: bool,  # noqa: FBT001 - a case of the test
) -> None:
    real, cuts = Batch.write, [True]

    async def write(batch: Batch, units: list[Unit]) -> None:
        if cuts:
            cuts.clear()
            if commits:
                await real(batch, units)
            await batch.connection.close()
            raise psycopg.OperationalError("the connection was cut")
        await real(batch, units)

    monkeypatch.setattr(Batch, "write", write)
    lines = [
        Line(number, {"entity": f"v{number}", "value": "1", "event_at": "2026-01-01T00:00:00Z"}) for number in range(3)
    ]
    async with Writer(database_url, database.clock, (), notifier) as writer:
        report = await load_values(
            database, writer, tenant, database.clock.new_id(), SPEND, lines, source="test", violations=none_broken
        )
    assert report.taken == 3
    assert not cuts
    assert admin.execute("select count(*) from feature_value").fetchall() == [(3,)]
    kinds = "select kind, count(*) from ledger_entry where tenant <> installation_tenant() group by 1"
    assert admin.execute(kinds).fetchall() == [("feature.loaded", 1)]
