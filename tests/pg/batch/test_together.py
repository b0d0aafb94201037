"""What a contract demands of all rows together: repeats are refused, the rest is told at the end."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.writes.cut import Cut, Moment
from tests.pg.batch.test_same_as_in_line import RULES, approve, job, lines, silent
from tests.pg.stage import REFUNDS, declared, stage

from interlock.batch.broken import record_broken
from interlock.batch.job import Progress
from interlock.batch.run import decide_table
from interlock.batch.tally import Tally
from interlock.cases.in_line import NamedPoint
from interlock.cases.registry import Registered

ORDERS = """\
    quality:
      - {name: enough, metric: rowCount, mustBeGreaterOrEqualTo: 10}
    properties:
      - name: order
        logicalType: string
        required: true
        unique: true
        description: what was bought
        quality:
          - {name: odd-orders, metric: invalidValues, mustBeLessThan: 40, unit: percent, arguments: {pattern: '^o.*$'}}
"""
Row = dict[str, Any]


def row(key: str, order: object, **changed: Any) -> Row:
    """One row."""
    return {"id": key, "order": order, "customer": "ana", "amount": "20.00", "days_since_purchase": 3, **changed}


ROWS = [
    row("a", "o1"),
    row("b", "o2", amount="0.001"),  # breaks the contract by itself, so that its order stays free
    row("c", "o2"),
    row("d", "o1"),  # repeats row 1
    row("e", "x1"),
    row("c", "o2"),  # the very question of row 3, asked twice
    row("c", "o9"),  # another one under its key
    row("g", "x2"),
    row("h", "o2"),  # repeats row 3
    row("i", "x3"),
    row("j", "x3", days_since_purchase=-1),
]
REPEATED = {4: "record 4 has the same /order as record 1", 9: "record 9 has the same /order as record 3"}
BROKEN = [
    ("odd-orders", "invalidValues is 3 of 5 records (60.00 %), not less than 40 %"),
    ("enough", "rowCount is 5 of 5 records, not at least 10"),
]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registered:
    """A point whose contract demands something of all rows together."""
    folder = tmp_path / "refunds"
    shutil.copytree(REFUNDS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "contracts" / "refund-request@1.odcs.yaml"
    file.write_text(file.read_text().replace("    properties:\n", ORDERS, 1))
    monkeypatch.setattr("tests.pg.stage.REFUNDS", folder)
    return declared(approve, tmp_path, components=f"{RULES}, person")


def as_table(folder: Path, form: str, rows: list[Row]) -> Path:
    """The rows as a file."""
    path = folder / f"rows.{form}"
    if form == "jsonl":
        path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    else:
        getattr(pl.DataFrame(rows), f"write_{form}")(path)
    return path


def pointed(flow: Registered) -> NamedPoint:
    """The point."""
    return NamedPoint(flow, flow.declaration.decisions["approve"])


def on_record(url: str, tenant: UUID) -> list[dict[str, Any]]:
    """What the ledger says of tables as a whole."""
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        query = "select body from ledger_entry where tenant = %s and kind = 'data.batch_broken'"
        return [json.loads(body) for (body,) in admin.execute(query, (tenant,)).fetchall()]


def check(folder: Path, tally: Tally) -> None:
    """See that every row of ROWS has become what it should."""
    decided, refused = lines(folder / "out.jsonl"), lines(folder / "out.rejects.jsonl")
    assert [one["row"] for one in decided] == [1, 3, 5, 6, 8, 10]
    assert decided[1]["decision"] == decided[3]["decision"]
    said = {one["row"]: [violation["what"] for violation in one["violations"]] for one in refused}
    assert sorted(said) == [2, 4, 7, 9, 11]
    assert {number: said[number] for number in REPEATED} == {number: [what] for number, what in REPEATED.items()}
    assert all(one["quarantine"] for one in refused if one["row"] != 7)
    assert next(one["code"] for one in refused if one["row"] == 7) == "key-reused"
    assert tally.rules["unique"] == 2
    assert [(one.rule, one.what) for one in tally.broken] == BROKEN
    assert (tally.rows, tally.decided, tally.rejected) == (11, 6, 5)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("together", [256, 2])
async def test_repeats_are_refused_and_what_is_wrong_with_all_is_told(
    database_url: str, tmp_path: Path, flow: Registered, form: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.batch.run.TOGETHER", together)
    table = as_table(tmp_path, form, ROWS)
    async with stage(database_url, [flow], workers=0) as on:
        order = job(tmp_path, on.node.tenant, pointed(flow), table)
        tally = await decide_table(order, on.node.tools.decider)
        check(tmp_path, tally)
        again = await decide_table(order, on.node.tools.decider)
    assert again == tally
    (entry,) = on_record(database_url, on.node.tenant)
    assert entry["rules"] == ["enough", "odd-orders"]
    assert entry["what"] == [what for _, what in BROKEN]
    assert (entry["contract"], entry["rows"], entry["table"]) == ("refund-request@1.0.0", 11, order.order.table.digest)
    assert tally.document()["broken"][0]["rule"] == "odd-orders"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("parts", range(1, 6))
async def test_a_run_that_is_taken_up_knows_the_rows_before(
    database_url: str, tmp_path: Path, flow: Registered, form: str, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.batch.run.TOGETHER", 2)
    monkeypatch.setattr("interlock.batch.run.UNDER_WAY", 1)
    table = as_table(tmp_path, form, ROWS)
    left = [parts]

    def told(progress: Progress) -> None:
        silent(progress)
        left[0] -= 1
        if not left[0]:
            raise EOFError

    async with stage(database_url, [flow], workers=0) as on:
        named, decider = pointed(flow), on.node.tools.decider
        with pytest.raises(EOFError):
            await decide_table(job(tmp_path, on.node.tenant, named, table, told=told), decider)
        tally = await decide_table(job(tmp_path, on.node.tenant, named, table), decider)
    check(tmp_path, tally)
    assert len(on_record(database_url, on.node.tenant)) == 1


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_what_is_wrong_with_all_is_on_record_once_for_each_run(
    database_url: str, tmp_path: Path, flow: Registered, moment: Moment
) -> None:
    table = as_table(tmp_path, "jsonl", ROWS)
    async with stage(database_url, [flow], workers=0) as on:
        with Cut("data.batch_broken", moment) as cut:
            await decide_table(job(tmp_path, on.node.tenant, pointed(flow), table), on.node.tools.decider)
        assert cut.struck
        assert len(on_record(database_url, on.node.tenant)) == 1
        named = pointed(flow)
        await decide_table(job(tmp_path, on.node.tenant, named, table, out="two.jsonl"), on.node.tools.decider)
    assert len(on_record(database_url, on.node.tenant)) == 2


async def test_a_table_that_keeps_all_of_it_is_whole(database_url: str, tmp_path: Path, flow: Registered) -> None:
    table = as_table(tmp_path, "csv", [row(f"k{number}", f"o{number}") for number in range(10)])
    async with stage(database_url, [flow], workers=0) as on:
        tally = await decide_table(job(tmp_path, on.node.tenant, pointed(flow), table), on.node.tools.decider)
    assert (tally.decided, tally.rejected, tally.broken) == (10, 0, ())
    assert on_record(database_url, on.node.tenant) == []


async def test_a_killed_end_is_written_once(
    database_url: str, tmp_path: Path, flow: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the ledger's entry and the record of the run, what is taken up finds the entry."""
    table = as_table(tmp_path, "csv", ROWS)

    async def written_and_killed(*given: Any, **named: Any) -> None:
        await record_broken(*given, **named)
        raise EOFError

    async with stage(database_url, [flow], workers=0) as on:
        order = job(tmp_path, on.node.tenant, pointed(flow), table)
        with monkeypatch.context() as patched:
            patched.setattr("interlock.batch.run.record_broken", written_and_killed)
            with pytest.raises(EOFError):
                await decide_table(order, on.node.tools.decider)
        tally = await decide_table(order, on.node.tools.decider)
    check(tmp_path, tally)
    assert len(on_record(database_url, on.node.tenant)) == 1
