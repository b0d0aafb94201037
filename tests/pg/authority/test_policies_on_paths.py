"""Policies hold on every path: routes, keys, the entries that say by which of them, and the archive that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest
from litestar.handlers import HTTPRouteHandler
from tests.console.visiting import refund_orders, site
from tests.pg.stage import declared

from interlock.api.app import ROUTES
from interlock.api.endpoint import VIEW, endpoint_of
from interlock.api.keys import make_key
from interlock.archive.store import read_policies
from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import load_authority
from interlock.cases.registry import Registry
from interlock.cases.stoppable import stop_resource
from interlock.node import Node

LOOKING = {
    "/v1/decisions/search": "a query in a body",
    "/v1/tasks/{task_id:uuid}/answer": "whoever is asked may answer, or who may work on it: its verb asks the policies",
}
SHIPPED = load_authority()
LOCKED = """
@id("all") permit (principal, action, resource);
@id("no-stops-on-mondays") forbid (principal, action == Action::"stop.set", resource);
@id("nobody-decides") forbid (principal, action == Action::"decision.ask", resource);
@id("nobody-reads-the-ledger") forbid (principal, action == Action::"ledger.read", resource);
"""


def test_every_route_that_changes_something_names_an_act_that_policies_know() -> None:
    handlers = [route for route in ROUTES if isinstance(route, HTTPRouteHandler)]
    assert len(handlers) == len(ROUTES) > 50
    for handler in handlers:
        endpoint = endpoint_of(handler.opt)
        assert endpoint is not None, handler
        assert endpoint.act in SHIPPED.acts, handler.paths
        if handler.http_methods != {"GET"} and not handler.paths & LOOKING.keys():
            assert endpoint.act != VIEW, handler.paths


def entries(admin: psycopg.Connection[Any], kind: str) -> Sequence[dict[str, Any]]:
    found = admin.execute("select body from ledger_entry where kind = %s order by id", (kind,)).fetchall()
    return [msgspec.json.decode(body) for (body,) in found]


async def key_of(node: Node, url: str, *scopes: str) -> httpx.AsyncClient:
    secret = await make_key(node.database, node.writer, node.tenant, name="-".join(scopes), scopes=scopes)
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"})


async def test_a_stop_says_by_which_policies_and_the_archive_has_them(
    database_url: str, tmp_path: Path, admin: psycopg.Connection[Any]
) -> None:
    async with (
        site(database_url, Registry([declared(refund_orders, tmp_path)])) as (node, url),
        await key_of(node, url, "stop") as http,
    ):
        made = await http.post("/v1/stops", json={"scope": "workflow:refund_orders", "why": "a test"})
        assert made.status_code == 201
        await http.post(f"/v1/stops/{made.json()['id']}/resume", json={"why": "done"})
        for kind in ("guard.stopped", "guard.resumed"):
            (entry,) = entries(admin, kind)
            assert (entry["policies"], entry["because"]) == (SHIPPED.digest[:16], ["keys-that-stop"])
        (told,) = entries(admin, "policies.in_force")
        assert told["digest"].startswith(SHIPPED.digest[:16])
        kept = await read_policies(node.database, node.tenant, bytes.fromhex(told["digest"]))
        assert kept == (SHIPPED.text, SHIPPED.schema)


async def test_policies_of_a_folder_hold_for_keys_and_are_told(
    database_url: str, tmp_path: Path, admin: psycopg.Connection[Any]
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "mine.cedar").write_text(LOCKED)
    registry = Registry([declared(refund_orders, tmp_path)])
    async with (
        site(database_url, registry, policies=folder) as (node, url),
        await key_of(node, url, "admin") as http,
    ):
        stopped = await http.post("/v1/stops", json={"scope": "everything", "why": "x"})
        decided = await http.post("/v1/decisions", json={"key": "k", "point": "refund_orders.approve", "input": {}})
        for refused, policy in ((stopped, "no-stops-on-mondays"), (decided, "nobody-decides")):
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert policy in refused.json()["detail"]
        assert (await http.get("/v1/ledger/checkpoint")).status_code == 403
        assert (await http.get("/v1/cases")).status_code == 200
    assert entries(admin, "guard.stopped") == []
    (told,) = entries(admin, "policies.in_force")
    assert told["policies"] == ["all", "no-stops-on-mondays", "nobody-decides", "nobody-reads-the-ledger"]


@pytest.mark.parametrize(
    ("name", "scope", "may"),
    [
        ("shop@example.com", "workflow:refund_orders", True),
        ("Finance@example.com", "point:refund_orders.approve", True),
        ("shop@example.com", "everything", True),
        ("shop@example.com", "agent:bot", True),
        ("olga", "workflow:refund_orders", False),
        ("olga", "everything", False),
        ("olga", "connector:nobodys", True),
        ("shop@example.com", "installation", False),
        ("shop@example.com", "tenant:other", False),
    ],
)
def test_an_owner_stops_what_the_workflows_files_say(tmp_path: Path, name: str, scope: str, *, may: bool) -> None:
    owner = Actor(kind=ActorKind.PERSON, name=name, tenant=UUID(int=1), roles=("owner",))
    it = stop_resource(UUID(int=1), scope, [declared(refund_orders, tmp_path).declaration])
    assert SHIPPED.judge(owner, "stop.set", it).allowed is may
    assert SHIPPED.judge(owner, "stop.lift", it).allowed is may


def test_what_two_workflows_share_is_stopped_by_who_answers_for_both(tmp_path: Path) -> None:
    one = declared(refund_orders, tmp_path).declaration
    dossier = msgspec.structs.replace(
        one.dossier, owner="else@example.com", stand_in="finance@example.com", may_stop=()
    )
    other = msgspec.structs.replace(one, workflow="other", dossier=dossier)
    shared = stop_resource(UUID(int=1), "everything", [one, other])
    assert set(shared.facts["owners"] or ()) == {"finance@example.com"}  # type: ignore[arg-type]
    assert stop_resource(UUID(int=1), "workflow:refund_orders", [one, other]).facts["owners"] != shared.facts["owners"]
