"""OpenLineage events: of the right form, none left out, none twice under another run, nothing personal in them."""

from __future__ import annotations

import asyncio
import fcntl
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from openlineage_forms import check, check_by_specification, specification
from tests.pg.stage import Stage, declared, payments, stage

from interlock.cases.case import Case
from interlock.db.database import connect_service
from interlock.errors import Refused
from interlock.ledger.store import seal_once
from interlock.lineage.export import Export, export_span
from interlock.lineage.openlineage import Event
from interlock.lineage.sink import FileSink, FolderSink, HttpSink, SinkUnreachable, make_sink
from interlock.lineage.upkeep import LineageUpkeep
from interlock.money import Money
from interlock.sim import SimulatedProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


async def refunds(case: Case) -> str:
    """Decide, and pay."""
    claim = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    await case.act("pay", {"to": case.input["customer"], "amount": claim.exposure}, because=claim)
    return "paid"


class Kept:
    """A sink in memory that can refuse."""

    def __init__(self) -> None:
        self.batches: dict[str, Sequence[Event]] = {}
        self.sent: list[Event] = []
        self.fails = 0

    async def send(self, batch: str, events: Sequence[Event]) -> None:
        """Keep them; where it fails, half of them have come through."""
        if self.fails:
            self.fails -= 1
            self.sent += events[: len(events) // 2]
            raise SinkUnreachable("away")
        self.sent += events
        self.batches[batch] = events

    async def close(self) -> None:
        """Nothing."""


async def seal(url: str) -> None:
    connection = await connect_service(url)
    try:
        while (sealed := await seal_once(connection)) and sealed.more:
            pass
    finally:
        await connection.close()


async def drain(export: Export) -> int:
    """Turn until nothing is left."""
    turned = 0
    while leaves := await export.turn():
        turned += leaves
    return turned


async def paid(on: Stage, number: int) -> list[UUID]:
    """Cases that were paid."""
    cases = [await on.submit(key=f"{n}", amount="20.00", customer="Anastasia") for n in range(number)]
    for case_id in cases:
        assert (await on.until(case_id)).conclusion == "paid"
    await seal(on.node.url)
    return cases


async def test_every_event_has_the_form_and_none_is_left_out(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.lineage.export.BATCH", 7)
    connector = payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        node, kept = on.node, Kept()
        export = Export(node.database, kept, "somewhere", node.contract_fields)
        assert await export.turn() == 0  # what was before it is not its affair
        cases = await paid(on, 3)
        kept.fails = 2
        while kept.fails:
            with suppress(SinkUnreachable):
                await export.turn()
        await drain(Export(node.database, kept, "somewhere", node.contract_fields))  # another process goes on
        events = [event for number in sorted(kept.batches) for event in kept.batches[number]]
        for event in kept.sent:
            check(event)
        told = Counter((event["eventType"], event["run"]["runId"]) for event in events)
        assert set(told.values()) == {1}  # the cursor went over nothing twice
        records = [await on.record(case_id) for case_id in cases]
        wanted = {(kind, str(case_id)) for case_id in cases for kind in ("START", "RUNNING", "COMPLETE")}
        wanted |= {
            (kind, str(one.id)) for record in records for one in record.decisions for kind in ("START", "COMPLETE")
        }
        assert set(told) == wanted
        assert {(event["eventType"], event["run"]["runId"]) for event in kept.sent} == wanted  # what was repeated, too
        assert b"Anastasia" not in json.dumps(kept.sent).encode()
        decided = next(event for event in events if event["job"]["name"] == "refunds.approve")
        assert decided["run"]["facets"]["parent"]["run"]["runId"] in {str(case_id) for case_id in cases}
        (asked,) = decided["inputs"]
        assert (asked["name"], asked["facets"]["version"]["datasetVersion"]) == ("refund-request@1", "1.0.0")
        assert "amount" in {field["name"] for field in asked["facets"]["schema"]["fields"]}
        acted = next(event for event in events if event["outputs"] and event["eventType"] == "RUNNING")
        assert acted["outputs"][0]["name"] == "payments.refund"
        assert acted["run"]["facets"]["interlock_action"]["amount"] == "20.00 EUR"
        span = Kept()
        begin = datetime.now(UTC) - timedelta(hours=1)
        sent = await export_span(
            node.database, node.tenant, "default", span, since=begin, until=datetime.now(UTC) + timedelta(minutes=1),
            fields=node.contract_fields,
        )  # fmt: skip
        assert sent == len(events)
        assert sorted(map(json.dumps, span.sent)) == sorted(map(json.dumps, events))


async def test_every_event_has_the_form_of_the_specification(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, shared_data: Path
) -> None:
    folder = specification(shared_data)
    connector = payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        await paid(on, 1)
        span, now = Kept(), datetime.now(UTC)
        begin, end = now - timedelta(hours=1), now + timedelta(minutes=1)
        node = on.node
        await export_span(
            node.database, node.tenant, "default", span, since=begin, until=end, fields=node.contract_fields
        )
    assert len(span.sent) == 5
    assert min(check_by_specification(event, folder) for event in span.sent) > 3


def test_the_forms_refuse_what_the_specification_does() -> None:
    """So that no test above passes whatever is sent."""
    with pytest.raises(ValueError, match="required"):
        check({"eventType": "START"})


async def test_a_line_in_halves_is_cut_off_and_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "lineage.ndjson"
    await FileSink(file).send("0", [{"n": 1}, {"n": 2}])
    with file.open("ab") as stream:
        stream.write(b'{"n": 3, "half')  # killed while it wrote
    await FileSink(file).send("2", [{"n": 3}])
    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == [1, 2, 3]
    folder = FolderSink(tmp_path / "folder")
    for _ in range(2):
        await folder.send("5", [{"n": 1}])
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["5.ndjson"]
    with pytest.raises(SinkUnreachable):
        await FileSink(tmp_path / "nowhere" / "file").send("0", [{"n": 1}])


async def test_a_file_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "lineage.ndjson"
    with file.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b'{"n": 1, "not yet wh')
        other.flush()
        with pytest.raises(SinkUnreachable):
            await FileSink(file).send("0", [{"n": 2}])
        other.write(b'ole": 1}\n')
    await FileSink(file).send("0", [{"n": 2}])
    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == [1, 2]


class Slow:
    """A folder's sink in a process that stands still for a moment, before it writes and after."""

    def __init__(self, folder: Path) -> None:
        self._sink = FolderSink(folder)
        self.here, self.write, self.wrote, self.leave = (asyncio.Event() for _ in range(4))

    async def send(self, batch: str, events: Sequence[Event]) -> None:
        """Write when told to, and go when told to."""
        self.here.set()
        await self.write.wait()
        await self._sink.send(batch, events)
        self.wrote.set()
        await self.leave.wait()

    async def close(self) -> None:
        """Nothing."""


def runs_in(folder: Path) -> set[str]:
    files = [one.read_text() for one in folder.iterdir()]
    return {json.loads(line)["run"]["runId"] for text in files for line in text.splitlines()}


async def test_two_processes_that_export_to_one_folder_lose_nothing(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    folder, connector = tmp_path / "out", payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        database, one, other = on.node.database, Slow(folder), Slow(folder)
        await Export(database, one, "same").turn()
        (first,) = await paid(on, 1)
        shorter = asyncio.create_task(Export(database, other, "same").turn())
        await other.here.wait()
        second = await on.submit(key="second", amount="20.00")
        await on.until(second)
        await seal(on.node.url)
        longer = asyncio.create_task(Export(database, one, "same").turn())
        await one.here.wait()
        one.write.set()
        await one.wrote.wait()
        other.write.set()
        other.leave.set()
        await shorter  # it wrote last, and moved the cursor first
        one.leave.set()
        await longer
        assert {str(first), str(second)} <= runs_in(folder)
        before = {one.name for one in folder.iterdir()}
        await drain(Export(database, FolderSink(folder), "same"))
        assert {one.name for one in folder.iterdir()} > before  # the cursor stood behind the shorter batch
        span, now = FolderSink(folder), datetime.now(UTC)
        for begin, end in ((now - timedelta(hours=1), now), (now, now + timedelta(hours=1))):
            await export_span(database, on.node.tenant, "default", span, since=begin, until=end)
        assert before < {one.name for one in folder.iterdir()}  # nothing that was there is written over
        assert {str(first), str(second)} <= runs_in(folder)


async def test_what_cannot_be_read_is_left_out_and_named_and_all_else_is_told(
    database_url: str,
    tmp_path: Path,
    provider: SimulatedProvider,
    admin: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    connector, kept = payments(provider.url), Kept()
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        export = Export(on.node.database, kept, "same")
        await export.turn()
        cases = await paid(on, 3)
        bad = (await on.record(cases[1])).decisions[0].id
        admin.execute("update decision set took_us = '[]' where id = %s", (bad,))
        await drain(export)
        assert "decision.taken" in caplog.text
        assert str(bad) in caplog.text
        runs = Counter(event["run"]["runId"] for event in kept.sent)
        assert {runs[str(case_id)] for case_id in cases} == {3}
        assert len(runs) == 5


async def test_a_fault_of_ours_is_logged_and_does_not_end_the_export(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    monkeypatch.setattr("interlock.lineage.upkeep.POLL_S", 0.01)
    turns: list[int] = []

    async def turn(_: Export) -> int:
        turns.append(1)
        raise AssertionError("not foreseen")

    monkeypatch.setattr(Export, "turn", turn)
    async with LineageUpkeep(database_url, ("somewhere",)), asyncio.timeout(10):
        while len(turns) < 2:  # noqa: ASYNC110 - a turn
            await asyncio.sleep(0.01)
    assert "not foreseen" in caplog.text


@pytest.mark.parametrize("target", ["ftp://x/y", "", "https://", "a\0b"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(Refused):
        make_sink(target)


async def test_a_server_is_told_with_its_key_and_asked_again_while_it_fails() -> None:
    answers, came = [503, 302, 308, 200, 422, 201], list[tuple[str, Any]]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.headers["Authorization"], json.loads(body)["n"]))
            self.send_response(answers.pop(0))
            self.send_header("Location", "https://sso.example/login")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    events: list[Event] = [{"n": n, "run": {"runId": str(UUID(int=n))}} for n in (1, 2, 3)]
    sink = HttpSink(f"http://127.0.0.1:{server.server_port}/api/v1/lineage", "secret")
    try:
        with pytest.raises(SinkUnreachable, match="503"):
            await sink.send("0", events)
        for moved in (302, 308):  # it has nothing
            with pytest.raises(SinkUnreachable, match=rf"{moved} and points to 'https://sso\.example/login'"):
                await sink.send("0", events)
        await sink.send("0", events)  # the second is refused for good, and the third still goes
        assert came == [("Bearer secret", n) for n in (1, 1, 1, 1, 2, 3)]
    finally:
        await sink.close()
        await asyncio.to_thread(server.shutdown)
        server.server_close()
    other = HttpSink(f"http://127.0.0.1:{server.server_port}/")
    with pytest.raises(SinkUnreachable):
        await other.send("0", events)
    await other.close()


async def test_a_long_running_process_counts_and_exports_by_itself(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.lineage.upkeep.POLL_S", 0.05)
    file, connector = tmp_path / "lineage.ndjson", payments(provider.url)
    async with stage(database_url, [declared(refunds, tmp_path, name="refunds")], connectors=[connector]) as on:
        async with LineageUpkeep(on.node.url, (str(file),)):
            await asyncio.sleep(0.2)
            (case_id,) = await paid(on, 1)
            async with asyncio.timeout(10):
                while not file.exists() or b"COMPLETE" not in file.read_bytes().splitlines()[-1]:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.05)
        kinds = {json.loads(line)["eventType"] for line in file.read_text().splitlines()}
        assert kinds == {"START", "RUNNING", "COMPLETE"}
        async with on.node.database.installation() as connection:
            rows = await (await connection.execute("select reader, next from lineage_cursor")).fetchall()
        assert len(rows) == 2
        assert len({next_ for _, next_ in rows}) == 1
        assert case_id.hex.encode()[:8] in file.read_bytes().replace(b"-", b"")
