"""A table decides as asking in line does: the same rows give the same records, whatever their route."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import polars as pl
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, stage

from interlock.batch.files import Form
from interlock.batch.job import Job, Progress
from interlock.batch.open import open_table
from interlock.batch.record import Order
from interlock.batch.rows import Reading
from interlock.batch.run import decide_table
from interlock.cases.case import Case
from interlock.cases.in_line import NamedPoint, ask_in_line
from interlock.cases.registry import Registered
from interlock.components.component import Answer, ComponentRef, Kind
from interlock.components.onnx import Manifest, Onnx, Run
from interlock.decisions.asked import Deferred
from interlock.decisions.point import ComponentChoice, Share
from interlock.errors import InterlockError, LimitReached
from interlock.guards.stops import list_stops, resume, stop
from interlock.oversight.queue import Answer as Said
from interlock.oversight.queue import list_queue
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution

POINT = """\
    exposure: input.amount EUR
    review: ["exposure >= 100 EUR"]
    reject: ["exposure >= 5000 EUR"]
    queue: {name: desk, capacity: 200, due: 24h}
"""
RULES = ComponentRef(Kind.RULES, "approve-refund", "1")
PERSON = ComponentRef(Kind.PERSON, "person")


def read(given: Mapping[str, Any], _run: Run) -> Answer:
    """Sure of most; a customer's name can make it unsure, fail, or break its contract."""
    name = str(given["customer"])
    if name == "fails":
        raise ValueError("no such customer")
    output: dict[str, Any] = {"approved": True, "reason": "within_policy"}
    if name == "breaks":
        output = {"approved": "yes"}
    confidence = 0.4 if name == "unsure" else 0.25 + float(Decimal(given["amount"]) % 7) / 10
    return Answer(output=output, confidence=1.0 if name == "sure" else min(confidence, 0.99), evidence={"name": name})


def read_many(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
    """The same for several; it raises where one of them makes ``read`` raise."""
    return [read(one, run) for one in given]


def reader(many: Any = read_many) -> Onnx:
    """A model that reads by the functions above."""
    manifest = Manifest(
        name="reader", version="1", models={}, module="reader", function="read", card="", digest=b"r" * 32
    )
    return Onnx(manifest, {}, read, many)


ROWS: list[dict[str, Any]] = [
    {"id": "automatic", "customer": "sure", "amount": "20.00", "days_since_purchase": 3},
    {"id": "other-model", "customer": "Ana", "amount": "20.00", "days_since_purchase": 3},
    {"id": "review", "customer": "sure", "amount": "250.00", "days_since_purchase": 3},
    {"id": "reject", "customer": "sure", "amount": "7000.00", "days_since_purchase": 3},
    {"id": "fallback-unsure", "customer": "unsure", "amount": "30.00", "days_since_purchase": 3},
    {"id": "fallback-fails", "customer": "fails", "amount": "31.00", "days_since_purchase": 3},
    {"id": "fallback-breaks", "customer": "breaks", "amount": "32.00", "days_since_purchase": 400},
    {"id": "quarantine", "customer": "sure", "amount": "1.234", "days_since_purchase": -1},
    {"id": "known", "customer": "sure", "amount": "41.00", "days_since_purchase": 3},
    {"id": "reused", "customer": "sure", "amount": "42.00", "days_since_purchase": 3},
    {"id": "reused-broken", "customer": "sure", "amount": "0.001", "days_since_purchase": 3},
    {"id": "automatic", "customer": "sure", "amount": "20.00", "days_since_purchase": 3},
    {"id": "automatic", "customer": "sure", "amount": "21.00", "days_since_purchase": 3},
    *(
        {"id": f"n{n}", "customer": ("Bo", "sure", "Cy")[n % 3], "amount": f"{n}.50", "days_since_purchase": n}
        for n in range(1, 40)
    ),
]
BEFORE = [{**ROWS[8]}, {**ROWS[9], "amount": "42.01"}, {**ROWS[10], "amount": "43.00"}]


async def approve(case: Case) -> str:
    """Never run here: the point is asked from outside."""
    await case.decide("approve", case.input)
    return "done"


def pointed(flow: Registered, onnx: Onnx, *, person: bool = True) -> NamedPoint:
    """The point: the model, then rules, then a person."""
    flow.library._components[onnx.ref] = onnx  # pyright: ignore[reportPrivateUsage]
    steps = [ComponentChoice((Share(ref, Fraction(1)),)) for ref in (onnx.ref, RULES, *((PERSON,) if person else ()))]
    point = msgspec.structs.replace(flow.declaration.decisions["approve"], steps=tuple(steps), sure_from=0.6)
    return NamedPoint(flow, point)


def input_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without its key."""
    return {name: value for name, value in row.items() if name != "id"}


async def in_line(on: Stage, tenant: UUID, named: NamedPoint, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ask one by one; what became of each."""
    became: list[str] = []
    for row in rows:
        try:
            decision = await ask_in_line(
                on.node.tools.decider, on.node.writer, tenant, named, key=row["id"], value=input_of(row), caller="desk"
            )
            became.append("deferred" if isinstance(decision, Deferred) else str(decision.route))
        except InterlockError as cause:
            became.append(cause.code)
    return became


def silent(_progress: Progress) -> None:
    """Hears how far it is."""


def job(tmp_path: Path, tenant: UUID, named: NamedPoint, table: Path, **changed: Any) -> Job:
    """A run over a table."""
    contract = named.registered.library.contract(named.point.input)
    source = open_table(str(table), Reading(contract=contract, key="id", run=changed.pop("run", "")))
    out = tmp_path / changed.pop("out", "out.jsonl")
    order = Order(tenant=str(tenant), point=named.name, table=source.identity, run=source.reading.run, key="id")
    given: dict[str, Any] = {
        "out_form": Form.JSONL, "rejects": out.with_suffix(".rejects.jsonl"), "rejects_form": Form.JSONL,
        "caller": "desk", "patience": timedelta(0), "told": silent, **changed,
    }  # fmt: skip
    return Job(tenant=tenant, named=named, table=source, order=order, out=out, **given)


def lines(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines; none if it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def records(url: str, tenant: UUID) -> dict[str, Any]:
    """All that is on record of a tenant, without ids, times and durations."""
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        decisions = admin.execute(
            "select workflow, point, key, input, input_hash, input_contract, output, output_hash, output_contract,"
            " component, component_digest, propensity, attempts, confidence, confidence_needed, exposure_minor,"
            " currency, findings, verdicts, reasons, route::text, evidence, cost, declaration,"
            " valid_until - decided_at, facts"
            " from decision where tenant = %s order by key", (tenant,)).fetchall()  # fmt: skip
        reviews = admin.execute(
            "select d.key, r.workflow, r.point, r.queue, r.state::text, r.question, r.proposal, r.exposure_minor,"
            " r.urgency, r.due_at - r.created_at from review r"
            " join decision d on d.id = r.decision_id and d.review = r.id"
            " where r.tenant = %s order by 1", (tenant,)).fetchall()  # fmt: skip
        entries = admin.execute(
            "select e.kind, e.body from ledger_entry e where e.tenant = %s", (tenant,)).fetchall()  # fmt: skip
        held = admin.execute(
            "select data, violations, contract, state::text from quarantine where tenant = %s order by 1", (tenant,)
        ).fetchall()
    return {
        "decisions": [_timeless(row) for row in decisions],
        "reviews": reviews,
        "entries": sorted((kind, _nameless(body)) for kind, body in entries),
        "quarantine": held,
    }


def _timeless(row: Sequence[Any]) -> list[Any]:
    return [_without(value, "took_us") if isinstance(value, bytes) and value[:2] == b"[{" else value for value in row]


def _without(data: bytes, *names: str) -> str:
    value: Any = json.loads(data)
    parts: list[dict[str, Any]] = value if data[:1] == b"[" else [value]
    for part in parts:
        for name in (*names, "cpu_us"):
            part.pop(name, None)
    return json.dumps(value, sort_keys=True)


def _nameless(body: bytes) -> str:
    # the hash of a record is over its ids and times, too; and rows say which of a table they are
    return _without(body, "review", "decision", "code", "origin", "record", "quarantine", "due_at")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("together", [256, 7])
async def test_the_same_rows_give_the_same_records(
    database_url: str, tmp_path: Path, form: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.batch.run.TOGETHER", together)
    flow = declared(approve, tmp_path, point=POINT)
    table = tmp_path / f"rows.{form}"
    if form == "jsonl":
        table.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    else:
        getattr(pl.DataFrame(ROWS), f"write_{form}")(table)
    async with stage(database_url, [flow], workers=0) as on:
        named = pointed(flow, reader())
        line, batch = [await on.node.database.ensure_tenant(name) for name in ("line", "batch")]
        for tenant in (line, batch):
            await in_line(on, tenant, named, BEFORE)
        became = await in_line(on, line, named, ROWS)
        tally = await decide_table(job(tmp_path, batch, named, table), on.node.tools.decider)
    one, many = records(database_url, line), records(database_url, batch)
    for what in one:
        assert many[what] == one[what], what
    assert {"automatic", "review", "reject", "contract-violated", "key-reused"} <= set(became)
    written = {row["row"]: row["route"] for row in lines(tmp_path / "out.jsonl")}
    written |= {row["row"]: row["code"] for row in lines(tmp_path / "out.rejects.jsonl")}
    assert [written[number] for number in range(1, len(ROWS) + 1)] == became
    assert tally.known == 2  # one that was asked in line before, and one that stands twice in the table


async def test_a_model_that_answers_otherwise_together_is_asked_one_by_one(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def otherwise(given: Sequence[Mapping[str, Any]], run: Run) -> list[Answer]:
        return [msgspec.structs.replace(read(one, run), confidence=0.999999) for one in given]

    flow = declared(approve, tmp_path, point=POINT)
    rows = [row for row in ROWS if row["id"].startswith("n")]
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    async with stage(database_url, [flow], workers=0) as on:
        line, batch = [await on.node.database.ensure_tenant(name) for name in ("line", "batch")]
        await in_line(on, line, pointed(flow, reader()), rows)
        await decide_table(job(tmp_path, batch, pointed(flow, reader(otherwise)), table), on.node.tools.decider)
    assert records(database_url, batch) == records(database_url, line)
    assert "asked one by one" in caplog.text


async def test_a_review_that_was_resolved_meanwhile_stands_in_the_file(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, point=POINT)
    table = tmp_path / "rows.jsonl"
    table.write_text(f"{json.dumps(ROWS[2])}\n")
    async with stage(database_url, [flow], workers=0) as on:
        named, decider, node = pointed(flow, reader()), on.node.tools.decider, on.node
        await decide_table(job(tmp_path, node.tenant, named, table), decider)
        assert [row["settled"] for row in lines(tmp_path / "out.jsonl")] == [False]
        (review,) = await list_queue(node.database, node.tenant)
        said = Said(resolution=Resolution.APPROVE, reason_code="as_proposed")
        await resolve(node.desk, acts(node.tenant, "rosa"), review.id, said, Terms(check=flow.library.violations))
        await decide_table(job(tmp_path, node.tenant, named, table, out="again.jsonl"), decider)
    (row,) = lines(tmp_path / "again.jsonl")
    assert (row["settled"], row["known"], row["output"]["approved"]) == (True, True, True)


async def test_a_stop_sends_rows_to_people_and_holds_those_that_nobody_may_decide(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(approve, tmp_path, point=POINT)
    rows = [row for row in ROWS if row["id"].startswith("n")]
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    async with stage(database_url, [flow], workers=0) as on:
        node, decider = on.node, on.node.tools.decider
        line, batch, alone = [await node.database.ensure_tenant(name) for name in ("line", "batch", "alone")]
        for tenant in (line, batch, alone):
            await stop(node.database, node.writer, tenant, scope="component:onnx:reader@1", who="ops", why="odd")
        became = await in_line(on, line, pointed(flow, reader()), rows)
        await decide_table(job(tmp_path, batch, pointed(flow, reader()), table), decider)
        assert set(became) == {"review"}
        held = job(tmp_path, alone, pointed(flow, reader(), person=False), table, out="alone.jsonl")
        with pytest.raises(LimitReached, match="odd"):
            await decide_table(held, decider)
        (found,) = await list_stops(node.database, alone)
        await resume(node.writer, alone, found.id, who="ops", why="mended")
        tally = await decide_table(held, decider)
    one, many = records(database_url, line), records(database_url, batch)
    assert many["decisions"] == one["decisions"]
    assert many["reviews"] == one["reviews"]
    assert (tally.rows, tally.decided) == (len(rows), len(rows))


async def test_a_full_queue_holds_the_run_and_nothing_goes_beyond_it(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, point=POINT.replace("capacity: 200", "capacity: 5"))
    rows = [{**ROWS[2], "id": f"r{n}"} for n in range(20)]
    table = tmp_path / "rows.jsonl"
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    async with stage(database_url, [flow], workers=0) as on:
        named, decider, node = pointed(flow, reader()), on.node.tools.decider, on.node
        order = job(tmp_path, node.tenant, named, table)
        with pytest.raises(LimitReached, match="which holds 5"):
            await decide_table(order, decider)
        assert len(await list_queue(node.database, node.tenant)) == 5
        while waiting := await list_queue(node.database, node.tenant):
            for review in waiting:
                said = Said(resolution=Resolution.REJECT, reason_code="no")
                await resolve(
                    node.desk, acts(node.tenant, "rosa"), review.id, said, Terms(check=flow.library.violations)
                )
            with contextlib.suppress(LimitReached):
                await decide_table(order, decider)
    assert [row["row"] for row in lines(tmp_path / "out.jsonl")] == list(range(1, 21))
    assert len(records(database_url, node.tenant)["decisions"]) == 20
