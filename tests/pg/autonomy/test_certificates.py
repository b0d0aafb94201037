"""Certificates from decisions on record whose truth is known: issued, refused, ended, narrowed, verified."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, Made, known_truth, place, put, terms

from interlock.autonomy.certificate import read_certificate
from interlock.autonomy.issuing.duty import derive_now, keep_once, renew
from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.issue import issue, refuse, stands_at, withdraw
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.show import certificates_of, course_of, show_points
from interlock.autonomy.issuing.store import Stands
from interlock.autonomy.issuing.verify import verify
from interlock.autonomy.store import AutonomyState
from interlock.autonomy.terms import AuditTerms, Harm, HarmTerms, LossBudget, Narrowing, OutcomeTerms, Source
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.errors import NotFound, StateConflict
from interlock.money import Money
from interlock.node import gates

Admin = psycopg.Connection[tuple[Any, ...]]


async def certified(database: Database, writer: Writer, it: Place) -> UUID:
    stands = await counts(database, it)
    return await issue(writer, it, await derive_now(database, it, stands, who="olga"), stands)


async def counts(database: Database, it: Place) -> Stands | None:
    return await stands_at(database, it.tenant, it.workflow, it.point)


def kinds(admin: Admin) -> list[str]:
    found = admin.execute("select kind from ledger_entry where kind like 'certificate.%' order by id").fetchall()
    return [row[0] for row in found]


async def test_it_is_issued_verified_replaced_and_withdrawn(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant)
    put(database_url, it, known_truth(datetime.now(UTC), 3000))
    first = await certified(database, writer, it)
    kept = (await certificates_of(database, tenant, it.workflow, it.point))[0]
    certificate = kept.read
    assert kept.id == first
    assert certificate.content == kept.content
    assert 0.75 < certificate.automation < 0.85
    assert Fraction(certificate.budget) == 40
    assert certificate.data.decisions == certificate.data.outcomes == 3000
    assert [one.component for one in certificate.components] == ["onnx:m@1"]
    shown = (await show_points(database, tenant, [it], database.clock.now()))[0]
    assert (shown.state, shown.lets_go) == ("certified", True)
    assert shown.promise.startswith(
        "With 95 % certainty, wrong answers at approve.approve that nobody looked at cost at most 0.40 EUR"
    )
    others = [place(tenant, components={"00" * 32: "onnx:m@2"}), place(tenant, terms(risk=Fraction(1, 100)))]
    for other in others:
        (restated,) = await show_points(database, tenant, [other], database.clock.now())
        assert (restated.state, restated.lets_go, restated.promise) == ("restated", False, "")
    verified = await verify(database, tenant, first, database.clock.now())
    assert (verified.intact, verified.same_data, verified.same, verified.changed) == (True, True, True, ())

    wrong = certificate.data.until - timedelta(minutes=3)
    late = put(database_url, it, [Made(at=wrong, right=False)])
    admin.execute("update decision_outcome set changed_at = now() where decision = %s", (late[0],))
    verified = await verify(database, tenant, first, database.clock.now())
    assert (verified.intact, verified.same_data, verified.same, verified.changed) == (True, False, None, (late[0],))

    second = await certified(database, writer, it)
    stands = await counts(database, it)
    assert stands is not None
    assert (stands.turn, stands.certificate) == (2, second)
    newest = (await certificates_of(database, tenant, it.workflow, it.point))[0].read
    assert newest.replaces == first
    stale = stands
    assert await withdraw(database, writer, tenant, stands, who="olga", why="the model was retrained") == 0
    stands = await counts(database, it)
    assert stands is not None
    assert (stands.turn, stands.state, stands.threshold, stands.valid_until) == (3, AutonomyState.WITHDRAWN, "0", None)
    with pytest.raises(StateConflict):
        await withdraw(database, writer, tenant, stale, who="ben", why="as well")
    with pytest.raises(NotFound):
        await withdraw(database, writer, tenant, stands, who="ben", why="again")
    assert kinds(admin) == ["certificate.issued", "certificate.issued", "certificate.withdrawn"]
    ended = admin.execute("select count(*) from certificate_monitor where ended_at is not null").fetchone()
    assert ended == (2,)


async def test_too_few_outcomes_are_refused_with_their_number_and_what_could_be_instead(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant, terms(cap=Money("1000.00", "EUR"), budget=LossBudget(written=Money("0.40", "EUR"))))
    put(database_url, it, known_truth(datetime.now(UTC), 900, wrong=0.0, exposure=500))
    derived = await derive_now(database, it, None, who="olga")
    assert derived.certificate is None
    assert derived.needed > 7000
    assert f"{derived.needed} decisions with known outcomes are needed for 0.40 EUR a decision" in derived.refused
    assert "there are 900 decisions whose outcome is due, 900 with one" in derived.refused
    assert "cap" in derived.refused
    await refuse(writer, it, derived, None, who="olga")
    stands = await counts(database, it)
    assert stands is not None
    assert (stands.state, stands.turn, stands.refused) == (AutonomyState.REFUSED, 1, derived.refused)
    with pytest.raises(StateConflict):
        await refuse(writer, it, derived, None, who="ben")
    assert kinds(admin) == ["certificate.refused"]


async def test_a_missing_outcome_counts_as_wrong_with_its_full_loss(
    database_url: str, database: Database, tenant: UUID
) -> None:
    it, now = place(tenant), datetime.now(UTC)
    known = list(known_truth(now, 3000))
    put(database_url, it, [
        *(msgspec.structs.replace(one, right=None) for one in known[:300]),
        *known[300:],
        Made(at=now - timedelta(seconds=110), right=False, loss=500),
        Made(at=now - timedelta(seconds=105), right=False, loss=9000),
        Made(at=now - timedelta(seconds=100), digest=bytes(32)),
        Made(at=now - timedelta(seconds=20), right=None),
        Made(at=now - timedelta(seconds=95), verdicts=b'[{"by":"c","route":"review","what":"c holds"}]'),
        Made(at=now - timedelta(seconds=90), exposure=2001),
    ])  # fmt: skip
    evidence = await gather(database, it, now)
    data, records = evidence.data, evidence.records
    assert (data.decisions, data.outcomes, data.missing) == (3004, 2704, 300)
    assert bool(records.wrong[:300].all())
    assert set(records.loss[:300].tolist()) == {2000}
    assert records.loss[-4:-2].tolist() == [500, 9000]
    assert records.exposure[-2:].tolist() == [-1, -1]
    derived = await derive_now(database, it, None, who="olga")
    assert derived.certificate is None
    assert f"1 decisions ({evidence.ids[-3]}) lost more than the terms say that one can" in derived.refused
    assert "300 were due and are missing, and count as wrong" in derived.refused


async def test_of_an_audited_point_only_what_was_drawn_counts_by_its_probability(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    stated = terms(
        outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT),
        audit=AuditTerms(share=Fraction(1, 2), surely_from=4000),
    )
    it, now = place(tenant, stated), datetime.now(UTC)
    made = [
        *(Made(at=now - timedelta(seconds=300 - at), right=None) for at in range(6)),
        Made(at=now - timedelta(seconds=200), right=None, route="review"),
        Made(at=now - timedelta(seconds=199), right=True, route="review"),
    ]
    ids = put(database_url, it, made)
    assert (await gather(database, it, now)).data.decisions == 0  # no sample was begun: nobody could be drawn
    assert "the audit sample has to begin first" in (await derive_now(database, it, None, who="olga")).refused
    admin.execute(
        "insert into audit_drawing (id, tenant, workflow, point, key, begun, drawn_to, looked_at, drawn)"
        " values (%s, %s, %s, %s, %s, %s, %s, 5, 3)",
        (ids[0], tenant, it.workflow, it.point, bytes(32), ids[0], ids[6]),
    )
    for drawn in ids[1:4]:
        admin.execute(
            "insert into audit_draw (decision, tenant, workflow, point, propensity, drawn_at)"
            " values (%s, %s, %s, %s, 0.5, %s)",
            (drawn, tenant, it.workflow, it.point, now),
        )
    for decision, right in ((ids[1], True), (ids[2], False)):
        lost = (None, None) if right else (3000, "EUR")
        admin.execute(
            "insert into decision_outcome (decision, tenant, workflow, point, standing, outcome, is_right, loss_minor,"
            " currency, decided_at, first_at, changed_at, words)"
            " values (%s, %s, %s, %s, 'known', %s, %s, %s, %s, %s, %s, %s, 1)",
            (decision, tenant, it.workflow, it.point, decision, right, *lost, now, now, now),
        )
    found = await gather(database, it, now)
    records = found.records
    assert (found.data.decisions, found.data.drawn, found.data.missing, found.data.outcomes) == (6, 2, 2, 2)
    assert records.observed.tolist() == [True, True, True, False, False, True]
    assert records.wrong.tolist() == [False, True, True, False, False, True]
    assert records.loss.tolist() == [0, 3000, 2000, 0, 0, 2000]  # as it was realised, whatever the terms say
    assert records.propensity.tolist() == [0.5, 0.5, 0.5, 1, 1, 1]


async def test_where_more_than_money_is_at_stake_so_many_outcomes_are_demanded(
    database_url: str, database: Database, tenant: UUID
) -> None:
    it = place(tenant, terms(harm=HarmTerms(kind=Harm.PEOPLE, outcomes=5000, ceiling=2000)))
    put(database_url, it, known_truth(datetime.now(UTC), 1500))
    derived = await derive_now(database, it, None, who="olga")
    assert (derived.certificate, derived.needed) == (None, 5000)
    assert "more than money is at stake (people), so 5000 outcomes are demanded" in derived.refused


async def test_an_answer_that_was_passed_over_certifies_nothing(
    database_url: str, database: Database, tenant: UUID
) -> None:
    other = bytes(31) + b"\1"
    it = place(tenant, components={DIGEST.hex(): "onnx:m@1", other.hex(): "onnx:n@1"})
    over = msgspec.json.encode([{"digest": other.hex(), "became": "unsure", "confidence": 0.7}])
    now = datetime.now(UTC)
    first = [msgspec.structs.replace(one, attempts=over) for one in known_truth(now, 1500)]
    sole = [
        msgspec.structs.replace(one, digest=other, confidence=0.65 if at % 2 else 0.95)
        for at, one in enumerate(known_truth(now, 1500, seed=9))
    ]
    put(database_url, it, [*first, *sole])
    derived = await derive_now(database, it, None, who="olga")
    assert derived.certificate is not None
    steps = {one.digest: one.steps for one in derived.certificate.components}
    assert steps[other.hex()][0].confidence > 0.7
    evidence = await gather(database, it, now)
    assert dict(evidence.floors) == {other.hex(): 0.7}


async def test_of_two_that_issue_at_once_one_does(
    database_url: str, database: Database, writer: Writer, notifier: Notifier, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant)
    put(database_url, it, known_truth(datetime.now(UTC), 3000))
    derived = await derive_now(database, it, None, who="olga")
    async with Writer(database_url, database.clock, gates(), notifier) as other:
        told = await asyncio.gather(*(issue(one, it, derived, None) for one in (writer, other)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["StateConflict", "UUID"]
    assert kinds(admin) == ["certificate.issued"]
    assert admin.execute("select count(*) from certificate").fetchone() == (1,)


async def test_what_is_over_is_said_once_and_what_is_declared_is_renewed(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant, terms(renew=timedelta(days=7)))
    put(database_url, it, known_truth(datetime.now(UTC), 3000))
    await certified(database, writer, it)
    assert await renew(database, writer, it) is None  # it was derived just now
    admin.execute("update autonomy set tried_at = now() - interval '8 days', changed_at = now() - interval '8 days'")
    await asyncio.gather(*(keep_once(database, writer, lambda _: [it]) for _ in range(2)))
    assert kinds(admin) == ["certificate.issued"] * 2
    issued = admin.execute("select who from autonomy").fetchone()
    assert issued == ("renewal",)
    admin.execute("delete from decision_outcome")  # nothing is known any more
    admin.execute(
        "update autonomy set tried_at = now() - interval '8 days', changed_at = now() - interval '8 days',"
        " valid_until = now() - interval '1 second'"
    )
    for _ in range(2):
        await keep_once(database, writer, lambda _: [it])
    assert kinds(admin)[2:] == ["certificate.expired", "certificate.refused"]
    stands = await counts(database, it)
    assert stands is not None
    assert stands.refused is not None
    shown = (await show_points(database, tenant, [it], database.clock.now()))[0]
    assert (shown.state, shown.lets_go) == ("expired", False)
    await what_nobody_had_certified_is_never_renewed(database, writer, it, admin)
    await withdrawn_is_never_renewed(database, writer, it, admin)


async def what_nobody_had_certified_is_never_renewed(
    database: Database, writer: Writer, it: Place, admin: Admin
) -> None:
    """Who changes the file, or runs an older one, has nothing issued under its terms while the owner sleeps."""
    admin.execute("update autonomy set tried_at = now() - interval '8 days', changed_at = now() - interval '8 days'")
    looser = msgspec.structs.replace(it.terms, budget=LossBudget(written=Money("4.00", "EUR")))
    for other in ({"terms": looser}, {"digest": "ab" * 32}):
        assert await renew(database, writer, msgspec.structs.replace(it, **other)) is None
    assert await renew(database, writer, it) is not None


async def withdrawn_is_never_renewed(database: Database, writer: Writer, it: Place, admin: Admin) -> None:
    admin.execute(
        "update autonomy set state = 'withdrawn', tried_at = now() - interval '8 days',"
        " changed_at = now() - interval '8 days'"
    )
    assert await renew(database, writer, it) is None


async def test_the_monitor_narrows_once_at_each_crossing(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it, now = place(tenant, terms(narrows=Narrowing.HALVE)), datetime.now(UTC)
    put(database_url, it, known_truth(now - timedelta(minutes=4), 2000))
    identity = await certified(database, writer, it)
    certificate = read_certificate(admin.execute("select content from certificate").fetchall()[0][0])
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")

    async def fall_due(minutes: float, wrong: int, *, bad: bool | None = False) -> Stands:
        """A minute's decisions, of which every so manieth of those that went by themselves is wrong."""
        begun = now - timedelta(minutes=minutes)
        lot = [
            Made(
                at=begun + timedelta(seconds=at / 10),
                right=at % wrong != 0 or bad,
                route="review" if at % 2 else "automatic",
            )
            for at in range(400)
        ]
        put(database_url, it, lot)
        for _ in range(2):
            await asyncio.gather(*(keep_once(database, writer, lambda _: [it]) for _ in range(2)))
        found = await counts(database, it)
        assert found is not None
        return found

    stands = await fall_due(4.9, 1000)
    assert (stands.turn, stands.counted, stands.lost_minor) == (1, 400, 2000)
    stands = await fall_due(3.9, 6)
    assert (stands.turn, stands.who, stands.certificate, stands.state) == (
        2,
        "monitor",
        identity,
        AutonomyState.NARROWED,
    )
    assert stands.crossed_at is not None
    assert stands.why.startswith("the monitor found more lost than 0.40 EUR a decision")
    assert Fraction(stands.threshold) == Fraction(certificate.threshold) / 2
    assert (stands.counted, stands.lost_minor) == (800, 2000 + 67 * 2000)
    assert "without an outcome" not in stands.why
    stands = await fall_due(2.9, 6, bad=None)
    assert (stands.turn, stands.state, stands.valid_until) == (3, AutonomyState.WITHDRAWN, None)
    assert stands.why.endswith("of the last 400, 67 are due without an outcome, so count as wrong")
    assert (await fall_due(1.9, 6)).turn == 3
    assert kinds(admin) == [
        "certificate.issued",
        "certificate.watched",
        *["certificate.narrowed"] * 2,
        "certificate.crossed",
    ]
    course = await course_of(database, tenant, identity)
    assert 100 <= len(course) <= 400
    assert max(one.evidence for one in course) >= 20


async def test_a_bad_word_that_comes_late_is_counted_and_narrows_at_once(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it, now = place(tenant), datetime.now(UTC)
    put(database_url, it, known_truth(now - timedelta(minutes=4), 2000, wrong=0.0))
    await certified(database, writer, it)
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")
    own = [Made(at=now - timedelta(minutes=4.9) + timedelta(seconds=at / 10)) for at in range(300)]
    late = put(database_url, it, own)
    charged_back = "update decision_outcome set is_right = false, changed_at = clock_timestamp() where decision "

    async def kept() -> Stands:
        for _ in range(2):
            await keep_once(database, writer, lambda _: [it])
        found = await counts(database, it)
        assert found is not None
        return found

    stands = await kept()
    assert (stands.turn, stands.counted, stands.lost_minor) == (1, 300, 0)
    admin.execute(charged_back + "= any(%s)", (late[:1],))
    stands = await kept()
    assert (stands.turn, stands.counted, stands.lost_minor) == (1, 300, 2000)
    assert kinds(admin) == ["certificate.issued", *["certificate.watched"] * 2]  # counted anew once
    admin.execute(charged_back + "= any(%s)", (late,))
    stands = await kept()
    assert (stands.turn, stands.counted, stands.state) == (2, 300, AutonomyState.WITHDRAWN)
    assert "they were counted anew, since outcomes were corrected" in stands.why


async def test_a_certificate_whose_evidence_turns_out_bad_counts_no_more(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant)
    ids = put(database_url, it, known_truth(datetime.now(UTC), 2000, wrong=0.0))
    await certified(database, writer, it)
    charged_back = (
        "update decision_outcome set is_right = false, changed_at = clock_timestamp() where decision = any(%s)"
    )
    for lot, state in ((ids[:1], AutonomyState.CERTIFIED), (ids, AutonomyState.WITHDRAWN)):
        admin.execute(charged_back, (lot,))
        await keep_once(database, writer, lambda _: [it])
        stands = await counts(database, it)
        assert stands is not None
        assert stands.state is state
    assert stands.why.startswith("outcomes that it rests on were corrected, and on what is known now it would not be")
    assert kinds(admin) == ["certificate.issued", "certificate.narrowed"]


async def test_a_cascade_is_certified_from_a_cold_start(database_url: str, database: Database, tenant: UUID) -> None:
    """Nobody is sure enough before there is a certificate: both are asked, and the surer answer is on record."""
    other, now, dice = bytes(31) + b"\1", datetime.now(UTC), random.Random(4)
    it = place(tenant, components={DIGEST.hex(): "onnx:m@1", other.hex(): "onnx:n@1"})
    made: list[Made] = []
    for one in known_truth(now, 9000, wrong=0.0):
        sure = {DIGEST: dice.uniform(0.5, 0.999), other: dice.uniform(0.5, 0.999)}
        best = max(sure, key=lambda digest: sure[digest])
        asked = [{"digest": digest.hex(), "became": "unsure", "confidence": how} for digest, how in sure.items()]
        made.append(
            Made(at=one.at, confidence=sure[best], digest=best, route="review", attempts=msgspec.json.encode(asked))
        )
    put(database_url, it, made)
    derived = await derive_now(database, it, None, who="olga")
    assert derived.certificate is not None, derived.refused
    assert 0.02 < derived.certificate.automation < 0.2
    assert all(one.steps[0].confidence > 0.9 for one in derived.certificate.components)
