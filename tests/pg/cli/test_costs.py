"""What decisions cost, for people and for programs."""

from __future__ import annotations

from .conftest import Run


def test_costs_are_shown_by_point_and_component(run: Run) -> None:
    empty = run("costs")
    assert "Nothing was decided in that time." in empty.out
    document = run("costs", "--since", "30d", "--by", "day", "--json").document
    assert (document["by"], document["total"]["cost"], document["lines"]) == ("day", "0 USD", [])


def test_a_span_that_is_none_is_refused_with_what_to_write(run: Run) -> None:
    refused = run("costs", "--since", "a week", code=2)
    assert "'a week' is no length of time" in refused.err
    assert "to do: write a whole number and one unit" in refused.err
