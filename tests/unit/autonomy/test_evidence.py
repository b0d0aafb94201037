"""Evidence from rows: which decisions count, and as what."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, place, terms

from interlock.autonomy.certificate import Watching
from interlock.autonomy.certify import fit_calibrations, score
from interlock.autonomy.issuing.derive import Derived, asked_terms, derive
from interlock.autonomy.issuing.evidence import FIT_SHARE, Evidence, Gathering, split_key
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import guarantee
from interlock.autonomy.issuing.store import MaturedDecision, OpenMonitor, RecordedDecision, SampleBegun
from interlock.autonomy.issuing.watching import Due, count
from interlock.autonomy.outcome import Standing
from interlock.autonomy.records import is_fit
from interlock.autonomy.sampling import propensity, written
from interlock.autonomy.terms import AuditTerms, LossBudget, OutcomeTerms, Source
from interlock.clock import first_id, id_time
from interlock.money import Money

OTHER = bytes(31) + b"\1"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def ident(number: int) -> UUID:
    return UUID(int=first_id(NOW).int + (number << 80) | int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:7]))


def row(number: int, *, right: bool | None = True, **of: Any) -> RecordedDecision:
    known = right is not None
    stands: dict[str, Any] = {
        "id": ident(number), "component_digest": DIGEST, "confidence": 0.97, "exposure_minor": 1000, "currency": "EUR",
        "route": "automatic", "verdicts": b"[]", "attempts": None, "input": None, "output": b'{"ok":true}',
        "outcome": ident(number) if known else None, "is_right": right, "loss_minor": None, "loss_currency": None,
        "standing": Standing.KNOWN if known else None, "review": None, "resolution": None, "resolved": None,
        "propensity": None,
    }  # fmt: skip
    return RecordedDecision(**stands | of)


def derived(it: Place, rows: Iterable[RecordedDecision], begun: SampleBegun | None = None) -> tuple[Derived, Evidence]:
    gathering = Gathering(it, begun)
    for one in rows:
        gathering.take(one)
    found = gathering.evidence(NOW - timedelta(days=9), NOW)
    return derive(it, found, NOW, who="olga"), found


def test_what_came_before_the_sample_began_or_after_it_was_drawn_does_not_count_whoever_decided_it() -> None:
    stated = terms(
        outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT), audit=AuditTerms(share=Fraction(1, 2))
    )
    it, drawn = place(UUID(int=7), stated), np.random.default_rng(2)
    rows: list[RecordedDecision] = []
    for number in range(1, 6001):  # 8 of 10 went by themselves by a number that somebody typed, 6 % of them wrong
        sure = drawn.random() < 0.8
        right = bool(drawn.random() >= (0.06 if sure else 0.4))
        if sure:
            seen = number > 5000
            share = Decimal(1) if seen else None
            rows.append(row(number, right=right if seen else None, propensity=share))
        else:
            rows.append(row(number, right=right, route="review", confidence=0.6))
    told, found = derived(it, rows, SampleBegun(begun=ident(5000), drawn_to=ident(5900)))
    assert found.data.decisions == len(found.ids) == 900
    assert told.certificate is None
    told, found = derived(it, rows)
    assert (told.certificate, found.data.decisions) == (None, 0)
    assert "the audit sample has to begin first" in told.refused


def test_a_surer_answer_that_was_passed_over_counts_even_where_too_little_is_known_of_the_one_that_was_taken() -> None:
    it = place(UUID(int=7), terms(), components={DIGEST.hex(): "a@1", OTHER.hex(): "b@1"})
    rows: list[RecordedDecision] = []
    over, key = 0, split_key(it)
    for number in range(1, 2001):
        if number % 10 == 0 and not is_fit(ident(number).bytes, key, FIT_SHARE):
            over += 1
            asked = b'[{"digest":"%s","became":"unsure","confidence":0.95}]' % DIGEST.hex().encode()
            rows.append(row(number, confidence=0.6, component_digest=OTHER, route="review", attempts=asked))
        else:
            first = b'[{"digest":"%s","became":"unsure","confidence":0.1}]' % OTHER.hex().encode()
            rows.append(row(number, exposure_minor=100, attempts=first))
    told, found = derived(it, rows)
    fitted = fit_calibrations(found.records)
    scored = score(found.records, asked_terms(it.terms, found.records), fitted)
    counted = (scored.score == 0) & (scored.lost == it.terms.wrong.of(it.terms.highest))
    assert int(np.sum(counted)) == over > 100
    assert told.certificate is None


def test_a_months_budget_is_spread_among_those_that_really_came_and_tries_are_told() -> None:
    month = terms(budget=LossBudget(written=Money("400.00", "EUR"), decisions=1000))
    drawn = np.random.default_rng(4)
    rows = [row(number, right=bool(drawn.random() > 0.002)) for number in range(1, 4001)]
    it = place(UUID(int=7), month)
    gathering = Gathering(it)
    for one in rows:
        gathering.take(one)
    begun = id_time(rows[0].id)
    certificates = [
        derive(it, gathering.evidence(begun, until), NOW, who="olga", tries=tries).certificate
        for until, tries in ((begun + timedelta(days=20), 0), (begun + timedelta(days=90), 3))
    ]
    (more, declared) = certificates
    assert more is not None
    assert declared is not None
    assert (more.data.monthly, Fraction(more.budget)) == (4000, 10)
    assert any(
        "4000 decisions: so many came in the last 30 days, more than the 1000" in one for one in more.assumptions
    )
    assert more.watching is not None
    assert more.watching.bound < 10 / 2000
    assert (declared.data.monthly, Fraction(declared.budget)) == (0, 40)
    assert "derived" not in guarantee(more)
    assert guarantee(declared).endswith("It was derived 3 times before without being issued, and each try is one more "
                                        "chance to be wrong: rely on the monitor.")  # fmt: skip


def test_a_monitor_is_stricter_when_more_come_in_a_month_than_its_certificate_knew_of() -> None:
    watching = Watching(sizes=(0.1,), weights=(1.0,), bound=0.02, worst=2000, alpha="1/20")
    stands = OpenMonitor(
        certificate=UUID(int=1), workflow="w", point="p", content=b"", wealth=b'{"logs":[0.0],"sizes":[0.2]}',
        counted=0, lost_minor=0, evidence=1.0, counted_to=NOW, counted_id=UUID(int=1), looked_at=NOW, crossed_at=None,
        ended_at=None, mark="",
    )  # fmt: skip
    lost = MaturedDecision(
        id=UUID(int=2), decided_at=NOW, exposure_minor=2000, currency="EUR", route="automatic", is_right=False,
        loss_minor=None, loss_currency=None, propensity=None,
    )  # fmt: skip
    for each in (Fraction(1), Fraction(1, 4)):
        found = count(stands, watching, terms(), Due(rows=[lost], drawn_to=UUID(int=9), over=False, each=each))
        assert math.exp(found.watch.logs[0]) == pytest.approx(1 + 0.2 * (50 / each - 1))  # by the bet it began with


def test_certificates_from_rows_with_a_sample_as_it_is_drawn_hold() -> None:
    audit = AuditTerms(share=Fraction(1, 5), surely_from=2500)
    stated = terms(
        outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT), audit=audit, cap=Money("10.00", "EUR"),
        budget=LossBudget(written=Money("0.30", "EUR")), risk=Fraction(1, 10), review_cost=Money("3.00", "EUR"),
    )  # fmt: skip
    drawn, runs, some, over = np.random.default_rng(12), 6, 0, 0
    begun = SampleBegun(begun=UUID(int=0), drawn_to=UUID(int=2**128 - 1))
    chance = {0.99: 0.005, 0.95: 0.04, 0.8: 0.2}  # of being wrong; at all but the last 0.30 or so would be lost
    for run in range(runs):
        it, rows = place(UUID(int=run + 1), stated), list[RecordedDecision]()
        stakes, sure = drawn.integers(100, 1000, 1500), drawn.choice(list(chance), 1500)
        wrong, lots = drawn.random(1500), drawn.random(1500)
        for at in range(1500):
            share = propensity(stated, audit, int(stakes[at]))
            seen = lots[at] < share
            right = bool(wrong[at] >= chance[float(sure[at])])
            rows.append(row(
                at + run * 1500, confidence=float(sure[at]), exposure_minor=int(stakes[at]),
                right=right if seen else None, propensity=Decimal(written(share)) if seen else None,
            ))  # fmt: skip
        told, _ = derived(it, rows, begun)
        if told.certificate is None:
            continue
        some += 1
        (only,) = told.certificate.components
        every, lost = np.arange(100, 1000), 0.0
        for confidence, bad in chance.items():
            share = only.wrong_at(confidence)
            alone = every * (1.0 if share is None else share) <= float(Fraction(told.certificate.threshold))
            lost += float(np.mean(alone * every)) * bad / len(chance)
        over += lost > 30
    assert some > runs / 4
    assert over <= 2
