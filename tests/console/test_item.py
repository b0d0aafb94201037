"""The page of a review: what it shows, deciding from it, and what becomes of forms that are forged, late or wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.console.visiting import SignIn, Visiting, refund_orders, signed_in, site
from tests.pg.acting import acts
from tests.pg.stage import POINT, Stage, declared

from interlock.cases.registry import Registry
from interlock.cases.verdicts import shown_now
from interlock.console.item import read
from interlock.node import Node
from interlock.oversight.handing import say
from interlock.oversight.queue import find_review
from interlock.oversight.review import Review
from interlock.oversight.shown import Shown

SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest.fixture
async def stage(node: Node) -> AsyncIterator[Stage]:
    """The node with a worker."""
    async with Stage(node) as on:
        await on.work()
        yield on


async def waiting(stage: Stage, **more: str) -> Review:
    """A refund that waits for a person."""
    await stage.submit(amount="120.00", **more)
    (review,) = await stage.wait_for_reviews()
    return review


async def form_of(who: Visiting, review: Review, **changed: str) -> dict[str, str]:
    """The form of a review's page, as a browser would send it."""
    page = await who.http.get(f"/console/reviews/{review.id}")
    assert page.status_code == 200, page.text[:500]
    shown = re.search(r'name="shown" value="([^"]+)"', page.text)
    assert shown is not None
    form = {"resolution": "approve", "reason_approve": "as_proposed", "note": "", "confirmed": "", "then": "stay"}
    return {**form, "shown": unescape(shown[1]), **changed}


async def test_the_page_says_why_and_what_each_choice_does_and_what_is_shown_stays_text(
    stage: Stage, sign_in: SignIn
) -> None:
    review = await waiting(stage, customer=SCRIPT, key=SCRIPT)
    ana = await sign_in("ana")
    text = (await ana.http.get(f"/console/reviews/{review.id}")).text
    assert "at the bound" not in text
    for said in (
        "20.00 EUR above", "100.00 EUR goes to a person", "A declared condition holds", "Held" , "120.00",
        "The workflow may then pay 120.00 EUR through payments", "rules:approve-refund@1", "held for 5s",
    ):  # fmt: skip
        assert said.lower() in unescape(text).lower(), said
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(2)" in text
    assert len(text.encode()) < 60_000


async def test_what_is_wrong_stands_at_its_field_the_difference_is_shown_and_then_it_counts(
    stage: Stage, sign_in: SignIn
) -> None:
    review = await waiting(stage)
    ana, to = await sign_in("ana"), f"/console/reviews/{review.id}/decide"
    fields = {"output:/approved": "false", "output:/reason": "NOT A CODE", "reason_change": "misread"}
    change = await form_of(ana, review, resolution="change", **fields)
    wrong = await ana.http.post(to, data=change)
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    assert "NOT A CODE" in wrong.text
    no_reason = await ana.http.post(to, data={**change, "output:/reason": "not_ours", "reason_change": "made_up"})
    assert (no_reason.status_code, "a reason is needed" in no_reason.text) == (422, True)
    seen = await ana.http.post(to, data={**change, "output:/reason": "not_ours"})
    assert seen.status_code == 200
    assert "<del>yes</del>" in seen.text
    assert "<ins>no</ins>" in seen.text
    confirmed = re.search(r'name="confirmed" value="([0-9a-f]+)"', seen.text)
    assert confirmed is not None
    assert [one.state for one in await stage.reviews()] == ["open"]
    other = {**change, "output:/reason": "too_late", "confirmed": confirmed[1]}
    assert "<ins>too_late</ins>" in (await ana.http.post(to, data=other)).text  # another output than was looked at
    sent = await ana.http.post(to, data={**change, "output:/reason": "not_ours", "confirmed": confirmed[1]})
    assert (sent.status_code, sent.headers["location"]) == (303, f"/console/reviews/{review.id}?decided={review.id}")
    assert "Undo" in (await ana.http.get(sent.headers["location"])).text
    back = await ana.http.post(f"/console/reviews/{review.id}/undo")
    assert back.status_code == 303
    approved = await ana.http.post(to, data=await form_of(ana, review, **{"output:/approved": "false"}))
    assert (approved.status_code, "the fields were changed" in approved.text) == (422, True)


async def test_forms_that_are_forged_late_or_of_somebody_else_decide_nothing(
    stage: Stage, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = await waiting(stage)
    ana, ben = await sign_in("ana"), await sign_in("ben")

    async def noted_meanwhile(*given: Any) -> Shown:
        await say(stage.node.desk, acts(stage.node.tenant, "eve"), review.id, text="it is a fraud")
        return await shown_now(*given)

    monkeypatch.setattr(read, "shown_now", noted_meanwhile)
    # whatever a verdict would be bound to, the page has it
    assert "it is a fraud" in (await ana.http.get(f"/console/reviews/{review.id}")).text
    monkeypatch.undo()
    viewer, far = await sign_in("vera", ("viewer",)), await sign_in("far", tenant="other")
    to, form = f"/console/reviews/{review.id}/decide", await form_of(ana, review)
    assert (await ana.http.post(to, data=form, headers={"X-Form-Key": "x"})).status_code == 403
    assert (await ana.http.post(to, data=form, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await viewer.http.post(to, data=form)).status_code == 403
    assert (await far.http.post(to, data=form)).status_code == 404
    assert (await far.http.get(f"/console/reviews/{review.id}")).status_code == 404
    assert (await ana.http.post(to, data={**form, "extra": "1"})).status_code == 400
    opened = await viewer.http.post(f"/console/reviews/{review.id}/personal", data={"purpose": "checking"})
    assert opened.status_code == 403
    for wrong in (
        {"shown": "\ud800".encode("utf-8", "surrogatepass")},
        {"reason_approve": "\0"},
        {"output:/reason": "\0"},
    ):
        assert (await ana.http.post(to, data={**form, **wrong})).status_code in (400, 409, 422)
    assert (await ana.http.post(to, data={**form, "resolution": "pay twice"})).status_code == 400
    assert (await ana.http.post(to, content=b"resolution=approve&resolution=reject")).status_code in (400, 415)
    stale = await ana.http.post(to, data={**form, "shown": "0" * 64, "note": "kept as it was"})
    assert stale.status_code == 409
    assert "kept as it was" in stale.text
    assert "not as it was shown" in stale.text
    taken = await ben.http.post(f"/console/tasks/{review.id}/claim")
    assert taken.status_code == 303
    late = await ana.http.post(to, data=form)
    assert (late.status_code, "ben" in late.text) == (409, True)
    page = (await ana.http.get(f"/console/reviews/{review.id}")).text
    assert "ben works on it" in page
    assert 'id="decide"' not in page
    assert [one.state for one in await stage.reviews()] == ["claimed"]


async def test_handing_on_asking_and_answering(stage: Stage, sign_in: SignIn) -> None:
    review = await waiting(stage)
    ana, ben = await sign_in("ana"), await sign_in("ben")
    at = f"/console/tasks/{review.id}"
    assert (
        await ana.http.post(f"{at}/ask", data={"to": "ben", "question": f"Is it yours? {SCRIPT}"})
    ).status_code == 303
    page = (await ana.http.get(f"/console/reviews/{review.id}")).text
    assert "ana asked ben" in page
    assert "<img src=x" not in page
    asked = (await ben.http.get("/console/asked")).text
    assert "Is it yours?" in asked
    assert (await ben.http.post(f"{at}/answer", data={"text": "It is."})).status_code == 303
    assert "It is." in (await ana.http.get(f"/console/reviews/{review.id}")).text
    assert (await ana.http.post(f"{at}/assign", data={"to": "nobody"})).status_code == 404
    assert (await ana.http.post(f"{at}/assign", data={"to": "ben", "note": "yours"})).status_code == 303
    assert "It is ben's to do" in (await ana.http.get(f"/console/reviews/{review.id}")).text
    assert (await ben.http.post(f"{at}/snooze", data={"length": "until", "until": "never"})).status_code == 400
    assert (await ben.http.post(f"{at}/snooze", data={"length": "4h"})).status_code == 303
    assert "ben put it off until" in (await ana.http.get(f"/console/reviews/{review.id}")).text


async def test_two_must_agree_the_second_blind_to_the_first_and_a_lead_settles_what_they_disagree_on(
    database_url: str, tmp_path: Path
) -> None:
    registry = Registry(
        [declared(refund_orders, tmp_path, point=f"{POINT}    four_eyes: 100 EUR\n    queue: {{name: q, hold: 0s}}\n")]
    )
    async with site(database_url, registry) as (node, url), Stage(node) as on, AsyncExitStack() as stack:
        await on.work()
        review = await waiting(on)
        ana, ben = await signed_in(stack, node, url, "ana"), await signed_in(stack, node, url, "ben")
        lead = await signed_in(stack, node, url, "lea", ("lead",))
        path = f"/console/reviews/{review.id}"
        page = (await ana.http.get(path)).text
        assert "It needs two people" in page
        first = await form_of(ana, review, note="the first says SECRET")
        assert (await ana.http.post(f"{path}/decide", data=first)).status_code == 303
        assert "You have given your verdict" in (await ana.http.get(path)).text
        blind = (await ben.http.get(path)).text
        assert "you are the second" in blind
        assert "SECRET" not in blind
        second = await form_of(ben, review, resolution="reject", reason_reject="doubtful", note="no")
        assert (await ben.http.post(f"{path}/decide", data=second)).status_code == 303
        assert (await find_review(node.database, node.tenant, review.id)).disagreed
        both = (await lead.http.get(path)).text
        assert "SECRET" in both
        assert "Both verdicts" in both
        assert "SECRET" not in (await ben.http.get(path)).text
        settled = await form_of(lead, review)
        assert (await lead.http.post(f"{path}/decide", data=settled)).status_code == 303
