"""How long one piece takes by hours: only those say it in which somebody was there and something was answered."""

from __future__ import annotations

from interlock.oversight.capacity.history import History, service_of


def told(people: tuple[float, ...]) -> History:
    return History(arrived=(2,) * 40, resolved=(2,) * 40, people=people, timed=0, worked_ms=0, worked_ms2=0)


def test_answers_whose_people_are_in_another_hour_foretell_nothing_and_break_nothing() -> None:
    """Verdicts at a minute to the hour that take effect in the next one."""
    nobody = service_of(told((0.0,) * 40), 3)
    assert (nobody.hours, nobody.paced) == (None, None)
    assert service_of(told((1.0, 1.0, 1.0, 0.0) * 10), 3).paced == 0.5
