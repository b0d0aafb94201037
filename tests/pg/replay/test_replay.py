"""A recorded decision made again: equal from the archive alone, and what is otherwise named at its stage."""

from __future__ import annotations

import hashlib
import importlib
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from scene import (
    NO_WORKFLOWS,
    OTHER_RULES,
    RULES,
    change,
    decide,
    differing,
    encoded,
    project,
    replayed,
    running,
    statuses,
)

from interlock.cases.registry import Registry, register
from interlock.decisions.decision import Decision, Route
from interlock.guards.stops import stop
from interlock.node import Node
from interlock.replay.result import Status

Admin = psycopg.Connection[Any]
STAGES = ["record", "input", "component 1", "findings", "verdicts", "exposure", "route", "reasons"]


async def kinds(node: Node) -> list[Decision]:
    """Decisions of every route."""
    return [
        await decide(node, "yes"),
        await decide(node, "no", days=40),
        await decide(node, "person", "100.00"),
        await decide(node, "much", "1000.01"),
    ]


async def test_every_route_is_equal_when_the_files_have_changed_and_when_they_are_gone(
    database_url: str, tmp_path: Path
) -> None:
    flow = project(tmp_path / "p")
    async with running(database_url, flow) as node:
        decisions = await kinds(node)
        assert {one.route for one in decisions} == {Route.AUTOMATIC, Route.REVIEW}
        assert {one.build for one in decisions} == {flow.library.build}
        rules = tmp_path / "p" / RULES
        rules.write_text(OTHER_RULES)
        for after in ("changed", "gone"):
            if after == "gone":
                shutil.rmtree(tmp_path / "p")
            for one in decisions:
                found = await replayed(node, one)
                assert (found.status, found.ran, found.now) == (Status.EQUAL, "archive", one.asked_at), found
                assert [stage.name for stage in found.stages][: len(STAGES)] == STAGES
                assert not found.notes


async def test_what_was_changed_on_record_is_found_at_its_own_stage(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with running(database_url, project(tmp_path / "p")) as node:
        first = await decide(node, "first")
        output = encoded({"approved": False, "reason": "too_late"})
        much = first.input.replace(b'"20.00"', b'"1000.01"')
        reasons = encoded([{"code": "sure_enough", "what": "because"}])
        verdict = encoded([{"by": "x", "route": "review", "what": "y"}])
        finding = encoded([{"code": "odd", "severity": "info", "what": "y", "where": ""}])
        attempts = first.attempts.replace(b'"confidence":1.0', b'"confidence":0.5')
        assert attempts != first.attempts
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({"output": output}, ["record", "component 1"]),
            ({"output": output, "output_hash": hashlib.sha256(output).digest()}, ["component 1"]),
            ({"output": None, "output_hash": None}, ["record", "component 1"]),
            ({"component": "person", "component_digest": None}, ["record"]),
            ({"confidence": 0.5}, ["record"]),
            ({"input_contract": "refund-request@2.0.0"}, ["input"]),
            ({"output_contract": "refund-decision@1.0.1"}, ["component 1"]),
            ({"input": much, "input_hash": hashlib.sha256(much).digest()}, ["component 1"]),
            ({"attempts": attempts}, ["record", "component 1"]),
            ({"evidence": encoded({"evidence": {}, "fired": []})}, ["component 1"]),
            ({"findings": finding}, ["findings"]),
            ({"verdicts": verdict}, ["verdicts"]),
            ({"confidence_needed": 0.5}, ["record", "exposure"]),
            ({"exposure_minor": 10000}, ["verdicts", "route", "reasons"]),
            ({"route": "reject"}, ["route"]),
            ({"valid_until": first.decided_at + timedelta(days=9)}, ["route"]),
            ({"reasons": reasons}, ["reasons"]),
            ({"declaration": bytes(32)}, ["build"]),
            ({"attempts": b"{"}, ["record"]),
            ({"input": b"[]", "input_hash": hashlib.sha256(b"[]").digest()}, ["record"]),
            ({"evidence": b"\xff"}, ["record"]),
            ({"currency": "ZZZ"}, ["record"]),
            ({"attempts": first.attempts.replace(b'"digest":"', b'"digest":"x')}, ["record"]),
        ]
        for number, (columns, stages) in enumerate(cases):
            decision = await decide(node, f"k{number}")
            change(admin, decision, **columns)
            found = await replayed(node, decision)
            assert (differing(found), found.status) == (stages, Status.DIFFERENT), (columns, found)
        told = (await replayed(node, await decide(node, "k1"))).stage("component 1")
        assert told.recorded == 'output {"approved":false,"reason":"too_late"}'
        assert told.replayed == 'output {"approved":true,"reason":"within_policy"}'


async def test_whatever_is_changed_on_record_is_not_the_record_that_the_ledger_has_the_hash_of(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    terms = '    review: ["exposure >= 100 EUR"]\n    exposure: input.amount EUR\n'
    async with running(database_url, project(tmp_path / "p", point=terms)) as node:
        decision = await decide(node)
        columns: dict[str, object] = {"exposure_minor": 4200, "propensity": "0.25", "facts": b'[{"name":"x"}]'}
        for name, value in columns.items():
            decision = await decide(node, name)
            found = await replayed(node, decision)
            assert (found.status, found.stage("record").what) == (Status.EQUAL, "the ledger has its hash")
            change(admin, decision, hashed=True, **{name: value})
            found = await replayed(node, decision)
            assert (found.status, found.stages[0].status) == (Status.DIFFERENT, Status.DIFFERENT), name
            assert "not the record whose hash the ledger has" in found.stages[0].what
        change(admin, decision, propensity="0.125")
        assert "the propensity is not that of the attempts" in (await replayed(node, decision)).stages[0].what
        attempts = decision.attempts.replace(b'"propensity":"1"', b'"propensity":"1/8"')
        change(admin, decision, attempts=attempts)
        assert (await replayed(node, decision)).stage("component 1").recorded == "propensity 1/8"
        admin.execute("update ledger_entry set body = '{' where subject = %s", (decision.id,))
        assert "cannot be read" in (await replayed(node, decision)).stages[0].what
        whole = await decide(node, "whole")
        admin.execute("delete from ledger_entry where subject = %s", (whole.id,))
        found = await replayed(node, whole)
        assert (found.status, found.stages[0].what) == (Status.NOT_RUN, "the ledger has no entry of it")


THEN = """from interlock.components.finding import Finding, Severity

def odd(value, answer, now):
    return (Finding(code="odd", severity=Severity.INFO, what="odd", where="/amount"),) if {} else ()
"""


async def test_what_other_code_finds_is_not_blamed_on_the_record(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "checks_of_then.py"
    code.write_text(THEN.format("True"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    flow = project(tmp_path / "p", point="    checks: [checks_of_then:odd]\n")
    async with running(database_url, flow) as node:
        decision = await decide(node)
        for condition, status in (("1 == 1", Status.EQUAL), ("False", Status.NOT_RUN)):
            code.write_text(THEN.format(condition))
            sys.modules.pop("checks_of_then")
            importlib.invalidate_caches()
            found = await replayed(node, decision)
            stage = found.stage("findings")
            assert (found.status, stage.status) == (status, status), found
            assert "code differs: module checks_of_then" in stage.what
            assert bool(stage.recorded) == (status is Status.NOT_RUN)


async def test_what_is_not_in_the_archive_is_not_run_and_named_and_the_rest_goes_on(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = project(tmp_path / "p")
    async with running(database_url, flow) as node:
        decision = await decide(node)
        kept = flow.library.kept
        assert kept

        async def without(path: str) -> dict[str, str]:
            digest = bytes.fromhex(kept.build.files[path].sha256)
            row = admin.execute("delete from artifact where digest = %s returning *", (digest,)).fetchone()
            assert row
            found = await replayed(node, decision)
            admin.execute("insert into artifact values (%s, %s, %s, %s, %s, %s)", row)
            assert found.status is Status.NOT_RUN
            told = [one.what for one in found.stages if one.status is Status.NOT_RUN]
            assert any("not in the archive" in one for one in told), told
            return statuses(found)

        found = await without(f"0/{RULES}")
        assert found["component 1"] == "not_run"
        assert found["route"] == found["verdicts"] == found["reasons"] == "equal"
        found = await without("0/contracts/refund-request@1.odcs.yaml")
        assert (found["input"], found["component 1"], found["route"]) == ("not_run", "equal", "equal")
        found = await without("0/contracts/refund-decision@1.odcs.yaml")
        assert (found["input"], found["component 1"], found["route"]) == ("equal", "not_run", "not_run")
        assert await without(kept.build.declaration) == {"record": "equal", "build": "not_run"}
        admin.execute("delete from artifact where digest = %s", (kept.digest,))
        lost = await replayed(node, decision)
        assert statuses(lost) == {"record": "equal", "build": "not_run"}
        assert "the build is not in the archive" in lost.stage("build").what


async def test_a_decision_of_before_the_archive_runs_with_what_is_installed_if_it_is_the_same(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = project(tmp_path / "p")
    rules, file = tmp_path / "p" / RULES, flow.workflow.file

    def installed() -> Registry:
        return Registry([register(flow.workflow, checked=False)])

    async with running(database_url, flow) as node:
        old, unnamed = await decide(node, "old"), await decide(node, "unnamed", "100.00")
        for one in (old, unnamed):
            change(admin, one, build=None, asked_at=None)
            found = await replayed(node, one, installed=installed)
            assert (found.status, found.ran) == (Status.EQUAL, "installed"), found
        gone = await replayed(node, old, installed=lambda: NO_WORKFLOWS)
        assert "no workflow 'approve' is installed" in gone.stage("build").what
        before = rules.read_text()
        rules.write_text(OTHER_RULES)
        found = await replayed(node, old, installed=installed)
        assert found.stage("component 1").status is Status.NOT_RUN
        assert "is not the version of then" in found.stage("component 1").what
        assert (found.status, found.stage("route").status) == (Status.NOT_RUN, Status.EQUAL)
        rules.unlink()
        found = await replayed(node, old, installed=installed)
        assert "rules:approve-refund@1 is missing" in found.stage("component 1").what
        rules.write_text(before)
        file.write_text(file.read_text().replace("100 EUR", "10 EUR"))
        found = await replayed(node, old, installed=installed)
        assert statuses(found) == {"record": "equal", "build": "not_run"}
        assert "is not the one of then" in found.stage("build").what


async def test_what_is_installed_today_is_compared_where_that_is_wanted(database_url: str, tmp_path: Path) -> None:
    flow = project(tmp_path / "p")
    rules, file = tmp_path / "p" / RULES, flow.workflow.file

    def installed() -> Registry:
        return Registry([register(flow.workflow, checked=False)])

    async with running(database_url, flow) as node:
        decision = await decide(node)

        async def today() -> Any:
            return await replayed(node, decision, installed=installed, only_installed=True)

        assert (await today()).status is Status.EQUAL
        before = rules.read_text()
        rules.write_text(OTHER_RULES)
        found = await today()
        assert differing(found) == ["component 1"]
        assert '"too_late"' in found.stage("component 1").replayed
        rules.unlink()
        assert (await today()).stage("component 1").status is Status.NOT_RUN
        rules.write_text(before)
        file.write_text(file.read_text().replace("exposure >= 100 EUR", "exposure >= 10 EUR"))
        found = await today()
        assert differing(found) == ["verdicts", "route", "reasons"]
        assert "the workflow's file is not the one of then" in found.notes
        file.write_text(
            file.read_text().replace("input: refund-request@1", "sure_from: 0.5\n    input: refund-request@1")
        )
        assert "exposure" in differing(await today())
        assert (await replayed(node, decision)).status is Status.EQUAL  # the archive's own is as it was


async def test_a_stop_and_a_time_that_ran_out_are_taken_from_the_record(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with running(database_url, project(tmp_path / "p")) as node:
        late = await decide(node, "late", "100.00")
        attempts = msgspec.json.decode(late.attempts)
        attempts = [
            {**attempts[0], "became": "late", "why": "no answer within 1 ms", "confidence": None, "needed": None},
            {"component": "person", "digest": "", "propensity": "1", "became": "asked"},
        ]
        why = "rules:approve-refund@1 late: no answer within 1 ms"
        change(
            admin, late, attempts=encoded(attempts), component="person", component_digest=None, output=None,
            output_hash=None, confidence=None, confidence_needed=None, evidence=b"{}", verdicts=b"[]",
            reasons=encoded([{"code": "component_late", "what": why}]),
        )  # fmt: skip
        found = await replayed(node, late)
        assert (found.status, differing(found)) == (Status.EQUAL, []), found
        assert (found.stage("component 1").status, found.stage("component 2").status) == ("recorded", "recorded")
        await stop(node.database, node.writer, node.tenant, scope="workflow:approve", who="ana", why="odd")
        stopped = await decide(node, "stopped")
        assert stopped.route is Route.REVIEW
        assert stopped.why[0].code == "stopped"
        found = await replayed(node, stopped)
        assert found.status is Status.EQUAL, found
        assert "recorded" in statuses(found).values()
