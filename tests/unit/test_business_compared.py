"""The control group beside the others: intervals that hold, by hand, and a cause only where it may be named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import msgspec
import numpy as np
import pytest
from tests.unit.test_business_figures import DATED, terms

from interlock.business.compared import BY_LOT, NO_CAUSE, CaseLoss, CaseOf, Compared, Difference, compare
from interlock.business.contrast import FEWEST, contrast_of, quantile
from interlock.cli.screen import Screen
from interlock.cli.value import tell_compared
from interlock.rate_settings import RateSettings

START = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
END = START + dt.timedelta(days=30)
NO_RATES = RateSettings("EUR", MappingProxyType({}), None)
LATER = START + dt.timedelta(days=7)


@pytest.mark.parametrize(("freedom", "known"), [(5, 2.5706), (10, 2.2281), (30, 2.0423), (1000, 1.9623)])
def test_the_quantile_of_t_is_that_of_the_tables(freedom: float, known: float) -> None:
    assert quantile(freedom) == pytest.approx(known, abs=2e-3)


def test_a_difference_is_welchs_and_steps_are_compared_each_for_itself() -> None:
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0])
    found = contrast_of([(one, other)])
    assert found is not None
    assert (found.treated, found.control, found.change) == (2.5, 1.0, 1.5)
    error = (5 / 3 / 4 + 1 / 3) ** 0.5
    freedom = error**4 / ((5 / 3 / 4) ** 2 / 3 + (1 / 3) ** 2 / 2)
    assert found.low == pytest.approx(1.5 - quantile(freedom) * error)
    # everything costs 10 more in the second step, and most of its cases are treated: by itself that is no difference
    later = contrast_of([(one, one), (np.tile(one, 9) + 10, one + 10)])
    assert later is not None
    assert later.change == pytest.approx(0)
    assert contrast_of([(one, np.array([1.0]))]) is None
    alike = contrast_of([(np.ones(50), np.ones(50))])
    assert alike is not None
    assert (alike.change, alike.low, alike.high) == (0.0, None, None)
    half = contrast_of([(one, other), (one, np.array([]))])
    assert half is not None
    assert (half.cases, half.left_out) == ((4, 3), 4)


def test_the_interval_holds_as_often_as_it_says() -> None:
    chance = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        early = chance.exponential(5, 300), chance.exponential(4, 60)
        late = chance.exponential(9, 300) + 2, chance.exponential(8, 40) + 2
        found = contrast_of([early, late])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.0 <= found.high
    assert 0.91 <= held / 400 <= 0.985


def cases(number: int, *, control: bool, first: int = 0, **changed: object) -> Iterator[CaseOf]:
    """Cases that are done after an hour or a little more, each with a minute of somebody's time if people decide."""
    for at in range(first, first + number):
        one = CaseOf(
            id=UUID(int=at + (1 << 64) * control), is_control=control, step=START, state="done", conclusion="paid",
            currency="MYR", exposure_minor=10_000, seconds=3600.0 * (1 + control) + at, cost=Decimal("0.01"),
            cpu_us=Decimal(1000), people_ms=Decimal(60_000 * control + at), untimed=0, unknown=0,
        )  # fmt: skip
        yield msgspec.structs.replace(one, **changed)


def both(number: int, **changed: object) -> list[CaseOf]:
    found = [*cases(4 * number, control=False), *cases(number, control=True)]
    return [msgspec.structs.replace(one, **changed) for one in found]


def seen(found: Compared) -> dict[str, Difference]:
    return {one.name: one for one in found.differences}


def test_a_cause_is_named_only_where_all_that_it_rests_on_is_known() -> None:
    found = compare(both(FEWEST), [], terms(), START, END)
    of = seen(found)
    assert (found.treated, found.control, found.under_way, found.steps) == (120, 30, (0, 0), 1)
    assert found.says.startswith(BY_LOT)
    assert of["margin"].is_cause
    assert of["margin"].beyond_chance
    # a minute at 45 USD an hour is 0.75 USD, at 0.90 and 0.20 EUR 3.375 MYR; the treated are watched 45 ms longer
    assert of["margin"].change is not None
    assert Decimal(of["margin"].change.removesuffix(" MYR")) == pytest.approx(Decimal("3.375"), abs=Decimal("0.003"))
    assert "margin +3.3" in found.says
    assert of["cycle_time"].change == "-0.988 hours"
    assert of["value"].change == "+0.0000 MYR"  # every case is worth the same: chance has no measure
    assert not of["value"].is_cause
    for given, stated, name, says in (
        (both(FEWEST - 1), terms(), "margin", "too few"),
        (both(FEWEST, untimed=1), terms(), "cost", "how long some reviews took"),
        (both(FEWEST, unknown=1), terms(), "losses", "outcomes of some decisions that went by themselves"),
        (
            both(FEWEST),
            terms(rates=RateSettings("EUR", MappingProxyType({}), None)),
            "margin",
            "no rate from USD to MYR",
        ),
        (both(FEWEST), terms(worth=None), "margin", "what a case is worth is not stated"),
        (both(FEWEST), terms(person_hour=Decimal(0)), "cost", "people's time has no price"),
        ([*both(FEWEST), *cases(9, control=True, first=999, state="waiting")], terms(), "margin", "have not ended"),
    ):
        one = seen(compare(given, [], stated, START, END))[name]
        assert says in one.note
        assert not one.is_cause
    none = compare([], [], terms(), START, END)
    assert none.says.startswith(NO_CAUSE)
    assert "proves none" in none.says
    assert not any(one.is_cause or one.change for one in none.differences)


def test_time_is_compared_of_all_that_were_drawn_however_they_ended() -> None:
    drawn = both(FEWEST)
    slow = [msgspec.structs.replace(one, seconds=36_000.0) if one.id.int % 3 == 0 else one for one in drawn]
    # people cancel the slow ones: of those that are done the control group would seem quicker by that alone
    picked = [
        msgspec.structs.replace(one, state="cancelled") if one.is_control and one.seconds > 30_000 else one
        for one in slow
    ]
    plain, times = (seen(compare(given, [], terms(), START, END))["cycle_time"] for given in (slow, picked))
    assert times == plain
    assert (times.cases, times.is_cause, times.title) == ((120, 30), True, "Time until it ends")


def test_losses_are_of_their_case_as_realised_or_declared_and_the_drawn_stand_for_the_others() -> None:
    given = both(FEWEST)
    lost = CaseLoss(
        case_id=given[0].id, point="approve", currency="MYR", loss_minor=1200, exposure_minor=10_000, propensity=0.1
    )
    declared = msgspec.structs.replace(lost, case_id=given[-1].id, loss_minor=None, propensity=1.0)
    of = seen(compare(given, [lost, declared], terms(rates=DATED), START, END))
    assert of["losses"].treated == "1.0000 MYR"  # 12.00 MYR, drawn one in ten, of 120 cases
    assert of["losses"].control == "3.5000 MYR"  # 100.00 MYR at stake and 5.00 more, of 30
    assert of["losses"].is_cause
    silent = msgspec.structs.replace(declared, point="unheard")
    assert (
        "what some wrong decisions lost is not known"
        in seen(compare(given, [silent], terms(), START, END))["losses"].note
    )
    later = [msgspec.structs.replace(one, step=LATER) for one in cases(5, control=False, first=500)]
    assert (
        "5 cases of steps with one group alone"
        in seen(compare([*given, *later], [], terms(), START, END))["margin"].note
    )


def test_at_the_command_line_each_difference_stands_with_its_interval_and_the_word_on_cause(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_compared(Screen(as_json=False), compare(both(FEWEST), [], terms(), START, END))
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "30 of 150 cases drawn",
        "0 of them, 0 of the others",
        "120 and 30",
        "-0.988 hours",
        "Caused so: margin",
    ):
        assert part in told
    tell_compared(Screen(as_json=False), compare(both(3), [], terms(), START, END))
    assert "No cause can be told yet" in capsys.readouterr().out
