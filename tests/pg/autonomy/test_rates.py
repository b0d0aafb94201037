"""A rate of wrong decisions as the promise: offered, taken, issued, verified, watched, told."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import Made, known_truth, place, put, terms

from interlock.autonomy.issuing.derive import Derived
from interlock.autonomy.issuing.duty import derive_now, keep_once
from interlock.autonomy.issuing.issue import issue, stands_at
from interlock.autonomy.issuing.offered import offered
from interlock.autonomy.issuing.show import show_points
from interlock.autonomy.issuing.verify import verify
from interlock.autonomy.standing import standing_of
from interlock.autonomy.store import AutonomyState
from interlock.autonomy.terms import AutonomyTerms, Harm, HarmTerms, LossBudget
from interlock.console.autonomy_page import page_of
from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.money import Money

Admin = psycopg.Connection[tuple[Any, ...]]
WIDE = terms(cap=Money("1000.00", "EUR"), budget=LossBudget(written=Money("0.40", "EUR")))
HALF = Fraction(1, 40)


async def under(database: Database, tenant: UUID, stated: AutonomyTerms) -> Derived:
    return await derive_now(database, place(tenant, stated), None, who="olga")


async def test_what_is_offered_is_certified_as_it_was_offered_once_its_lines_are_stated(
    database_url: str, database: Database, tenant: UUID
) -> None:
    put(database_url, place(tenant), known_truth(datetime.now(UTC), 1500, wrong=0.0))
    derived = await under(database, tenant, WIDE)
    offers = derived.offers
    assert offers is not None
    assert offers.lower_cap is not None
    assert offers.rate is not None
    lower, rate = offered(WIDE, offers)
    cap = Money.of_minor(offers.lower_cap.cap, "EUR")
    assert lower.lines == (f"cap: {cap}", "risk: 0.025")
    assert rate.lines == (f'budget: {{rate: "{float(offers.rate.rate * 100):g} %"}}', "risk: 0.025")
    assert f"With cap: {cap} it could be certified now" in derived.refused
    assert f"at most {float(offers.rate.rate * 100):g} % of all decisions wrong and unseen" in derived.refused
    capped = await under(database, tenant, structs.replace(WIDE, cap=cap, risk=HALF))
    rated = await under(database, tenant, structs.replace(WIDE, budget=LossBudget(rate=offers.rate.rate), risk=HALF))
    for taken, was in ((capped, offers.lower_cap.chosen), (rated, offers.rate.chosen)):
        assert taken.certificate is not None
        assert taken.certificate.threshold == str(was.threshold)
        assert taken.certificate.automation == was.automatic
    people = structs.replace(WIDE, harm=HarmTerms(kind=Harm.PEOPLE, outcomes=5000, ceiling=100_000))
    assert (await under(database, tenant, people)).offers is None  # none of them could be taken
    few = structs.replace(people, harm=HarmTerms(kind=Harm.PEOPLE, outcomes=100, ceiling=100_000))
    assert offered(few, (await under(database, tenant, few)).offers)[0].lines[2].endswith(f"ceiling: {cap}}}")


async def test_a_rate_is_issued_verified_shown_and_narrowed_when_more_are_wrong(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant, structs.replace(WIDE, budget=LossBudget(rate=Fraction(1, 50))))
    put(database_url, it, known_truth(datetime.now(UTC) - timedelta(minutes=4), 1500))
    derived = await derive_now(database, it, None, who="olga")
    certificate = derived.certificate
    assert certificate is not None, derived.refused
    assert (certificate.goal, certificate.budget, certificate.cap) == ("rate", "1/50", 100_000)
    assert certificate.loss < 0.02
    assert certificate.automation > 0.7
    assert Fraction(certificate.threshold) <= it.terms.review_cost.minor  # by expected loss, as ever
    identity = await issue(writer, it, derived, None)
    assert (await verify(database, tenant, identity, database.clock.now())).same
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")
    shown = (await show_points(database, tenant, [it], database.clock.now()))[0]
    assert shown.promise.startswith(
        "With 95 % certainty, at most 2 % of the decisions at approve.approve are wrong ones that nobody looked at"
    )
    assert "what these lose is not promised" in shown.promise
    assert shown.expected_loss.endswith(" %")
    said = standing_of(identity, 1, certificate, it.terms, certificate.threshold).said
    assert "at most 2 % of decisions are wrong and unseen, whatever they lose" in said

    page = page_of(it.terms, certificate.components, certificate.grid, certificate, certificate.threshold)
    assert (page.is_rate, page.budget) == (True, "2 %")
    assert page.acceptable == "at most 2 % of all decisions wrong and unseen"
    assert page.loss.endswith(" %")
    assert page.risk is not None
    assert page.risk.title == "Wrong decisions against automation"

    begun = datetime.now(UTC) - timedelta(minutes=4.9)
    cheap = [Made(at=begun + timedelta(seconds=at / 10), right=at % 8 != 0, exposure=1) for at in range(400)]
    put(database_url, it, cheap)  # 50 are wrong and lose half a euro together: it is their number that counts
    await keep_once(database, writer, lambda _: [it])
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    assert (stands.state, stands.counted, stands.lost_minor) == (AutonomyState.WITHDRAWN, 400, 50)
    assert stands.why == "the monitor found more than 2 % of decisions wrong and unseen: 50 wrong of 400"


async def test_too_many_for_a_rate_are_refused_as_that(database_url: str, database: Database, tenant: UUID) -> None:
    stated = structs.replace(WIDE, budget=LossBudget(rate=Fraction(1, 100)))
    put(database_url, place(tenant), known_truth(datetime.now(UTC), 300))
    assert (
        "decisions with known outcomes are needed for at most 1 % wrong and unseen"
        in (await under(database, tenant, stated)).refused
    )
    put(database_url, place(tenant), known_truth(datetime.now(UTC), 1500, wrong=0.1, seed=9))
    assert "too many were wrong for at most 1 % wrong and unseen" in (await under(database, tenant, stated)).refused
