"""The control group beside the others, from the database to every surface; and who may know of which case it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from msgspec import structs
from tests.console.visiting import refund_orders, signed_in
from tests.pg.autonomy.test_control_group import HALF
from tests.pg.stage import Stage, declared, payments, stage

from interlock.api.keys import Scope, make_key
from interlock.api.serve import serving
from interlock.api.value import terms_of
from interlock.business.read import read_compared
from interlock.business.store import DRAWN_CASES
from interlock.cases.store import CaseState
from interlock.console.app import create_site
from interlock.sim import SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]
MONTH = timedelta(days=30)
GROUP = "control group"


async def test_the_groups_are_compared_and_only_auditors_know_of_which_a_case_is(
    database_url: str, tmp_path: Path, admin: Admin, provider: SimulatedProvider
) -> None:
    flow = declared(refund_orders, tmp_path, dossier=HALF.replace("2020-01-01}", "2020-01-01, settles: 1s}"))
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        cases = [await on.submit(key=f"k{at}") for at in range(14)]
        for case in cases:
            await on.until(case, CaseState.DONE, CaseState.WAITING)
        reviews = await on.reviews()
        for review in reviews[1:]:
            await on.approve(review)
            assert review.case_id
            await on.until(review.case_id, CaseState.DONE)
        node = on.node
        terms = terms_of(node, "refund_orders")
        assert terms.control is not None
        now = structs.replace(terms, control=structs.replace(terms.control, settles=timedelta(0)))
        found = await read_compared(node.database, node.tenant, now, MONTH)
        assert found is not None
        assert (found.control, found.treated) == (len(reviews), len(cases) - len(reviews))
        assert found.under_way == (0, 1)
        of = {one.name: one for one in found.differences}
        assert (of["value"].treated, of["value"].control) == ("14.0000 EUR", "14.0000 EUR")
        assert of["cycle_time"].cases == (found.treated, found.control - 1)
        assert all(one.few and not one.is_cause for one in found.differences)
        assert "how long some reviews took is not known" in of["cost"].note
        assert "outcomes of some decisions that went by themselves" in of["margin"].note
        # a question without a case takes as long as its answer does
        (taken,) = admin.execute(
            b"insert into control_draw (id, tenant, workflow, is_control, share, step, drawn_at) select v.decision_id, "
            b"v.tenant, v.workflow, true, '1/2', g.step, v.resolved_at - interval '1 hour' from review v "
            b"join control_draw g on g.id = v.case_id where v.id = %s returning id",
            (reviews[1].id,),
        ).fetchall()
        ids: dict[str, object] = {"since": UUID(int=0), "until": UUID(int=2**128 - 1), "most": 99, "sampled": []}
        async with node.database.tenant(node.tenant) as connection:
            rows = await DRAWN_CASES.all(connection, ids | {"workflow": "refund_orders"})
        assert [(one.state, one.seconds) for one in rows if one.id == taken[0]] == [("answered", 3600)]
        other = await node.database.ensure_tenant("another")
        empty = await read_compared(node.database, other, now, MONTH)
        assert empty is not None
        assert (empty.control, empty.treated) == (0, 0)
        await _seen(on, str(reviews[0].id), str(reviews[0].decision_id), str(reviews[0].case_id))


async def _seen(on: Stage, review: str, decision: str, case: str) -> None:
    node = on.node
    async with serving(create_site(node), "127.0.0.1", 0) as url:
        rosa = await signed_in(on.stack, node, url, "rosa", ("reviewer", "lead"))
        for path in (
            "/console/queue", f"/console/reviews/{review}", f"/console/decisions/{decision}", f"/console/cases/{case}",
            f"/console/decisions/{decision}/explanation", f"/console/decisions/{decision}/record",
        ):  # fmt: skip
            page = await rosa.http.get(path)
            assert page.status_code == 200, path
            assert GROUP not in page.text.casefold(), path
        values = "/console/value/refund_orders"
        page = (await rosa.http.get(values)).text
        assert "/console/value/refund_orders/control" in page
        part = (await rosa.http.get(f"{values}/control")).text
        assert "No cause can be told yet" in part
        assert "too few" in part
        assert "behind=control" not in part
        assert (await rosa.http.get(values, params={"behind": "control"})).status_code == 403
        uma = await signed_in(on.stack, node, url, "uma", ("auditor",))
        assert f"{GROUP}: a person takes every decision" in (await uma.http.get(f"/console/decisions/{decision}")).text
        assert "behind=control" in (await uma.http.get(f"{values}/control")).text
        behind = (await uma.http.get(values, params={"behind": "control"})).text
        assert f"/console/decisions/{decision}" in behind
        assert "not in the control group (share 1/2)" in behind
        key = await make_key(node.database, node.writer, node.tenant, name="reads", scopes=(Scope.READ,))
        told = {"Authorization": f"Bearer {key}"}
        report = (await uma.http.get("/v1/value/refund_orders", headers=told)).json()
        assert report["control"]["differences"][0]["few"] is True
        rows = (await uma.http.get("/v1/value/refund_orders/control", headers=told)).json()["rows"]
        assert any(one["decision"] == decision and one["what"] == "control group (share 1/2)" for one in rows)
