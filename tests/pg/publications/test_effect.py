"""What is published takes effect: without restart, in every process, whole or not at all, and no file beside it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.pg.stage import REFUNDS, Stage, declared, settings_for
from versions import DECISION, REQUEST, RULES, contract, refund_rules

from interlock.api.health import look
from interlock.cases.case import Case
from interlock.cases.registry import Registered, Registry, register
from interlock.cases.workflow import Workflow, workflow
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision, Route
from interlock.errors import DeclarationInvalid, NotFound
from interlock.guards.stops import stop
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.publications.publication import Kind
from interlock.publications.publish import publish, revert
from interlock.publications.reading import draft_contract, draft_rules
from interlock.setting_forms import Mode

SECOND = Path(__file__).with_name("second_process.py")
Admin = psycopg.Connection[tuple[Any, ...]]


async def approve(case: Case) -> str:
    """Take one decision."""
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return f"{decided.output['reason']} by {decided.by}"


def _unheard(*names: object) -> None:
    """A wake that reaches nobody."""


async def publish_rules(node: Node, data: bytes) -> None:
    draft, _ = draft_rules(data, "x.rules.json")
    await publish(node.database, node.writer, node.tenant, draft, who="ana", why="test")


async def publish_contract(node: Node, data: bytes) -> None:
    draft, parsed = draft_contract(data, "x.odcs.yaml")
    await publish(node.database, node.writer, node.tenant, draft, who="ana", why="test", parsed=parsed)


async def ask(node: Node, key: str, *, days: int = 3) -> Decision:
    registered = node.registry.all[0]
    decision = await node.tools.decider.decide(
        Asked(
            tenant=node.tenant,
            workflow=registered.workflow.name,
            point=registered.declaration.decisions["approve"],
            declaration=registered.declaration.digest,
            library=registered.library.for_tenant(node.tenant),
            key=key,
            value={"customer": "Ana", "amount": "20.00", "days_since_purchase": days},
            exposure=Money("20.00", "EUR"),
        )
    )
    assert isinstance(decision, Decision)
    return decision


async def until_decided_by(node: Node, component: str, *, within_s: float = 1.0) -> float:
    """How long until decisions are taken by a component."""
    began = time.monotonic()
    number = 0
    while (await ask(node, f"{component}-{began}-{number}")).component != component:
        number += 1
        assert time.monotonic() - began < within_s, f"{component} does not decide after {within_s} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def flow(tmp_path: Path) -> Registered:
    return declared(approve, tmp_path, name="approvals")


@asynccontextmanager
async def process(url: str, flow: Registered, mode: Mode = Mode.DEVELOPMENT) -> AsyncGenerator[Node]:
    async with open_node(settings_for(url, mode=mode), registry=Registry([flow])) as node:
        yield node


async def test_a_published_version_decides_within_a_second_and_names_itself_and_its_row(
    database_url: str, flow: Registered
) -> None:
    async with process(database_url, flow) as node:
        assert (await ask(node, "before")).component == "rules:approve-refund@1"
        data = refund_rules("1.1", reason="by_the_new_rule")
        await publish_rules(node, data)
        await until_decided_by(node, "rules:approve-refund@1.1")
        decision = await ask(node, "after")
        assert decision.answer == {"approved": True, "reason": "by_the_new_rule"}
        assert decision.component_digest == draft_rules(data, "x")[0].digest
        assert [one.component for one in decision.asked] == ["rules:approve-refund@1.1"]
        (fired,) = json.loads(decision.evidence)["fired"]
        assert (fired["table"], fired["row"], fired["note"]) == ("refund", 3, "All others.")
        assert fired["cells"] == {
            "Days since purchase": "", "Amount": "", "Approved": "true", "Reason": "'by_the_new_rule'",
        }  # fmt: skip
        draft, _ = draft_rules(RULES.encode(), "x.rules.json")
        with pytest.raises(Exception, match="does not come after"):
            await publish(node.database, node.writer, node.tenant, draft, who="ana", why="back")


async def test_a_line_that_is_reverted_decides_as_before_within_a_second(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node:
        await publish_rules(node, RULES.encode())
        await publish_rules(node, refund_rules("1.1", days=1))
        await until_decided_by(node, "rules:approve-refund@1.1")
        await revert(
            node.database, node.writer, node.tenant, name="approve-refund", line="1", version="1", who="r", why="w"
        )
        await until_decided_by(node, "rules:approve-refund@1")


async def test_it_is_found_by_looking_where_the_news_is_lost(
    database_url: str, flow: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(database_url, flow) as node, process(database_url, flow) as other:
        monkeypatch.setattr(type(node.notifier), "wake", _unheard)
        await publish_rules(node, refund_rules("1.1"))
        await until_decided_by(other, "rules:approve-refund@1.1")


async def test_a_tenant_s_publications_are_its_own(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node:
        other = replace(node, tenant=await node.database.ensure_tenant("other"))
        await publish_rules(node, refund_rules("1.1"))
        await until_decided_by(node, "rules:approve-refund@1.1")
        assert (await ask(other, "k")).component == "rules:approve-refund@1"


async def test_under_load_no_decision_mixes_versions_and_none_fails(database_url: str, flow: Registered) -> None:
    """Each version gives a reason of its own: reference, digest, row and answer of a decision name one version."""
    versions = {str(n): refund_rules(f"1.{n}", reason=f"rule_{'abcdef'[n]}") for n in range(1, 6)}
    digests = {version: draft_rules(rules, "x")[0].digest for version, rules in versions.items()}
    decided: list[Decision] = []
    async with process(database_url, flow) as node:
        ended = asyncio.Event()

        async def load(worker: int) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                decided.append(await ask(node, f"{worker}-{number}"))
                await asyncio.sleep(0)

        loading = [asyncio.create_task(load(worker)) for worker in range(8)]
        for rules in versions.values():
            await publish_rules(node, rules)
            await asyncio.sleep(0.3)
        ended.set()
        await asyncio.gather(*loading)
    assert len({decision.component for decision in decided}) > len(versions) - 1
    for decision in decided:
        version = decision.component.rpartition("@1.")[2]
        assert decision.route is Route.AUTOMATIC
        if version in versions:
            reason = f"rule_{'abcdef'[int(version)]}"
            assert decision.answer == {"approved": True, "reason": reason}
            assert decision.component_digest == digests[version]
            assert [one.digest for one in decision.asked] == [digests[version].hex()]
            assert json.loads(decision.evidence)["fired"][0]["cells"]["Reason"] == f"'{reason}'"


async def test_rules_and_contract_of_one_decision_are_of_one_moment(database_url: str, flow: Registered) -> None:
    """A snapshot that was taken keeps what it held, whatever is published meanwhile."""
    async with process(database_url, flow) as node:
        await publish_rules(node, refund_rules("1.1"))
        await until_decided_by(node, "rules:approve-refund@1.1")
        registered = node.registry.all[0]
        held = registered.library.for_tenant(node.tenant)
        reference = registered.declaration.decisions["approve"].steps[0].shares[0].component
        await publish_rules(node, refund_rules("1.2"))
        await publish_contract(node, contract(DECISION, "1.1.0"))
        await until_decided_by(node, "rules:approve-refund@1.2")
        give_up = time.monotonic() + 5
        while registered.library.for_tenant(node.tenant).contract_name("refund-decision@1") != "refund-decision@1.1.0":
            assert time.monotonic() < give_up
            await asyncio.sleep(0.02)
        assert str(held.component(reference).ref) == "rules:approve-refund@1.1"
        assert held.contract_name("refund-decision@1") == "refund-decision@1.0.0"
        now = registered.library.for_tenant(node.tenant)
        assert now.contract_name("refund-decision@1") == "refund-decision@1.1.0"
        assert now is registered.library.for_tenant(node.tenant)


async def test_what_cannot_be_loaded_is_not_passed_over_for_the_version_before(
    database_url: str, flow: Registered, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(database_url, flow) as node:
        await publish_rules(node, RULES.encode())
        await until_decided_by(node, "rules:approve-refund@1")
        newer = json.loads(refund_rules("1.1"))
        newer["nodes"][1]["type"] = "nodeOfANewerEngine"
        add_in_force(admin, node, "1.1", json.dumps(newer).encode())
        give_up = time.monotonic() + 1.0
        while not node.publications.unusable:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.02)
        decision = await ask(node, "k")
        assert (decision.route, decision.output) == (Route.REVIEW, None)
        assert "cannot be loaded by this process" in decision.why[0].what
        assert "approve-refund@1.1" in node.publications.unusable[0]
        health = await look(node.database, unusable=len(node.publications.unusable))
        assert (health.status, health.unusable) == ("degraded", 1)
        assert "approve-refund@1.1" in caplog.text
    async with process(database_url, flow, Mode.DEVELOPMENT) as node:  # a restart changes nothing
        assert (await ask(node, "k2")).route is Route.REVIEW


def add_in_force(admin: Admin, node: Node, version: str, content: bytes) -> None:
    """What a process of a newer release published."""
    new = node.database.clock.new_id()
    admin.execute(
        "insert into publication (id, tenant, kind, name, version, line, digest, content, author, why, at) "
        "values (%s, %s, 'rules', 'approve-refund', %s, '1', sha256(%s), %s, 'n', 'n', now())",
        (new, node.tenant, version, content, content),
    )
    admin.execute(
        "insert into in_force (tenant, kind, name, line, change, publication, since, author, why) "
        "select %s, 'rules', 'approve-refund', '1', coalesce(max(change), 0) + 1, %s, now(), 'n', 'n' from in_force",
        (node.tenant, new),
    )


def folder_flow(folder: Path) -> Workflow:
    """The example in a folder of its own, whose files can be changed."""
    shutil.copytree(REFUNDS, folder, dirs_exist_ok=True)
    declared(approve, folder, name="approvals")
    return workflow("approvals", version="1.0.0", file=folder / "approvals.workflow.yaml")(approve)


async def test_in_production_a_file_on_disk_changes_nothing_also_after_a_restart(
    database_url: str, tmp_path: Path
) -> None:
    flow = folder_flow(tmp_path)
    rules = tmp_path / "components" / "approve-refund@1.rules.json"
    known = register(flow, only_published=True)
    settings = settings_for(database_url, mode=Mode.PRODUCTION)
    async with open_node(settings, registry=Registry([known]), publishes=True) as node:
        await publish_contract(node, REQUEST.encode())
        await publish_contract(node, DECISION.encode())
        await publish_rules(node, RULES.encode())
    async with process(database_url, known, Mode.PRODUCTION) as node:
        rules.write_bytes(refund_rules("1", reason="by_a_file"))
        assert (await ask(node, "a")).answer == {"approved": True, "reason": "within_policy"}
    for content in (refund_rules("1", reason="by_a_file"), b"no rules"):
        rules.write_bytes(content)
        (tmp_path / "contracts" / "refund-decision@1.odcs.yaml").write_bytes(content)
        async with process(database_url, register(flow, only_published=True), Mode.PRODUCTION) as node:
            assert (await ask(node, str(content))).answer == {"approved": True, "reason": "within_policy"}


async def test_in_production_a_process_does_not_start_while_something_is_not_published(
    database_url: str, tmp_path: Path
) -> None:
    known = register(folder_flow(tmp_path), only_published=True)
    with pytest.raises(DeclarationInvalid) as caught:
        async with process(database_url, known, Mode.PRODUCTION):
            pass
    told = [(one.what, one.todo) for one in caught.value.violations]
    assert any("nothing is published for rules approve-refund@1" in what for what, _ in told)
    assert any("interlock rules publish" in todo for _, todo in told)
    assert any("interlock contracts publish" in todo for _, todo in told)


async def test_in_production_a_tenant_without_publications_is_refused_by_name(
    database_url: str, tmp_path: Path
) -> None:
    known = register(folder_flow(tmp_path), only_published=True)
    settings = settings_for(database_url, mode=Mode.PRODUCTION)
    async with open_node(settings, registry=Registry([known]), publishes=True) as node:
        with pytest.raises(NotFound, match="nothing is published for contract refund-request@1"):
            await ask(node, "k")


async def test_a_reference_to_a_whole_version_keeps_to_it(database_url: str, tmp_path: Path) -> None:
    """In development, too, it may be published only: it stands in no file."""
    body = workflow("approvals", version="1.0.0", file=tmp_path / "approvals.workflow.yaml")(approve)
    declared(approve, tmp_path, name="approvals")
    text = body.file.read_text("utf-8").replace("rules:approve-refund@1,", "rules:approve-refund@1.1,")
    body.file.write_text(text, "utf-8")
    pinned = register(body, (REFUNDS,), checked=False)
    async with process(database_url, pinned) as node:
        assert (await ask(node, "before")).route is Route.REVIEW  # there is no such version yet
        await publish_rules(node, refund_rules("1.1", reason="pinned"))
        await until_decided_by(node, "rules:approve-refund@1.1")
        await publish_rules(node, refund_rules("1.2", reason="newer"))
        await asyncio.sleep(0.6)
        assert (await ask(node, "after")).answer == {"approved": True, "reason": "pinned"}
    with pytest.raises(DeclarationInvalid, match="refers to what cannot be used"):
        register(body, (REFUNDS,))


async def test_two_processes_follow_within_a_second(database_url: str, flow: Registered) -> None:
    """A second process, as a worker or another API would be."""
    second = await asyncio.create_subprocess_exec(
        sys.executable, str(SECOND), database_url, str(flow.workflow.file),
        stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert second.stdout is not None
    try:
        async with asyncio.timeout(60), process(database_url, flow) as node:
            assert (await second.stdout.readline()).split()[0] == b"rules:approve-refund@1"
            for number in range(1, 4):
                published = time.time()
                await publish_rules(node, refund_rules(f"1.{number}"))
                while (line := (await second.stdout.readline()).decode().split())[
                    0
                ] != f"rules:approve-refund@1.{number}":
                    assert line
                assert float(line[1]) - published < 1.0
                await until_decided_by(node, f"rules:approve-refund@1.{number}")
    finally:
        second.kill()
        await second.wait()


async def test_a_case_takes_what_counts_when_it_decides(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node, Stage(node) as on:
        await on.work()
        await publish_rules(node, refund_rules("1.1", reason="by_the_new_rule"))
        await until_decided_by(node, "rules:approve-refund@1.1")
        case = await on.until(await on.submit(key="k"))
        assert case.conclusion == "by_the_new_rule by rules:approve-refund@1.1"


async def test_a_stop_of_the_line_holds_its_versions(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node:
        await publish_rules(node, refund_rules("1.1"))
        await until_decided_by(node, "rules:approve-refund@1.1")
        scope = "component:rules:approve-refund@1"
        await stop(node.database, node.writer, node.tenant, scope=scope, who="rosa", why="it errs")
        decision = await ask(node, "held")
        assert decision.route is Route.REVIEW
        assert decision.why[0].code == "stopped"


def test_what_is_watched_is_what_the_files_name(flow: Registered) -> None:
    kinds = {(str(one.kind), str(one)) for one in flow.references}
    assert kinds == {
        ("contract", "refund-request@1"), ("contract", "refund-decision@1"), ("rules", "approve-refund@1"),
    }  # fmt: skip
    assert all(one.is_line for one in flow.references)
    assert msgspec.structs.asdict(flow.references[0])["kind"] is Kind.CONTRACT
