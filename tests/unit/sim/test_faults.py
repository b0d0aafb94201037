from __future__ import annotations

import msgspec
import pytest

from interlock.sim.faults import FaultKind, FaultPlan, FaultRule, FaultRun, Operation, chance


def struck(run: FaultRun, key: str, operation: Operation = Operation.PAY) -> set[FaultKind]:
    return set(run.strike(operation, key=key, reference="r", to="ana"))


def test_the_same_seed_key_and_attempt_always_meet_the_same_faults() -> None:
    rules = (FaultRule(kind=FaultKind.DROP_AFTER, probability=0.5),)
    keys = [f"k{number}" for number in range(50)]

    def met(seed: int, order: list[str]) -> dict[str, list[set[FaultKind]]]:
        run = FaultRun(FaultPlan(seed=seed, rules=rules))
        faults: dict[str, list[set[FaultKind]]] = {key: [] for key in keys}
        for _ in range(3):
            for key in order:
                faults[key].append(struck(run, key))
        return faults

    assert met(1, keys) == met(1, keys[::-1])
    assert met(1, keys) != met(2, keys)


def test_probability_is_how_often() -> None:
    run = FaultRun(FaultPlan(rules=(FaultRule(kind=FaultKind.FAIL_BEFORE, probability=0.2),)))
    hits = sum(bool(struck(run, f"k{number}")) for number in range(10_000))
    assert 1800 < hits < 2200


def test_two_rules_have_chances_of_their_own() -> None:
    pairs = {
        (chance(0, 0, Operation.PAY, f"k{n}", 1) < 0.5, chance(0, 1, Operation.PAY, f"k{n}", 1) < 0.5)
        for n in range(100)
    }
    assert len(pairs) == 4


def test_a_rule_can_name_the_attempts() -> None:
    run = FaultRun(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_BEFORE, attempts=(1, 3)),)))
    assert [bool(struck(run, "a")) for _ in range(4)] == [True, False, True, False]
    assert struck(run, "b") == {FaultKind.DROP_BEFORE}


def test_patterns_choose_the_requests() -> None:
    rule = FaultRule(kind=FaultKind.REJECT, key="pay-*", reference="r?", to="[ab]*")
    run = FaultRun(FaultPlan(rules=(rule,)))
    assert run.strike(Operation.PAY, key="pay-1", reference="r1", to="ana")
    for key, reference, to in [("x", "r1", "ana"), ("pay-1", "r", "ana"), ("pay-1", "r1", "carl")]:
        assert not run.strike(Operation.PAY, key=key, reference=reference, to=to)


def test_a_rule_strikes_payments_unless_told_otherwise() -> None:
    run = FaultRun(
        FaultPlan(
            rules=(
                FaultRule(kind=FaultKind.FAIL_BEFORE),
                FaultRule(kind=FaultKind.DROP_BEFORE, on=(Operation.LOOKUP,)),
            )
        )
    )
    assert struck(run, "k") == {FaultKind.FAIL_BEFORE}
    assert struck(run, "k", Operation.LOOKUP) == {FaultKind.DROP_BEFORE}
    assert struck(run, "k", Operation.VOID) == set()


def test_of_each_kind_the_first_rule_that_fires_counts() -> None:
    run = FaultRun(
        FaultPlan(
            rules=(
                FaultRule(kind=FaultKind.FAIL_BEFORE, attempts=(2,), status=502),
                FaultRule(kind=FaultKind.FAIL_BEFORE, status=503),
                FaultRule(kind=FaultKind.FAIL_BEFORE, status=504),
            )
        )
    )
    assert [run.strike(Operation.PAY, key="k")[FaultKind.FAIL_BEFORE].answers for _ in range(2)] == [503, 502]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('{"kind":"slow"}', "slow takes seconds > 0"),
        ('{"kind":"drop_after","seconds":1}', "drop_after takes no seconds"),
        ('{"kind":"reject","status":500}', "reject cannot answer with status 500"),
        ('{"kind":"drop_after","status":500}', "drop_after cannot answer"),
        (
            '{"kind":"late_effect","seconds":1,"on":["lookup"]}',
            "late_effect strikes only pay, refund, post and reverse",
        ),
        ('{"kind":"fail_before","probability":1.5}', "<= 1"),
        ('{"kind":"fail_before","attempts":[0]}', ">= 1"),
        ('{"kind":"fail_befor"}', "fail_befor"),
        ('{"kind":"slow","seconds":1,"for":2}', "unknown field `for`"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_reason_and_place(rule: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(f'{{"rules":[{rule}]}}', type=FaultPlan)
    assert says in str(refused.value)
    assert "$.rules[0]" in str(refused.value)
