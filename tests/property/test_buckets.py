"""What an action draws on, the pace that it keeps, and that no order of drawing and giving back passes a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.clock import first_id, id_time
from interlock.guards.books import Books
from interlock.guards.bucket import BucketKey, Draw, next_arrival, room_at
from interlock.guards.gate import NotAfter, Spends
from interlock.guards.limits import CaseBudget, Counts, CountWindow, Limits, Rate, Window
from interlock.guards.span import Lasts, Span, per_case, per_day, sliding
from interlock.guards.spending import budget_draws, draws_of, paces_of, refused_outright, spending
from interlock.money import Money

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 20),
    st.sampled_from([1, 5, 60]),
    st.lists(st.integers(0, 3_000_000), min_size=1, max_size=150),
)
def test_no_window_holds_more_than_its_rate_and_one_burst(count: int, seconds: int, gaps: list[int]) -> None:
    rate = Rate(count, timedelta(seconds=seconds))
    used, now = 0, T0
    admitted: list[datetime] = []
    for gap in gaps:
        now += timedelta(microseconds=gap)
        used, again = next_arrival(used, rate, now)
        if again is None:
            admitted.append(now)
        else:
            assert again > now
    for start in range(len(admitted)):
        for end in range(start, len(admitted)):
            window = admitted[end] - admitted[start]
            assert end - start + 1 <= count + window / rate.per * count + 1e-9


@settings(deadline=None)
@given(st.integers(1, 50), st.sampled_from([1, 7, 60]))
def test_a_fresh_rate_lets_its_count_through_at_once_and_says_when_to_come_again(count: int, seconds: int) -> None:
    rate = Rate(count, timedelta(seconds=seconds))
    used, passed = 0, 0
    again = None
    while again is None:
        used, again = next_arrival(used, rate, T0)
        passed += again is None
    assert count - 1 <= passed <= count  # the interval is rounded up, against the caller
    held, refused = next_arrival(used, rate, again - timedelta(microseconds=1))
    assert refused
    assert held == used
    assert next_arrival(used, rate, again)[1] is None


@given(st.integers(1, 30), st.sampled_from([1, 7, 60]), st.lists(st.integers(0, 2_000_000), max_size=60))
def test_the_room_of_a_rate_is_what_it_lets_through_at_once(count: int, seconds: int, gaps: list[int]) -> None:
    rate = Rate(count, timedelta(seconds=seconds))
    used, now = 0, T0
    for gap in gaps:
        now += timedelta(microseconds=gap)
        used, _ = next_arrival(used, rate, now)
    room, full = room_at(used, rate, now)
    passed, again = -1, None
    while again is None:
        used, again = next_arrival(used, rate, now)
        passed += 1
    assert passed == room
    assert room_at(0, rate, now)[0] == (rate.per // timedelta(microseconds=1)) // -(-(seconds * 10**6) // count)
    assert full <= now + rate.per


def test_draws_name_whose_sum_it_is_and_the_amount_in_minor_units() -> None:
    limits = Limits(
        each=eur("5"),
        per_case=eur("7"),
        per_caller=eur("8"),
        per_hour=eur("8.50"),
        per_day=eur("9"),
        per_month=eur("90"),
        windows=(Window(timedelta(days=7), eur("30")),),
        count=Counts(per_case=2, per_day=5, windows=(CountWindow(timedelta(minutes=90), 4),)),
        rate=Rate(3, timedelta(seconds=1)),
        rate_per_caller=Rate(1, timedelta(seconds=1)),
    )
    draws = draws_of(limits, guard="w.pay", case_id="c-1", caller="ana", amount=eur("1.23"))
    assert [(d.guard, d.currency, d.owner, d.amount, d.most) for d in draws] == [
        ("w.pay.per_case", "EUR", "c-1", 123, 700),
        ("w.pay.per_caller", "EUR", "/ana", 123, 800),
        ("w.pay.per_hour", "EUR", "", 123, 850),
        ("w.pay.per_day", "EUR", "", 123, 900),
        ("w.pay.per_month", "EUR", "", 123, 9000),
        ("w.pay.7d", "EUR", "", 123, 3000),
        ("w.pay.count.per_case", "", "c-1", 1, 2),
        ("w.pay.count.per_day", "", "", 1, 5),
        ("w.pay.count.90m", "", "", 1, 4),
    ]
    assert [d.bucket(T0).slot for d in draws[:6]] == [
        "c-1", "2026-03-01/ana", "2026-03-01T00:00:00Z", "2026-03-01", "2026-03", "2026-02-28T22:00:00Z",
    ]  # fmt: skip
    nothing = draws_of(limits, guard="w.pay", case_id="c-1", caller="ana", amount=None)
    assert [d.guard for d in nothing] == ["w.pay.count.per_case", "w.pay.count.per_day", "w.pay.count.90m"]
    paces = paces_of(limits, guard="w.pay", caller="ana")
    assert [(p.bucket.guard, p.bucket.slot) for p in paces] == [("w.pay.rate", ""), ("w.pay.rate_per_caller", "/ana")]
    assert paces_of(Limits(each=eur("5")), guard="w.pay", caller="ana") == ()


@given(st.text(max_size=40), st.sampled_from(["per_case", "per_caller", "per_day", "7d"]))
def test_every_bucket_is_covered_by_the_lock_of_its_owner(caller: str, name: str) -> None:
    limits = Limits(
        per_case=eur("7"), per_caller=eur("8"), per_day=eur("9"), windows=(Window(timedelta(days=7), eur("30")),)
    )
    case = str(first_id(T0))
    draws = draws_of(limits, guard="w.pay", case_id=case, caller=caller, amount=eur("1"))
    (draw,) = (draw for draw in draws if draw.span.name == name)
    assert draw.bucket(T0).head == draw.first_bucket(T0).head == draw.head
    assert draw.head.head == draw.head


def test_one_call_says_all_that_a_dispatch_must_hold() -> None:
    limits, budget = Limits(per_day=eur("9")), CaseBudget(money=eur("5"), attempts=3, time=timedelta(hours=72))
    case, action = first_id(T0), first_id(T0 + timedelta(hours=1))

    def asked(*, undo: bool = False, doubtful: bool = False, amount: str = "1.00") -> tuple[Spends, list[NotAfter]]:
        first, *rest = spending(
            limits, budget, workflow="w", action="pay", action_id=action, case_id=case, caller="ana",
            amount=eur(amount), undo=undo, doubtful=doubtful,
        )  # fmt: skip
        assert isinstance(first, Spends)
        return first, [one for one in rest if isinstance(one, NotAfter)]

    spends, late = asked()
    known = [(d.guard, d.owner, d.amount, d.most, d.each_attempt) for d in spends.draws]
    assert known == [
        ("w.pay.per_day", "", 100, 900, False),
        ("w.budget.money", str(case), 100, 500, False),
        ("w.budget.attempts", str(case), 1, 3, True),
    ]
    assert [one.moment for one in late] == [id_time(case) + timedelta(hours=72)]
    assert late[0].what == "the budget of 3d for a case of w"
    assert asked(doubtful=True)[1] == []  # what may have been paid is settled by sending, however old the case is
    undoing, never_late = asked(undo=True)
    assert ([d.guard for d in undoing.draws], never_late) == (["w.pay.per_day"], [])
    assert asked(amount="6.00")[0].never == "6.00 EUR is over the limit budget of the case of 5.00 EUR"
    assert asked(amount="6.00", undo=True)[0].never == ""
    assert budget_draws(budget, workflow="w", case_id="c", amount=None)[0].guard == "w.budget.attempts"


@pytest.mark.parametrize(
    ("limits", "amount", "said"),
    [
        (Limits(each=eur("5")), eur("5"), ""),
        (Limits(each=eur("5")), eur("5.01"), "5.01 EUR is over the limit each of 5.00 EUR"),
        (Limits(per_case=eur("5")), eur("6"), "over the limit per case"),
        (Limits(per_day=eur("5")), eur("6"), "over the limit per day"),
        (Limits(windows=(Window(timedelta(days=7), eur("5")),)), eur("6"), "over the limit 7d"),
        (Limits(each=eur("5")), Money("1", "MYR"), "is not in EUR"),
        (Limits(each=eur("5")), eur("-1"), "negative"),
        (Limits(each=eur("5")), None, "unknown amount"),
        (Limits(rate=Rate(1, timedelta(seconds=1))), None, ""),
        (Limits(count=Counts(per_day=1)), Money("1", "MYR"), ""),
    ],
)
def test_what_limits_can_never_let_go_is_refused_in_words(limits: Limits, amount: Money | None, said: str) -> None:
    found = refused_outright(limits, amount)
    assert said in found
    assert bool(said) == bool(found)


def test_an_amount_is_held_to_a_budget_of_its_own_currency_alone() -> None:
    budget = CaseBudget(money=eur("5"))
    rate = Limits(rate=Rate(1, timedelta(seconds=1)))
    assert "the currency of the case's budget" in refused_outright(rate, Money("1", "MYR"), budget)
    assert refused_outright(rate, None, budget) == ""


############################################################################### the books


@dataclass(frozen=True)
class Went:
    """One reservation that was let through, as the property sees it."""

    at: datetime
    owner: str
    amount: int


SPANS = st.sampled_from(
    [sliding(timedelta(minutes=1)), sliding(timedelta(minutes=7)), per_day("Asia/Beirut"), per_case()]
)


@settings(max_examples=150, deadline=None)
@given(SPANS, st.lists(st.tuples(st.integers(-20, 90), st.integers(1, 60), st.booleans()), max_size=60))
def test_no_stretch_ever_holds_more_than_the_limit_whatever_goes_back_and_should_the_clock_go_back_too(
    span: Span, moves: list[tuple[int, int, bool]]
) -> None:
    books, now = Books(), T0
    went: dict[UUID, Went] = {}
    for number, (step, amount, fails) in enumerate(moves):
        now += timedelta(seconds=step * (1 if span.lasts is Lasts.SLIDING else 600))
        action = UUID(int=number + 1)
        draw = Draw("w.pay.limit", "EUR", "c" if span.lasts is Lasts.FOREVER else "", span, amount, 100)
        before = dict(books.used)
        refusal = books.draw(action, [draw], [], now)
        if refusal is None:
            went[action] = Went(now, draw.owner, amount)
        else:
            assert books.used == before  # what is refused uses nothing up
            assert action not in books.held
            if refusal.until:
                assert refusal.until > now
        if fails and refusal is None:
            books.give_back(action)
            del went[action]
        assert all(within(span, went, at) <= 100 for at in {one.at for one in went.values()})
        assert sum(books.used.values()) == sum(one.amount for one in went.values())
        assert min(books.used.values(), default=0) >= 0


@settings(max_examples=200, deadline=None)
@given(
    SPANS,
    st.lists(
        st.tuples(st.integers(-20, 90), st.integers(1, 60), st.integers(0, 4), st.booleans(), st.booleans()),
        max_size=60,
    ),
)
def test_what_is_sent_again_counts_where_it_is_sent_unless_an_earlier_attempt_may_have_taken_effect(
    span: Span, moves: list[tuple[int, int, int, bool, bool]]
) -> None:
    books, now = Books(), T0
    went: dict[UUID, Went] = {}
    for number, (step, amount, earlier, doubtful, fails) in enumerate(moves):
        now += timedelta(seconds=step * (1 if span.lasts is Lasts.SLIDING else 600))
        known = dict(enumerate(went))
        action = known.get(earlier, UUID(int=number + 1))
        size = went[action].amount if action in went else amount
        draw = Draw("w.pay.limit", "EUR", "c" if span.lasts is Lasts.FOREVER else "", span, size, 100)
        before, held = dict(books.used), dict(books.held.get(action, {}))
        refusal = books.draw(action, [draw], [], now, doubtful=doubtful and action in went)
        if refusal is None:
            went[action] = went[action] if doubtful and action in went else Went(now, draw.owner, size)
        else:
            assert not (doubtful and action in went)  # it holds already what it would need
            assert (books.used, books.held.get(action, {})) == (before, held)
            if refusal.until:
                assert refusal.until > now
        if fails and action in went:
            books.give_back(action)
            del went[action]
        assert all(within(span, went, at) <= 100 for at in {one.at for one in went.values()})
        assert {action: sum(one.amount for one in holds.values()) for action, holds in books.held.items()} == {
            action: one.amount for action, one in went.items()
        }
        assert sum(books.used.values()) == sum(one.amount for one in went.values())
        assert min(books.used.values(), default=0) >= 0


def within(span: Span, went: dict[UUID, Went], end: datetime) -> int:
    """What went out in the stretch, or in the calendar period, that ends then."""
    if span.lasts is Lasts.SLIDING:
        return sum(one.amount for one in went.values() if end - span.length < one.at <= end)
    return sum(one.amount for one in went.values() if span.period(one.at) == span.period(end))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 100)), min_size=1, max_size=40), st.integers(1, 100))
def test_when_a_stretch_is_said_to_have_room_again_it_has_and_not_a_moment_before(
    moves: list[tuple[int, int]], wanted: int
) -> None:
    span = sliding(timedelta(minutes=3))
    books, now = Books(), T0
    for number, (step, amount) in enumerate(moves):
        now += timedelta(seconds=step)
        books.draw(UUID(int=number + 1), [Draw("g", "EUR", "", span, amount, 100)], [], now)
    asked = [Draw("g", "EUR", "", span, wanted, 100)]
    refusal = books.draw(UUID(int=999), asked, [], now)
    if refusal is None:
        return
    assert refusal.until is not None
    assert books.draw(UUID(int=999), asked, [], refusal.until - timedelta(microseconds=1)) is not None
    assert books.draw(UUID(int=999), asked, [], refusal.until) is None


def test_all_limits_that_would_be_passed_are_named_and_the_last_to_have_room_says_when() -> None:
    books = Books()
    day, hour, case = per_day("UTC"), sliding(timedelta(hours=1)), per_case()
    both = [Draw("w.pay.per_day", "EUR", "", day, 60, 100), Draw("w.pay.per_hour", "EUR", "", hour, 60, 90)]
    assert books.draw(UUID(int=1), both, [], T0) is None
    refusal = books.draw(UUID(int=2), both, [], T0)
    assert refusal is not None
    assert refusal.what == (
        "w.pay.per_day has 0.40 EUR left of 1.00 EUR, 0.60 EUR needed; it has room again at 2026-03-02 00:00:00 UTC; "
        "w.pay.per_hour has 0.30 EUR left of 0.90 EUR, 0.60 EUR needed; it has room again at 2026-03-01 01:01:00 UTC"
    )
    assert refusal.until == T0 + timedelta(days=1)
    never = Draw("w.pay.count.per_case", "", "c", case, 1, 0)
    refusal = books.draw(UUID(int=2), [*both, never], [], T0)
    assert refusal is not None
    assert (refusal.code, refusal.until) == ("limit", None)  # time makes no room in a case
    assert refusal.what.endswith("w.pay.count.per_case has 0 left of 0, 1 needed")


@pytest.mark.parametrize("doubtful", [False, True])
def test_an_action_holds_once_each_attempt_counts_and_a_new_limit_is_drawn_by_the_next(*, doubtful: bool) -> None:
    books, action = Books(), UUID(int=1)
    money = Draw("w.budget.money", "EUR", "c", per_case(), 60, 100)
    tries = Draw("w.budget.attempts", "", "c", per_case(), 1, 2, each_attempt=True)
    assert books.draw(action, [money, tries], [], T0) is None
    newer = Draw("w.pay.per_day", "EUR", "", per_day("UTC"), 60, 100)
    assert books.draw(action, [money, tries, newer], [], T0, doubtful=doubtful) is None
    refusal = books.draw(action, [money, tries, newer], [], T0, doubtful=doubtful)
    assert refusal is not None
    assert refusal.what == "w.budget.attempts has 0 left of 2, 1 needed"
    books.give_back(action)
    assert books.used == {
        BucketKey("w.budget.money", "EUR", "c"): 0,
        BucketKey("w.budget.attempts", "", "c"): 2,
        BucketKey("w.pay.per_day", "EUR", "2026-03-01"): 0,
    }
    assert [(taken.bucket.guard, taken.amount) for taken in books.taken] == [
        ("w.budget.money", 60),
        *([] if doubtful else [("w.budget.money", 60)]),
        ("w.pay.per_day", 60),
    ]


def test_a_sum_that_comes_to_its_share_raises_one_alarm_and_lets_nothing_more_through_in_its_batch() -> None:
    books = Books()

    def draw(amount: int) -> Draw:
        return Draw("w.pay.per_day", "EUR", "", per_day("UTC"), amount, 100, stops_at=80, stops="action:w.pay")

    assert books.draw(UUID(int=1), [draw(79)], [], T0) is None
    assert books.alarms == {}
    assert books.draw(UUID(int=2), [draw(1)], [], T0) is None
    assert list(books.alarms) == ["action:w.pay"]
    refusal = books.draw(UUID(int=3), [draw(1)], [], T0)
    assert refusal is not None
    assert refusal.code == "stopped"
    later = Books(used=dict(books.used))
    for bucket, used in books.used.items():
        later.open(bucket, used)
    assert later.draw(UUID(int=3), [draw(1)], [], T0) is None  # resumed by a person: it goes on
    assert later.alarms == {}
    assert books.draw(UUID(int=4), [Draw("w.refund.per_day", "EUR", "", per_day("UTC"), 1, 100)], [], T0) is None


def test_what_is_sent_again_within_the_stretch_raises_no_alarm_once_more() -> None:
    books, action, span = Books(), UUID(int=1), sliding(timedelta(hours=1))
    draw = Draw("w.pay.per_hour", "EUR", "", span, 60, 100, stops_at=50, stops="action:w.pay")
    assert books.draw(action, [draw], [], T0) is None
    assert list(books.alarms) == ["action:w.pay"]
    books.alarms.clear()  # a person resumed it
    assert books.draw(action, [draw], [], T0 + timedelta(minutes=50)) is None
    assert books.alarms == {}
    assert books.draw(action, [draw], [], T0 + timedelta(minutes=110)) is None  # within an hour of the second one
    assert books.alarms == {}
    assert books.draw(action, [draw], [], T0 + timedelta(minutes=180)) is None  # in another one it is the first
    assert list(books.alarms) == ["action:w.pay"]


def test_of_two_shares_that_are_reached_at_once_the_one_that_stops_longer_stands() -> None:
    def draw(name: str, pause: timedelta | None) -> Draw:
        return Draw(name, "EUR", "", per_day("UTC"), 80, 100, stops_at=80, stops="action:w.pay", pause=pause)

    hour, day = timedelta(hours=1), timedelta(days=1)
    for pauses, stops in (([hour, day], T0 + day), ([day, hour], T0 + day), ([hour, None], None), ([None, hour], None)):
        books = Books()
        draws = [draw(f"w.pay.{number}", pause) for number, pause in enumerate(pauses)]
        assert books.draw(UUID(int=1), draws, [], T0) is None
        assert books.alarms["action:w.pay"].until == stops
        refusal = books.draw(UUID(int=2), [draw("w.pay.2", None)], [], T0)
        assert refusal is not None
        assert refusal.until == stops
