"""What is certified where several are asked in turn: of whom, of which decisions, and what is not known."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, place
from tests.unit.autonomy.test_evidence import derived, row

from interlock.autonomy.certificate import Certificate, share_allowed
from interlock.autonomy.certify import Scored, Terms, walk_grid
from interlock.autonomy.in_turn import InTurn, gone_in_turn, passed_on
from interlock.autonomy.issuing.cascade import Attempt, Judged, Step, course_of
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.spared import spared_by, told
from interlock.autonomy.issuing.store import RecordedDecision
from interlock.autonomy.outcome import By, Known

LARGE = bytes(31) + b"\1"
IT = place(UUID(int=7), components={DIGEST.hex(): "onnx:light@1", LARGE.hex(): "llm:large@1"})
LOST = 2000
BUDGET = 40


def tried(digest: bytes, confidence: float, became: str = "unsure", **of: Any) -> dict[str, Any]:
    return {"component": IT.components.get(digest.hex(), "onnx:light@1"), "digest": digest.hex(), "became": became,
            "confidence": confidence, **of}  # fmt: skip


def asked(number: int, *attempts: dict[str, Any], taken: int = 0, **of: Any) -> RecordedDecision:
    best = attempts[taken]
    return row(number, component_digest=bytes.fromhex(best["digest"]), confidence=best["confidence"],
               exposure_minor=LOST, attempts=msgspec.json.encode(attempts), **of)  # fmt: skip


def lost_by(certificate: Certificate, seen: Iterator[tuple[float, bool, float, bool]]) -> tuple[float, float]:
    """What a cascade really loses of each decision, and which part it decides alone: light, its truth, large, its."""
    share = share_allowed(Fraction(certificate.threshold), LOST)
    of = {one.digest: one for one in certificate.components}
    bar = max(Fraction(certificate.threshold), Fraction(certificate.passed_on or 10**9)) / LOST
    alone = lost = count = 0
    for light, light_right, large, large_right in seen:
        count += 1
        first, then = of.get(DIGEST.hex()), of.get(LARGE.hex())
        p = first.wrong_at(light) if first else None
        q = then.wrong_at(large) if then else None
        if p is not None and p <= share:
            alone, lost = alone + 1, lost + LOST * (not light_right)
        elif q is not None and q <= share and (p is None or p > bar):
            alone, lost = alone + 1, lost + LOST * (not large_right)
    return lost / count, alone / count


def truths(number: int, seed: int, hard: float, large_wrong: float) -> Iterator[tuple[float, bool, float, bool]]:
    dice = random.Random(seed)
    for _ in range(number):
        is_hard = dice.random() < hard
        light = (0.6, dice.random() >= 0.3) if is_hard else (0.98, dice.random() >= 0.002)
        yield *light, (0.9 if dice.random() < 0.5 else 0.99), dice.random() >= large_wrong


def test_from_a_cold_start_each_step_is_certified_since_what_was_passed_over_is_on_record() -> None:
    """Both are asked of each decision then; where they differ, what is true of one tells of the other."""
    rows: list[RecordedDecision] = []
    for number, (light, light_right, large, large_right) in enumerate(truths(4000, 1, 0.3, 0.01), 1):
        alike = light_right == large_right
        first, then = tried(DIGEST, light), tried(LARGE, large)
        taken = int(large > light)
        (first if taken else then).update(alike=alike, **({} if alike else {"output": {"ok": False}}))
        right = large_right if taken else light_right
        rows.append(asked(number, first, then, taken=taken, route="review", right=right))
    told, found = derived(IT, rows)
    assert told.certificate is not None, told.refused
    assert found.records.cascade is not None
    assert told.certificate.passed_on == "0"
    assert {one.digest for one in told.certificate.components} == {DIGEST.hex(), LARGE.hex()}
    lost, alone = lost_by(told.certificate, truths(20000, 2, 0.3, 0.01))
    assert lost <= BUDGET
    assert alone == pytest.approx(told.certificate.automation, abs=0.02)
    assert alone > 0.95


def test_who_was_asked_of_few_decisions_answers_no_more_of_them_when_the_first_is_held_to_more() -> None:
    """The light one let all go; held to what it loses, one that was asked of a tenth would be asked of a third."""
    rows: list[RecordedDecision] = []
    for number, (light, right, large, _) in enumerate(truths(6000, 3, 0.3, 0.0), 1):
        if number % 10:
            rows.append(asked(number, tried(DIGEST, light, "answered"), right=right))
        else:
            first = tried(DIGEST, 0.3, alike=True)
            rows.append(asked(number, first, tried(LARGE, large, "answered"), taken=1, right=True))
    told, _ = derived(IT, rows)
    assert told.certificate is not None, told.refused
    assert told.certificate.passed_on is not None
    assert LARGE.hex() in {one.digest for one in told.certificate.components}
    assert Fraction(told.certificate.threshold) < 0.2 * LOST < Fraction(told.certificate.passed_on)
    lost, alone = lost_by(told.certificate, truths(20000, 4, 0.3, 0.4))
    assert lost <= BUDGET
    assert 0.6 < alone < 0.75


def test_decisions_of_before_another_version_came_are_no_evidence_for_what_follows_it() -> None:
    """Those that the light one decided alone would be counted, and those that went on to the large one of then not."""
    old = bytes(32)
    before = [asked(number, tried(DIGEST, 0.98, "answered")) for number in range(1, 900)]
    last = asked(900, tried(DIGEST, 0.6), {**tried(old, 0.9, "answered"), "component": "llm:large@1"}, taken=1)
    after = [asked(number, tried(DIGEST, 0.98, "answered")) for number in range(901, 1001)]
    fallback = asked(1001, {**tried(old, 1.0, "answered"), "component": "rules:other@1"})
    _, found = derived(IT, [*before, last, *after, fallback])
    assert found.data.decisions == 100
    assert found.ids[0] == after[0].id


def judged(**of: Any) -> Judged:
    stands: dict[str, Any] = {
        "wrong": True, "loss": 700, "known": Known(is_right=False, by=By.OUTCOME), "turned": False, "exposure": 1000,
        "eligible": True, "observed": True, "segment": "",
    }  # fmt: skip
    return Judged(**stands | of)


@pytest.mark.parametrize(
    ("said", "taken", "wrong"),
    [
        ({"alike": True}, judged(), True),
        ({"alike": True}, judged(wrong=False), False),
        ({"alike": False, "output": {"ok": False}}, judged(), False),
        ({"alike": False, "output": {"ok": False}}, judged(turned=True), True),
        ({"alike": False, "output": {"ok": False}}, judged(known=None), True),
        ({"alike": False}, judged(), True),
        ({"alike": False, "output": {"ok": 3}}, judged(), True),
        ({"alike": False, "output": {"ok": False}}, judged(observed=False), False),
        (
            {"alike": False, "output": {"ok": 3}},
            judged(known=Known(is_right=False, by=By.OUTCOME, truth=b'{"ok":3}')),
            False,
        ),
        (
            {"alike": False, "output": {"ok": 3}},
            judged(known=Known(is_right=True, by=By.OUTCOME, truth=b'{"ok":true}'), wrong=False),
            True,
        ),
    ],
)
def test_what_was_passed_over_is_right_only_where_that_is_known(
    said: dict[str, Any], taken: Judged, *, wrong: bool
) -> None:
    course = heard(IT, taken, tried(DIGEST, 0.6, **said), tried(LARGE, 0.9))
    assert [one.wrong for one in course] == [wrong, taken.wrong]


def heard(it: Place, taken: Judged, *attempts: dict[str, Any]) -> tuple[Step, ...]:
    made = [msgspec.convert(one, Attempt) for one in attempts]
    return course_of(it, asked(1, *attempts, taken=len(attempts) - 1), made, taken).steps


def test_nobody_is_heard_after_one_who_was_not() -> None:
    late = tried(DIGEST, 0.0, "late")
    assert heard(IT, judged(), late, tried(LARGE, 0.9)) == ()


def test_between_threshold_and_bar_a_person_decides_and_above_it_what_is_not_known_is_the_worst() -> None:
    inf = np.inf
    first, then = np.array([1.0, 4.0, 9.0, 9.0, inf]), np.array([inf, 2.0, 2.0, inf, 2.0])
    steps = InTurn(
        scores=(first, then),
        lost=(np.full(5, 10.0), np.full(5, 20.0)),
        wrong=(np.ones(5), np.ones(5)),
        goes=(np.ones(5, np.bool_), np.array([True, True, True, True, False])),
        unasked=np.array([False, False, False, True, False]),
        always=np.array([False, False, False, False, False]),
        worst=99.0,
        passed_on=5.0,
    )
    found = gone_in_turn(steps, 2.0)
    assert found.alone.tolist() == [True, False, True, False, False]
    assert found.lost.tolist() == [10.0, 0.0, 20.0, 99.0, 0.0]
    assert gone_in_turn(steps, 9.0).lost.tolist() == [10.0, 10.0, 10.0, 10.0, 0.0]
    assert passed_on(steps.scores, steps.unasked, 500) == 9.0
    assert passed_on(steps.scores, steps.unasked, 1000) == 0.0


def test_what_is_spared_and_lost_is_estimated_of_all_from_the_few_that_were_compared() -> None:
    """Of 6,000 half go alone by the light one, 4 % wrong; the large one would be wrong in 1 % of them."""
    dice, rows = random.Random(5), list[RecordedDecision]()
    for number in range(1, 6001):
        right, other = dice.random() >= 0.04, dice.random() >= 0.01
        if number % 2:
            first = tried(DIGEST, 0.3, alike=True)
            rows.append(asked(number, first, tried(LARGE, 0.99, "answered"), taken=1, right=other))
            continue
        said = {"alike": right == other} if right == other else {"alike": False, "output": {"ok": False}}
        drawn = [tried(LARGE, 0.99, "compared", propensity="1/4", cost="0.02", **said)] if dice.random() < 0.25 else []
        rows.append(asked(number, tried(DIGEST, 0.98, "answered"), *drawn, right=right))
    _, evidence = derived(IT, rows)
    found = spared_by(evidence)
    assert found is not None
    assert found.spared == pytest.approx(0.5, abs=0.01)
    assert 650 < found.compared < 850
    assert found.saved.low < 0.01 < found.saved.high < 0.011
    assert found.wrong.low < 0.015 < found.wrong.high < 0.03
    assert found.loss.mean == pytest.approx(found.wrong.mean * LOST)
    lines = dict(told(found, "EUR"))
    assert lines["saved"].startswith("+0.0")
    assert lines["more lost"].startswith(f"{found.loss.mean / 100:+.4f} EUR a decision (95 %: ")
    assert lines["more wrong"].startswith(f"{found.wrong.mean * 100:+.2f} % of all decisions (95 %: ")
    assert spared_by(derived(IT, rows[:1])[1]) is None


def test_no_threshold_counts_after_the_first_that_fails_however_good_it_is() -> None:
    """The stricter one is answered by who is asked next and always wrong, the looser one by who is asked first."""
    every, nothing = np.ones(2000, np.bool_), np.zeros(2000)
    steps = InTurn(
        scores=(nothing + 5, nothing + 1), lost=(nothing, nothing + LOST), wrong=(nothing, nothing + 1),
        goes=(every, every), unasked=~every, always=~every, worst=LOST, passed_on=0,
    )  # fmt: skip
    scored = Scored(nothing + 5, nothing, nothing, nothing, np.arange(2000) < 600, steps)
    stated = Terms(
        budget=Fraction(BUDGET), risk=Fraction(1, 20), review_cost=320, cap=LOST, worst=Fraction(LOST),
        grid=(Fraction(1), Fraction(5)),
    )  # fmt: skip
    strict, loose = walk_grid(scored, stated)
    assert strict.p_value > stated.risk >= loose.p_value
    assert not strict.passed
    assert not loose.passed
