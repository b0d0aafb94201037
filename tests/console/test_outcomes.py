"""What became of a decision, on its page; what contradicts is settled there by whoever may, and by nobody else."""

from __future__ import annotations

from contextlib import AsyncExitStack
from html import escape
from pathlib import Path

from tests.console.visiting import refund_orders, signed_in, site
from tests.pg.stage import Stage, declared

from interlock.autonomy.outcomes.line import read_line
from interlock.autonomy.outcomes.record import record_outcomes
from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.explanation.tell import tell
from interlock.cases.outcome_points import outcome_points
from interlock.cases.registry import Registry

SCRIPT = '"><script>alert(1)</script>'


async def test_a_decision_shows_what_became_of_it_and_who_may_settles_it(database_url: str, tmp_path: Path) -> None:
    flow = declared(refund_orders, tmp_path)
    async with AsyncExitStack() as stack:
        node, url = await stack.enter_async_context(site(database_url, Registry([flow])))
        stage = await stack.enter_async_context(Stage(node))
        ana = await signed_in(stack, node, url, "ana", ["reviewer"])
        olga = await signed_in(stack, node, url, "olga", ["owner"])
        eve = await signed_in(stack, node, url, "eve", ["owner"], tenant="stranger")
        await stage.work()
        case = await stage.submit(key="one", amount="120.00")
        (review,) = await stage.wait_for_reviews()
        decision = review.decision_id
        page, at = f"/console/decisions/{decision}", f"/console/decisions/{decision}/outcome"
        assert "Nothing is recorded" in (await ana.http.get(page)).text
        points = outcome_points(node.registry, node.tenant)
        for source, right, label in (("shop", True, "paid"), ("bank", False, SCRIPT)):
            value = {"source": source, "decision": str(decision), "right": right, "label": label}
            await record_outcomes(node.database, node.writer, node.tenant, [read_line(value)], points, who="feed")
        shown = (await ana.http.get(page)).text
        assert "Sources contradict one another" in shown
        assert escape(SCRIPT, quote=False)[2:] in shown.replace("&#34;", '"')
        assert "<script>alert" not in shown
        assert at not in shown, "a reviewer does not settle"
        assert f'{page}#outcomes">{decision}<' in (await olga.http.get("/console/autonomy")).text
        assert str(decision) not in (await eve.http.get("/console/autonomy")).text
        form = (await olga.http.get(page)).text
        assert at in form
        shown = form.partition('name="shown" value="')[2].partition('"')[0]
        word = {"proposal": "right", "why": f"the bank was mistaken {SCRIPT}", "loss": "", "shown": shown}
        assert (await ana.http.post(at, data=word)).status_code == 403
        assert (await eve.http.post(at, data=word)).status_code == 404
        assert (await olga.http.post(at, data={**word, "why": " "})).status_code == 400
        assert (await olga.http.post(at, data={**word, "loss": "5.00 EUR"})).status_code == 400, "right loses nothing"
        assert (await olga.http.post(at, data={**word, "shown": "0" * 64})).status_code == 409, "not what was shown"
        done = await olga.http.post(at, data=word)
        assert (done.status_code, done.headers["location"]) == (303, f"{page}#outcomes")
        assert (await olga.http.post(at, data=word)).status_code == 409, "there is nothing to settle any more"
        listed = (await olga.http.get("/console/autonomy")).text
        assert "to-settle" not in listed
        assert "doubtful" in listed, "of the bank's words one of one was settled against it"
        shown = (await olga.http.get(page)).text
        assert "The proposal was right." in shown
        assert "<script>alert" not in shown
        assert "outcome.settled" in (await olga.http.get(f"/console/cases/{case}")).text
        told = tell(await read_material(node.database, node.tenant, case, Reader.AUDITOR), Reader.AUDITOR)
        assert "The proposal was right." in told.text
        assert "bank: wrong" in told.text
