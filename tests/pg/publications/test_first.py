"""The first publication of a line is held against the file that counts until then, in development."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.pg.stage import declared, settings_for
from versions import DECISION, REQUEST, contract

from interlock.cases.case import Case
from interlock.cases.publishing import Outcome, publish_contract
from interlock.cases.registry import Registered, Registry
from interlock.contracts.evolve import Party
from interlock.errors import ContractInvalid
from interlock.node import Node, open_node
from interlock.publications.publication import Kind
from interlock.publications.publish import contract_breaks, list_published
from interlock.publications.reading import draft_contract
from interlock.setting_forms import Mode

RENAMED = ("name: days_since_purchase", "name: weeks_since_purchase")


async def approve(case: Case) -> str:
    """Take one decision."""
    return (await case.decide("approve", case.input)).by


@pytest.fixture
def flow(tmp_path: Path) -> Registered:
    return declared(approve, tmp_path)


@asynccontextmanager
async def process(url: str, flow: Registered, mode: Mode = Mode.DEVELOPMENT) -> AsyncGenerator[Node]:
    async with open_node(settings_for(url, mode=mode), registry=Registry([flow]), publishes=True) as node:
        yield node


async def publish(node: Node, data: bytes) -> Outcome:
    return await publish_contract(
        node.database, node.writer, node.registry, node.tenant, data, "x.odcs.yaml", who="ana", why="test"
    )


async def published(node: Node) -> list[str]:
    return [one.reference for one in await list_published(node.database, node.tenant, Kind.CONTRACT)]


@pytest.mark.parametrize("version", ["1.1.0", "1.0.0", "1.0.1"])
async def test_what_breaks_the_file_in_force_is_refused_with_the_list(
    database_url: str, flow: Registered, version: str
) -> None:
    async with process(database_url, flow) as node:
        with pytest.raises(ContractInvalid, match=r"breaks what refund-request@1\.0\.0 promised") as caught:
            await publish(node, contract(REQUEST, version, a=RENAMED))
        broken = {(one.where, one.rule) for one in caught.value.violations}
        assert broken >= {("/days_since_purchase", "breaks-consumers"), ("/weeks_since_purchase", "breaks-producers")}
        assert await published(node) == []
        done = await publish(node, contract(REQUEST, "1.1.0"))
        assert (done.published.new, done.published.breaks) == (True, ())


async def test_the_file_itself_and_a_new_line_are_published(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node:
        line = await publish(node, contract(REQUEST, "2.0.0", a=RENAMED))
        assert {one.breaks for one in line.published.breaks} == set(Party)  # told, as of a new line
        assert (await publish(node, REQUEST.encode())).published.breaks == ()
        assert await published(node) == ["refund-request@2.0.0", "refund-request@1.0.0"]


async def test_a_folder_with_two_versions_is_published_in_their_order(database_url: str, tmp_path: Path) -> None:
    wider = DECISION.replace("version: 1.0.0", "version: 1.1.0").replace(
        "      - name: approved\n", "      - name: remark\n        logicalType: string\n      - name: approved\n", 1
    )
    assert wider.count("remark") == 1
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "refund-decision@1.odcs.yaml").write_text(wider)
    async with process(database_url, declared(approve, tmp_path)) as node:
        other = contract(DECISION, "1.0.1")
        (against,) = await contract_breaks(
            node.database, node.tenant, draft_contract(other, "x")[1], node.registry.contract_files("refund-decision")
        )
        assert (against.contract.reference, against.published) == ("refund-decision@1.1.0", False)
        for data in (DECISION.encode(), wider.encode()):
            assert (await publish(node, data)).published.new


async def test_once_something_is_published_the_file_counts_for_nothing(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow) as node:
        files = node.registry.contract_files("refund-request")
        assert [one.reference for one in files] == ["refund-request@1.0.0"]
        await publish(node, contract(REQUEST, "1.1.0"))
        new = draft_contract(contract(REQUEST, "1.2.0"), "x.odcs.yaml")[1]
        (against,) = await contract_breaks(node.database, node.tenant, new, files)
        assert (against.contract.reference, against.published) == ("refund-request@1.1.0", True)


async def test_in_production_no_file_counts(database_url: str, flow: Registered) -> None:
    async with process(database_url, flow, Mode.PRODUCTION) as node:
        assert node.registry.contract_files("refund-request") == ()
        assert (await publish(node, contract(REQUEST, "1.1.0", a=RENAMED))).published.new
