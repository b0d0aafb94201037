"""Deciding one item after the other: nothing is chosen unasked, one stays in one's view, and news are shown as such."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.console.test_item import SCRIPT, form_of, stage
from tests.console.visiting import SignIn
from tests.pg.acting import acts
from tests.pg.stage import Stage

from interlock.console.queue_from import view_of, within
from interlock.oversight.handing import say
from interlock.oversight.queue import find_review

__all__ = ["stage"]
CHOSEN = re.compile(r'name="resolution"[^>]* checked')
VIEW = "exposure_from=125+EUR"


def test_a_view_that_cannot_be_read_is_the_whole_queue() -> None:
    assert view_of(VIEW)[1].startswith("exposure_from=125")
    for forged in (
        "x" * 5000,
        "point=a&point=b",
        "nothing=1",
        "exposure_from=much",
        "point=%00",
        "&a=" * 600,
        "\ud800",
    ):
        assert view_of(forged)[1] == "", forged[:20]
    assert within("/a", "point=b&kind=review", word="") == "/a?view=point%3Db%26kind%3Dreview"


async def test_nothing_is_chosen_unasked_one_stays_in_the_view_and_what_changed_is_shown(
    stage: Stage,
    sign_in: SignIn,
) -> None:
    for key, amount in (("a", "120.00"), ("b", "130.00"), ("c", "140.00")):
        await stage.submit(key=key, amount=amount)
    reviews = {one.exposure_minor: one for one in await stage.wait_for_reviews(3)}
    node, ana = stage.node, await sign_in("ana")
    listed = (await ana.http.get(f"/console/queue?{VIEW}")).text
    assert len(re.findall(r'/console/reviews/[^"?]+\?view=exposure_from', listed)) == 2
    pulled = await ana.http.post("/console/queue/next", data={"query": VIEW})
    taken = next(one for one in reviews.values() if str(one.id) in pulled.headers["location"])
    first, second = taken, reviews[27000 - (taken.exposure_minor or 0)]
    page = (await ana.http.get(pulled.headers["location"])).text
    assert 'name="view" value="exposure_from=' in page
    form = page.partition('id="decide"')[2].partition("</form>")[0]
    assert not CHOSEN.search(form)
    assert re.findall(r'<option value="([a-z]+_[^"]+)" selected', form) == ["as_proposed"]
    view, to = re.findall(r'name="view" value="([^"]+)"', form)[0], f"/console/reviews/{first.id}/decide"
    unchosen = await form_of(ana, first, then="next", view=view, resolution="")
    told = await ana.http.post(to, data=unchosen)
    assert (told.status_code, "choose first: 1 to 3" in told.text) == (422, True)
    assert (await find_review(node.database, node.tenant, first.id)).held_verdict is None

    sent = await form_of(ana, first, then="next", view=view, read_at=datetime.now(UTC).isoformat())
    await say(node.desk, acts(node.tenant, "ben"), first.id, text=f"this shop was fraudulent {SCRIPT}")
    refused = await ana.http.post(to, data=sent)
    banner = refused.text.partition('class="refused"')[2].partition("</div>")[0]
    assert refused.status_code == 409
    assert "A note was written" in banner
    assert "ben said: this shop was fraudulent" in banner
    assert "<img src=x" not in banner
    assert not CHOSEN.search(refused.text)

    there = await ana.http.post(to, data=await form_of(ana, first, then="next", view=view))
    assert there.headers["location"].startswith(f"/console/reviews/{second.id}?decided={first.id}&view=exposure_from")
    to = f"/console/reviews/{second.id}/decide"
    end = await ana.http.post(to, data=await form_of(ana, second, then="next", view=view))
    assert "word=last" in end.headers["location"]
    assert "Go on with the whole queue" in (await ana.http.get(end.headers["location"])).text
