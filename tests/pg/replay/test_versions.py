"""Replay with the exact versions: published ones, policies, features, models, language models, personal data."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
import its_model
from scene import NO_WORKFLOWS, RULES, change, decide, differing, project, replayed, running, statuses
from tests.pg.decisions.test_policy import table, write
from tests.pg.privacy.world import ADA, found_in, master_key, settings_of
from tests.pg.privacy.world import flow as raises
from tests.pg.publications.versions import DECISION, contract, refund_rules
from tests.pg.stage import DOSSIER, settings_for

import interlock
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registry, register
from interlock.components.llm.provider import Providers
from interlock.decisions.asked import Deferred
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision, Route
from interlock.llm_settings import LlmSettings
from interlock.node import Node, open_node
from interlock.privacy.subject import Subjects
from interlock.publications.publish import publish, revert
from interlock.publications.reading import draft_contract, draft_rules
from interlock.replay import restore
from interlock.replay.replay import Replayer
from interlock.replay.restore import Restoring
from interlock.replay.result import Status
from interlock.setting_forms import Mode
from interlock.sim.llm import ChatRequest, SimulatedModel

Admin = psycopg.Connection[Any]
SHIPPED = Path(interlock.__file__).parent / "packs" / "receipts" / "components" / "receipt-fields@1" / "total.onnx"


@pytest.fixture
def wandering() -> Iterator[Any]:
    """The model's code, put back as it was."""
    yield its_model
    its_model.off, its_model.reason = 0.0, "within_policy"


async def publish_rules(node: Node, data: bytes) -> None:
    draft, _ = draft_rules(data, "x.rules.json")
    await publish(node.database, node.writer, node.tenant, draft, who="ana", why="test")


async def decided_by(node: Node, component: str, key: str) -> Decision:
    """The first decision by a component; what is published takes effect within a second."""
    for number in range(400):
        found = await decide(node, f"{key}-{number}")
        if found.component == component:
            return found
    raise AssertionError(f"{component} does not decide")


async def test_each_published_version_that_counted_then_counts_again(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    flow = project(tmp_path / "p")
    async with running(database_url, flow) as node:
        by_file = await decide(node, "file")
        await publish_rules(node, refund_rules("1", reason="in_the_first"))
        await publish_rules(node, refund_rules("1.1", reason="in_the_second"))
        second = await decided_by(node, "rules:approve-refund@1.1", "second")
        draft, parsed = draft_contract(contract(DECISION, "1.1.0"), "x.odcs.yaml")
        await publish(node.database, node.writer, node.tenant, draft, who="ana", why="test", parsed=parsed)
        await revert(
            node.database, node.writer, node.tenant, name="approve-refund", line="1", version="1", who="ana", why="odd"
        )
        first = await decided_by(node, "rules:approve-refund@1", "first")
        while first.output_contract != "refund-decision@1.1.0":
            first = await decide(node, str(node.database.clock.new_id()))
        shutil.rmtree(tmp_path / "p")
        assert len({by_file.build, second.build, first.build}) == 3
        for one in (by_file, second, first):
            found = await replayed(node, one)
            assert (found.status, found.ran) == (Status.EQUAL, "archive"), found
        # what is published is kept by its own room; where it is not, it is named
        admin.execute(
            "alter table in_force disable trigger all; alter table in_force drop constraint in_force_is_published"
        )
        admin.execute("delete from publication where version = '1.1'")
        found = await replayed(node, second)
        assert found.stage("component 1").status is Status.NOT_RUN
        assert "not published here with the content of then" in found.stage("component 1").what


async def test_in_production_files_play_no_part(database_url: str, tmp_path: Path) -> None:
    flow = project(tmp_path / "p")
    async with open_node(settings_for_production(database_url), registry=Registry([flow]), publishes=True) as node:
        await publish_rules(node, (tmp_path / "p" / RULES).read_bytes())
        for name in ("refund-decision@1", "refund-request@1"):
            file = tmp_path / "p" / "contracts" / f"{name}.odcs.yaml"
            draft, parsed = draft_contract(file.read_bytes(), file.name)
            await publish(node.database, node.writer, node.tenant, draft, who="ana", why="test", parsed=parsed)
    only = register(flow.workflow, only_published=True)
    async with open_node(settings_for_production(database_url), registry=Registry([only])) as node:
        decision = await decide(node)
        kept = only.library.kept
        assert kept
        assert list(kept.build.files) == [kept.build.declaration]
        assert kept.build.only_published
        assert (await replayed(node, decision)).status is Status.EQUAL


def settings_for_production(url: str) -> Any:
    return settings_for(url, mode=Mode.PRODUCTION)


async def test_a_policy_is_run_again_and_where_it_is_missing_its_recorded_word_counts(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    write(folder, table())
    flow = project(folder, point="    policy: rules:policy@1\n")
    async with running(database_url, flow) as node:
        decisions = {one: await decide(node, one, one) for one in ("20.00", "100.00", "500.00")}
        assert [one.route for one in decisions.values()] == [Route.AUTOMATIC, Route.REVIEW, Route.REJECT]
        assert {(await replayed(node, one)).status for one in decisions.values()} == {Status.EQUAL}
        evidence = json.loads(decisions["500.00"].evidence)
        evidence["policy"]["fired"][0]["row"] = 2
        change(admin, decisions["500.00"], evidence=json.dumps(evidence).encode())
        assert differing(await replayed(node, decisions["500.00"])) == ["verdicts"]
        digest = hashlib.sha256((folder / "components" / "policy@1.rules.json").read_bytes()).digest()
        admin.execute("delete from artifact where digest = %s", (digest,))
        found = await replayed(node, decisions["100.00"])
        assert (found.status, found.stage("verdicts").status) == (Status.NOT_RUN, Status.NOT_RUN)
        assert found.stage("route").status is Status.EQUAL


def _another(_module: str) -> str:
    return "another"


async def test_a_models_own_tolerance_tells_noise_from_a_difference(
    database_url: str, tmp_path: Path, wandering: Any, monkeypatch: pytest.MonkeyPatch, admin: Admin
) -> None:
    folder = tmp_path / "p"
    place = folder / "components" / "wanders@1"
    place.mkdir(parents=True)
    shutil.copy(SHIPPED, place / "total.onnx")
    (place / "component.yaml").write_text(
        'kind: onnx\nname: wanders\nversion: "1"\nmodels: {total: total.onnx}\nread: its_model:read\n'
        "tolerance: {confidence: 0.01}\n"
    )
    terms = 'sure_from: 0.75\n    features: [age@1]\n    review: ["exposure >= 100 EUR"]'
    features = "features:\n  age@1: {from: 'its_model:age', input: refund-request@1, output: integer}\n"
    flow = project(folder, components="onnx:wanders@1, person", point=f"    {terms}\n", dossier=DOSSIER + features)
    async with running(database_url, flow) as node:
        decision = await decide(node)
        assert decision.route is Route.AUTOMATIC
        shutil.rmtree(folder)
        found = await replayed(node, decision)
        assert found.status is Status.EQUAL, found
        assert found.stage("features age").status is Status.EQUAL
        wandering.off = -0.001  # less than is needed now, and within the tolerance: the route stands as it was
        found = await replayed(node, decision)
        assert found.stage("component 1").status is Status.WITHIN_TOLERANCE
        assert "confidence 0.001" in found.stage("component 1").what
        assert (found.status, differing(found)) == (Status.WITHIN_TOLERANCE, [])
        wandering.off = -0.02
        found = await replayed(node, decision)
        assert differing(found) == ["component 1", "route", "reasons"]
        wandering.off, wandering.reason = 0.0, "too_late"
        assert differing(await replayed(node, decision)) == ["component 1"]
        wandering.off, wandering.reason = 1.0, "within_policy"
        assert "features age" in differing(await replayed(node, decision))
        wandering.off = 0.0
        # other code than that of then is run, and said to be so; another file of the model is not
        monkeypatch.setattr(restore, "_source_hash", _another)
        found = await replayed(node, decision)
        assert found.status is Status.EQUAL
        assert [note for note in found.notes if "its_model" in note]
        attempts = decision.attempts.replace((decision.component_digest or b"").hex().encode(), b"ab" * 32)
        change(admin, decision, attempts=attempts, component_digest=bytes.fromhex("ab" * 32))
        found = await replayed(node, decision)
        assert "ran with the code that is installed" in found.stage("component 1").what
        monkeypatch.undo()
        found = await replayed(node, decision)
        assert found.stage("component 1").status is Status.NOT_RUN
        assert found.stage("route").status is Status.EQUAL


async def test_a_language_model_is_not_asked_again_unless_somebody_says_so(database_url: str, tmp_path: Path) -> None:
    says = ['{"approved": true, "reason": "within_policy"}']
    folder = tmp_path / "p"
    place = folder / "components" / "judge@1"
    place.mkdir(parents=True)
    (place / "component.yaml").write_text(
        "kind: llm\nname: judge\nversion: '1'\nprovider: main\nmodel: small-1\n"
        "parameters: {temperature: 0, max_tokens: 40}\nconfidence: logprobs\nprice: {input: '2', output: '10'}\n"
    )
    (place / "system.md").write_text("Judge refunds.\n")
    (place / "user.md").write_text("{{input}}\n")
    terms = '    sure_from: 0.9\n    budget: {time: 5s, cost: 1.00 USD}\n    review: ["exposure >= 100 EUR"]\n'
    flow = project(folder, components="llm:judge@1, person", point=terms)

    def answer(_asked: ChatRequest) -> str:
        return says[0]

    async with SimulatedModel(answer) as model:
        llm = {"main": LlmSettings(name="main", base_url=model.url, timeout=timedelta(seconds=5))}
        async with running(database_url, flow, llm=llm) as node:
            sure, person = await decide(node, "a"), await decide(node, "b", "100.00")
            assert (sure.route, person.route) == (Route.AUTOMATIC, Route.REVIEW)
            shutil.rmtree(folder)
            asked = len(model.requests)
            for one in (sure, person):
                found = await replayed(node, one)
                assert (found.status, found.stage("component 1").status) == (Status.EQUAL, Status.RECORDED), found
            assert len(model.requests) == asked
            async with AsyncExitStack() as stack:
                providers = Providers(llm)
                stack.push_async_callback(providers.close)
                now = node.database.clock.now
                restoring = Restoring(node.database, lambda: NO_WORKFLOWS, now=now, providers=providers)
                again = Replayer(await stack.enter_async_context(restoring), ask_models=True)
                assert statuses(await again.replay(node.tenant, sure))["component 1"] == "equal"
                assert len(model.requests) == asked + 1
                says[0] = '{"approved": false, "reason": "too_much"}'
                assert differing(await again.replay(node.tenant, sure)) == ["component 1"]


async def test_personal_data_are_opened_for_the_components_and_told_to_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch, admin: Admin
) -> None:
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([raises()])) as node:
            named = find_point(node.registry, "raises.approve")
            taken: Decision | Deferred | None = None
            for key, value in (("a", ADA), ("b", {**ADA, "salary": "6217.43"})):
                taken = await ask_in_line(
                    node.tools.decider, node.writer, node.tenant, named, key=key, value=value, caller="c"
                )
                assert isinstance(taken, Decision)
                found = await replayed(node, taken)
                assert found.status is Status.EQUAL, found
                assert found_in(str(found).replace("6217", "5217")) == []
                assert (await find_decision(node.database, node.tenant, taken.id)) == taken
            assert isinstance(taken, Decision)
            subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
            await subjects.erase(ADA["email"], who="dpo", why="asked", force=True)
            keys = admin.execute("select * from subject_key").fetchall()
            monkeypatch.setattr("interlock.privacy.vault.LATELY_S", 0.0)
            gone = await replayed(node, taken)
            assert (gone.status, statuses(gone).get("build")) == (Status.NOT_RUN, "not_run"), gone
            assert "erased" in gone.stage("build").what
            assert admin.execute("select * from subject_key").fetchall() == keys
