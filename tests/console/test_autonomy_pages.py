"""The pages of autonomy: what they promise, to whom, and that nobody issues what they were not shown."""

from __future__ import annotations

import html
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
from tests.console.visiting import refund_orders, signed_in, site
from tests.pg.deciding import Made, known_truth, put
from tests.pg.stage import declared

from interlock.autonomy.figures.measure import measure_and_keep
from interlock.autonomy.issuing.issue import stands_at
from interlock.autonomy.issuing.place import Place
from interlock.cases.certified_places import find_place
from interlock.cases.registry import Registry
from interlock.node import Node

SCRIPT = "<script>alert(1)</script>"
POINT = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 20 EUR
      wrong: {share: 1}
      outcome: {after: 1m}
      window: 3h
      valid_for: 30d
"""
NAME = "refund_orders.approve"
PAGE = f"/console/autonomy/{NAME}"


def fill(url: str, node: Node, number: int = 3000) -> Place:
    """Decisions of known truth at the point."""
    place = find_place(node.registry, node.tenant, NAME)
    made = known_truth(datetime.now(UTC), number)
    digest = bytes.fromhex(next(iter(place.components)))
    put(url, place, [msgspec.structs.replace(one, digest=digest) for one in made])
    return place


def course(admin: psycopg.Connection[Any], node: Node, evidence: float = 3.5) -> None:
    """A monitor that has counted something."""
    row = admin.execute("select certificate from interlock.autonomy where certificate is not null").fetchone()
    assert row is not None
    for at in range(1, 21):
        admin.execute(
            "insert into interlock.certificate_course values (%s, %s, %s, now(), %s, %s)",
            (row[0], node.tenant, at * 100, evidence ** (at / 20), at * 2400),
        )
    admin.execute(
        "update interlock.certificate_monitor set counted = 2000, lost_minor = 48000, evidence = %s", (evidence,)
    )


async def measured(node: Node, place: Place, ana: httpx.AsyncClient) -> None:
    """Confidence against truth: of the version in force first, of all together, of one of before, of none."""
    before = [msgspec.structs.replace(one, digest=bytes(32)) for one in known_truth(datetime.now(UTC), 40, seed=9)]
    put(str(node.settings.database_url), place, before)
    with psycopg.connect(str(node.settings.database_url), autocommit=True) as admin:
        admin.execute("delete from interlock.autonomy_figures")
    assert "Nothing is measured yet" in (await ana.get(PAGE)).text
    figures = await measure_and_keep(node.database, place)
    assert "What the cascade saves" not in (await ana.get(PAGE)).text
    now, whole = figures.first, figures.groups[0]
    assert (now.known, whole.known, whole.key) == (3000, 3040, "")
    page = (await ana.get(PAGE)).text
    assert f"<strong>{now.component}</strong>" in page
    assert page.count('aria-current="true"') == 1
    assert page.count('<svg class="chart"') == 4
    assert page.count("As a table") == 3  # the monitor's two charts share one
    assert "certified:" in page
    assert "480.00 EUR" in page
    assert ">too few</" in page
    assert "<strong>All versions</strong>" in (await ana.get(f"{PAGE}?of=")).text
    old = (await ana.get(f"{PAGE}?of={'0' * 16}")).text
    assert "too few to say" in old
    with psycopg.connect(str(node.settings.database_url), autocommit=True) as admin:
        admin.execute("revoke select on interlock.decision, interlock.decision_outcome from interlock_service")
        assert (await ana.get(PAGE)).status_code == 200  # it reads none, so it costs the same however many there are
        admin.execute("grant select on interlock.decision, interlock.decision_outcome to interlock_service")
    for nobody in ("x" * 9000, SCRIPT, "\0", "1"):
        page = (await ana.get(PAGE, params={"of": nobody})).text
        assert f"<strong>{now.component}</strong>" in page
        assert SCRIPT not in page


async def narrowed_and_huge(url: str, node: Node, ana: httpx.AsyncClient) -> None:
    """What the page tells once its own decisions speak against a certificate."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("update interlock.autonomy set state = 'narrowed', threshold = '1/100'")
        admin.execute("update interlock.certificate_monitor set evidence = 1e131")
        admin.execute("update interlock.certificate_course set evidence = 1e131 where counted = 2000")
    page = html.unescape((await ana.get(PAGE)).text)
    assert "What was certified is promised no more" in page
    assert "With 95 % certainty" not in page
    assert page.count("over 1,000,000") >= 3  # the figure, the course, the certificate: not in 130 digits
    assert re.search(r"\d{20}(?!\d*…)", page) is None
    assert "was certified:" in page
    listed = (await ana.get("/console/autonomy")).text
    assert "over 1,000,000 of 20" in listed
    assert page.count("not known") >= 2  # what goes by itself, and its expected loss
    assert "not known, negative or in another currency" not in page
    now = datetime.now(UTC)
    more = [Made(at=now, exposure=9 * 10**18, route="review", right=None) for _ in range(2)]
    more.append(Made(at=now, exposure=900, route="review", right=None, currency="USD"))
    put(url, find_place(node.registry, node.tenant, NAME), more)
    await measure_and_keep(node.database, find_place(node.registry, node.tenant, NAME))
    page = html.unescape((await ana.get(PAGE)).text)
    assert "more than can be held" in page
    assert "not known, negative or in another currency" in page


async def test_a_certificate_is_shown_issued_and_withdrawn_by_whoever_may(database_url: str, tmp_path: Path) -> None:
    registry = Registry([declared(refund_orders, tmp_path, point=POINT)])
    async with site(database_url, registry) as (node, url), AsyncExitStack() as stack:
        olga = await signed_in(stack, node, url, "shop@example.com", ("owner",))
        ana = await signed_in(stack, node, url, "ana", ("auditor",))
        empty = (await ana.http.get(PAGE)).text
        assert "A person decides everything here" in empty
        assert "Derive anew" not in empty
        place = fill(database_url, node)
        assert (await ana.http.get(f"{PAGE}/anew")).status_code == 403
        shown = await olga.http.get(f"{PAGE}/anew")
        assert shown.status_code == 200
        assert "With 95 % certainty" in shown.text
        form = dict(re.findall(r'name="(at|data|turn)" value="([^"]+)"', shown.text))
        assert (await ana.http.post(f"{PAGE}/certify", data=form)).status_code == 403
        assert (await olga.http.post(f"{PAGE}/certify", data={**form, "data": "0" * 64})).status_code == 409
        assert (await olga.http.post(f"{PAGE}/certify", data={**form, "turn": "7"})).status_code == 409
        for at in ("2026-01-01T00:00:00+00:00", "2126-01-01T00:00:00+00:00", "yesterday"):
            assert (await olga.http.post(f"{PAGE}/certify", data={**form, "at": at})).status_code in {400, 409, 422}
        assert await stands_at(node.database, node.tenant, place.workflow, place.point) is None
        assert (await olga.http.post(f"{PAGE}/certify", data=form)).status_code == 303
        with psycopg.connect(database_url, autocommit=True) as admin:
            course(admin, node)
        await measured(node, place, ana.http)
        page = (await ana.http.get(PAGE)).text
        promise = "wrong answers at refund_orders.approve that nobody looked at cost at most 0.40 EUR"
        assert promise in html.unescape(page)
        listed = (await ana.http.get("/console/autonomy")).text
        assert f'href="{PAGE}"' in listed
        assert "3.50" in listed
        await narrowed_and_huge(database_url, node, ana.http)
        with psycopg.connect(database_url, autocommit=True) as admin:  # as if the file were another one now
            admin.execute("set session_replication_role = replica")
            changed = "convert_to(replace(convert_from(content, 'utf8'), %(old)s, repeat('0', 64)), 'utf8')"
            admin.execute(
                f"update interlock.certificate set content = {changed}, digest = sha256({changed})",
                {"old": place.terms.digest.hex()},
            )
        restated = (await olga.http.get(PAGE)).text
        assert "its certificate counts no more" in restated
        assert f'{PAGE}/withdraw"' in restated
        assert (await ana.http.post(f"{PAGE}/withdraw", data={"why": "x"})).status_code == 403
        assert (await olga.http.post(f"{PAGE}/withdraw", data={"why": " "})).status_code in {400, 422}
        assert (await olga.http.post(f"{PAGE}/withdraw", data={"why": SCRIPT})).status_code == 303
        after = (await ana.http.get(PAGE)).text
        assert SCRIPT not in after
        assert html.escape(SCRIPT[1:-1]) in after
        assert "A person decides everything here" in after
        assert "over 1,000,000" not in (await ana.http.get("/console/autonomy")).text
        stranger = await signed_in(stack, node, url, "olga", ("owner",), tenant="another")
        other = (await stranger.http.get(PAGE)).text
        assert "With 95 % certainty" not in other
        assert (await ana.http.get("/console/autonomy/nobody.here")).status_code == 404
