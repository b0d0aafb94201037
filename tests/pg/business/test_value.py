"""The business view on the real database: counted once, exact, and from each figure to the decisions behind it."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from tests.console.visiting import Visiting, refund_orders, signed_in
from tests.pg.stage import DOSSIER, Stage, declared, payments, stage

from interlock.api.keys import Scope, make_key
from interlock.api.serve import serving
from interlock.api.value import terms_of
from interlock.autonomy.terms import AuditTerms, AutonomyTerms, LossBudget, LossTerms, OutcomeTerms, Source
from interlock.business.count import count_business
from interlock.business.figures import Figure, Look
from interlock.business.read import read_behind, read_business
from interlock.business.report import Report
from interlock.business.terms import BusinessTerms
from interlock.cases.store import CaseState
from interlock.console.app import create_site
from interlock.errors import DeclarationInvalid, Refused
from interlock.money import Money
from interlock.sim import SimulatedProvider

Admin = psycopg.Connection[tuple[Any, ...]]
WORTH = DOSSIER.replace("  target: 1\n", "  target: 1\n  figure: cycle_time\n") + (
    "value: {each: 14.00 EUR, of: [refunded], from: finance, before: 9.80 EUR}\n"
)
_OUTCOME = """\
insert into interlock.decision_outcome (decision, tenant, workflow, point, standing, outcome, is_right, loss_minor,
  currency, decided_at, first_at, changed_at, words)
select id, tenant, workflow, point, 'known', id, %(right)s, %(loss)s,
  case when %(loss)s::bigint is not null then 'EUR' end, decided_at, now(), now(), 1
from interlock.decision where case_id = %(case)s"""
MONTH = timedelta(days=30)


async def view(on: Stage) -> tuple[Report, dict[str, Figure]]:
    """The report, and its figures by name."""
    node = on.node
    report = await read_business(node.database, node.tenant, terms_of(node, "refund_orders"), MONTH)
    return report, {one.name: one for one in report.figures}


async def test_the_work_is_counted_once_and_leads_to_the_decisions_behind_it(
    database_url: str, tmp_path: Path, admin: Admin, provider: SimulatedProvider
) -> None:
    flow = declared(refund_orders, tmp_path, dossier=WORTH)
    async with stage(database_url, [flow], connectors=[payments(provider.url)]) as on:
        node = on.node
        assert (await view(on))[1]["losses"].value is None
        alone = [await on.submit(key=f"k{at}") for at in range(3)]
        asked = await on.submit(key="asked", amount="250.00")
        for case in alone:
            await on.until(case)
        (review,) = await on.wait_for_reviews()
        await on.approve(review)
        await on.until(asked, CaseState.DONE)
        admin.execute(_OUTCOME, {"case": alone[0], "right": False, "loss": 1999})
        admin.execute(_OUTCOME, {"case": alone[1], "right": True, "loss": None})
        later = node.database.clock.now() + timedelta(minutes=5)
        await asyncio.gather(*(count_business(node.database, later) for _ in range(3)))  # processes at once, and again
        await count_business(node.database, later)
        report, of = await view(on)
        assert (report.cases, report.decisions, report.cancelled) == (4, 4, 0)
        assert of["value"].value == "56.00 EUR"
        assert of["losses"].value == "at least 19.99 EUR"
        assert "outcomes of 2 of 4 decisions are known" in of["losses"].note
        assert of["straight_through"].note == "3 of 4 cases"
        assert of["exception_rate"].value == "0.0 %"
        assert of["people"].value is None  # its price is not stated
        assert of["margin"].value == "at most 36.01 EUR"
        assert "prices_person_hour" in of["margin"].note
        measure, cost = report.baselines
        assert measure.change is not None
        assert cost.now == "at least 5.00 EUR"  # 19.99 over four cases, rounded to the cent
        assert cost.change is None  # people's time is left out as a whole
        terms = terms_of(node, "refund_orders")
        await _sampled(on, admin, alone[0], terms)

        async def behind(look: Look, take: int = 50) -> list[Any]:
            return [one.case_id for one in await read_behind(node.database, node.tenant, terms, look, MONTH, take)]

        assert await behind(Look.LOSSES) == [alone[0]]
        assert await behind(Look.PEOPLE) == [asked]
        assert await behind(Look.EXCEPTIONS) == []
        assert set(await behind(Look.COSTS)) == set(await behind(Look.CASES)) == {*alone, asked}
        assert (await behind(Look.SLOWEST, 1)) == [asked]
        for wrong in (0, 201):
            with pytest.raises(Refused):
                await behind(Look.CASES, wrong)
        other = await node.database.ensure_tenant("another")
        assert await read_behind(node.database, other, terms, Look.LOSSES, MONTH, 50) == []
        assert (await read_business(node.database, other, terms, MONTH)).cases == 0
        await _outside(on, str(alone[0]))
        assert set(await behind(Look.STRAIGHT)) == set(alone)
        await _greatest(on, admin, alone[2], terms)
        admin.execute("update interlock.cases set changed_at = now() - interval '40 days' where id = %s", (alone[1],))
        assert set(await behind(Look.CASES)) == {*alone, asked} - {alone[1]}  # it ended before that time
        await _averted(on, admin, asked, alone[0])


async def _sampled(on: Stage, admin: Admin, wrong: UUID, terms: BusinessTerms) -> None:
    """Where only the audit sample tells, each drawn one stands for many; a point that is gone keeps its outcomes."""
    renamed = await read_business(
        on.node.database, on.node.tenant, msgspec.structs.replace(terms, points=("new",)), MONTH
    )
    assert next(one for one in renamed.figures if one.name == "losses").value == "at least 19.99 EUR"
    admin.execute(
        "insert into interlock.audit_draw (decision, tenant, workflow, point, propensity, drawn_at) "
        "select id, tenant, workflow, point, 0.05, now() from interlock.decision where case_id = %s",
        (wrong,),
    )
    admin.execute(
        "insert into interlock.audit_drawing (id, tenant, workflow, point, key, begun, drawn_to) "
        "select gen_random_uuid(), tenant, workflow, point, sha256('x'), "
        "'00000000-0000-0000-0000-000000000000', "
        "(select max(id::text)::uuid from interlock.decision) from interlock.decision limit 1"
    )
    audited = AutonomyTerms(
        review_cost=Money("4.00", "EUR"), budget=LossBudget(written=Money("1.00", "EUR")), cap=Money("100.00", "EUR"),
        wrong=LossTerms(), outcome=OutcomeTerms(after=timedelta(hours=1), source=Source.AUDIT), audit=AuditTerms(),
    )  # fmt: skip
    stated = msgspec.structs.replace(terms, autonomy={"approve": audited})
    report = await read_business(on.node.database, on.node.tenant, stated, MONTH)
    losses = next(one for one in report.figures if one.name == "losses")
    assert (losses.value, losses.low) == ("about 399.80 EUR", "19.99 EUR")
    assert "from 1 automatic decisions of the audit sample" in losses.note
    admin.execute("delete from interlock.audit_draw")
    admin.execute("delete from interlock.audit_drawing")


async def _greatest(on: Stage, admin: Admin, silent: UUID, terms: BusinessTerms) -> None:
    """Losses are in order of what was lost, as declared where nothing is on record, each currency for itself."""
    admin.execute(_OUTCOME, {"case": silent, "right": False, "loss": None})
    wrong = LossTerms(share=Fraction(1, 3), plus=1)
    stated = msgspec.structs.replace(terms, losses={"approve": (wrong, "EUR")})
    rows = await read_behind(on.node.database, on.node.tenant, stated, Look.LOSSES, MONTH, 50)
    declared_one = next(one for one in rows if one.case_id == silent)
    assert declared_one.exposure_minor is not None
    assert declared_one.loss_minor == wrong.of(declared_one.exposure_minor)
    assert declared_one.what.endswith(", the loss as declared")
    assert [one.loss_minor for one in rows] == sorted((one.loss_minor or 0 for one in rows), reverse=True)
    admin.execute("update interlock.decision_outcome set currency = 'JPY', loss_minor = 1 where loss_minor = 1999")
    rows = await read_behind(on.node.database, on.node.tenant, stated, Look.LOSSES, MONTH, 2)
    assert {one.currency for one in rows} == {"EUR", "JPY"}


async def _averted(on: Stage, admin: Admin, asked: UUID, stuck: UUID) -> None:
    """A loss on record of what a person corrected was averted; a case that an exception holds counts as stopped."""
    admin.execute(_OUTCOME, {"case": asked, "right": False, "loss": 25_000})
    assert "250.00 EUR" in str((await view(on))[1]["losses"].value)  # a person approved it as it was
    admin.execute("update interlock.review set resolution = 'reject' where case_id = %s", (asked,))
    assert "250.00 EUR" not in str((await view(on))[1]["losses"].value)
    terms = terms_of(on.node, "refund_orders")
    rows = await read_behind(on.node.database, on.node.tenant, terms, Look.LOSSES, MONTH, 50)
    assert asked not in {one.case_id for one in rows}
    admin.execute("update interlock.cases set state = 'exception', conclusion = null where id = %s", (stuck,))
    assert (await view(on))[1]["exception_rate"].note == "1 of 5 cases; 1 of them stand still now"


async def _outside(on: Stage, case: str) -> None:
    """The same by the API and on the pages."""
    node = on.node
    async with serving(create_site(node), "127.0.0.1", 0) as url:
        ana = await signed_in(on.stack, node, url, "ana", ("viewer",))
        key = await make_key(node.database, node.writer, node.tenant, name="reads", scopes=(Scope.READ,))
        told = {"Authorization": f"Bearer {key}"}
        report = (await ana.http.get("/v1/value/refund_orders", headers=told)).json()
        assert {one["name"]: one["value"] for one in report["figures"]}["losses"] == "at least 19.99 EUR"
        rows = (await ana.http.get("/v1/value/refund_orders/losses", headers=told)).json()["rows"]
        assert [(one["case"], one["loss"]) for one in rows] == [(case, "19.99 EUR")]
        assert (await ana.http.get("/v1/value/nobody", headers=told)).status_code == 404
        assert (await ana.http.get("/v1/value/refund_orders/nothing", headers=told)).status_code == 404
        assert (await ana.http.get("/v1/value/refund_orders", headers=told, params={"since": "9y"})).status_code in {
            400,
            422,
        }
        assert "at most 36.01 EUR" in (await ana.http.get("/console/value")).text
        for look, status in (("losses", 403), ("people", 403), ("cases", 200)):  # figures are for all who may look
            assert (await ana.http.get("/console/value/refund_orders", params={"behind": look})).status_code == status
        assert "behind=losses" not in (await ana.http.get("/console/value/refund_orders")).text
        lee = await signed_in(on.stack, node, url, "lee", ("lead",))
        page = (await lee.http.get("/console/value/refund_orders", params={"behind": "losses"})).text
        assert f"/console/decisions/{rows[0]['decision']}" in page
        assert "no proof of cause" in page
        await _followed(lee, told, report)


async def _followed(lee: Visiting, told: dict[str, str], report: dict[str, Any]) -> None:
    """Each figure leads to what is behind it: on both pages, and in the API."""
    page = (await lee.http.get("/console/value/refund_orders")).text
    known = [one for one in report["figures"] if one["value"] is not None] + [
        one for one in report["baselines"] if one["now"] is not None
    ]
    assert all(one["behind"] for one in known)
    assert {one["behind"] for one in report["baselines"]} == {"slowest", "costs"}
    links = re.findall(r'href="(/console/value/refund_orders[^"]*behind=\w+)#behind"', page)
    assert {link.rpartition("=")[2] for link in links} == {one.value for one in Look} - {"control"}
    assert len(links) >= len(known)
    every = re.findall(
        r'href="(/console/value/refund_orders[^"]*behind=\w+)#', (await lee.http.get("/console/value")).text
    )
    assert len(every) == 6
    for link in {*links, *every}:
        assert 'id="behind"' in (await lee.http.get(html.unescape(link))).text
    for look in {one["behind"] for one in known}:
        rows = (await lee.http.get(f"/v1/value/refund_orders/{look}", headers=told)).json()["rows"]
        assert rows or look == "exceptions"
        for row in rows[:1]:
            assert (await lee.http.get(f"/v1/decisions/{row['decision']}", headers=told)).status_code == 200


async def test_a_slice_that_could_not_be_added_is_not_counted(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(database_url, [declared(refund_orders, tmp_path)], workers=0) as on:
        node = on.node
        await on.submit(key="k1")
        later = node.database.clock.now() + timedelta(minutes=5)

        async def die(*_: object) -> None:
            raise ConnectionResetError

        with monkeypatch.context() as patch:
            patch.setattr("interlock.business.count._add", die)
            await count_business(node.database, later)
        assert admin.execute("select count(*) from interlock.business_counted").fetchone() == (0,)
        await count_business(node.database, later)
        assert admin.execute("select count(*) from interlock.business_counted").fetchone() == (1,)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{each: 14 EUR, share: 0.1, from: finance}", "either each or share"),
        ("{from: finance}", "either each or share"),
        ("{each: 14 EUR}", '"from" is missing'),
        ("{each: 14 EUR, before: 9 USD, from: finance}", "not in EUR"),
        ("{each: -1 EUR, from: finance}", "value"),
    ],
)
def test_what_is_wrong_with_a_value_is_named(tmp_path: Path, value: str, says: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        declared(refund_orders, tmp_path, dossier=f"{DOSSIER}value: {value}\n")
    assert says in str(refused.value)


def test_a_share_of_the_exposure_is_read_exactly(tmp_path: Path) -> None:
    found = declared(refund_orders, tmp_path, dossier=f"{DOSSIER}value: {{share: 1/3, from: finance}}\n")
    worth = found.declaration.dossier.worth
    assert worth is not None
    assert Decimal(300) * worth.share.numerator / worth.share.denominator == 100
