"""Who answers a drawn decision meets nothing of it; whoever leads sees what was wrong, with the money."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from tests.console.visiting import signed_in, site
from tests.pg.autonomy.test_audit_sample import DECLARED, answer, decided, sampled
from tests.pg.decisions.test_decide import approve
from tests.pg.stage import Stage, declared

from interlock.api.keys import Scope, make_key
from interlock.cases.registry import Registry


async def test_nothing_of_a_drawn_decision_is_where_its_reviewer_looks(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    async with site(database_url, Registry([flow])) as (node, url), AsyncExitStack() as stack:
        on = Stage(node)
        decision = await decided(on, flow, "k")
        assert await sampled(on) == (1, 1)
        (review,) = await on.reviews()
        ana, lea = await signed_in(stack, node, url), await signed_in(stack, node, url, "lea", roles=("lead",))
        key = await make_key(node.database, node.writer, node.tenant, name="reads", scopes=(Scope.READ,))
        bearer = {"Authorization": f"Bearer {key}"}
        page = f"/console/reviews/{review.id}"
        for path in (page, "/console/queue", f"/v1/reviews/{review.id}", "/v1/reviews", "/v1/work"):
            found = await ana.http.get(path, headers=bearer if path.startswith("/v1") else {})
            assert found.status_code == 200, path
            assert str(review.id) in found.text, path
            for hidden in ("within_policy", "onnx:m", str(decision.id)):
                assert hidden not in found.text, path
        assert "nothing is proposed" in (await ana.http.get(page)).text
        told = (await lea.http.get(f"/console/decisions/{decision.id}")).text
        assert str(review.id) not in told  # nor does the decision say that it is drawn
        assert "audit" not in (await lea.http.get(f"/v1/decisions/{decision.id}", headers=bearer)).text
        await on.resolve(review, answer(approved=False, reason="not_his"))
        shown = (await lea.http.get("/console/quality")).text
        assert f'href="/console/decisions/{decision.id}"' in shown
        assert f'href="{page}"' in shown
        assert "20.00" in shown
        assert str(decision.id) not in (await ana.http.get("/console/quality")).text
        stranger = await signed_in(stack, node, url, "eve", roles=("lead",), tenant="another")
        assert str(decision.id) not in (await stranger.http.get("/console/quality")).text
