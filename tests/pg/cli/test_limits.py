"""What each limit holds now, for people and for programs."""

from __future__ import annotations

import psycopg
import pytest

from .conftest import Run


@pytest.fixture
def spent(run: Run, database_url: str) -> str:
    """A tenant that has spent 12.30 MYR today in one case; the case's id."""
    run("tenants", "add", "acme", code=None)
    case = "01a1fd3b-b658-7fcd-8b95-0d895253d102"
    run("cases")
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        admin.execute(
            "insert into guard_bucket (tenant, guard, currency, slot, used) "
            "select tenant, guard, 'MYR', slot, 1230 from tenant, (values ('desk.pay.per_day', "
            "to_char(now() at time zone 'UTC', 'YYYY-MM-DD')), ('desk.pay.per_case', %s)) as v (guard, slot) "
            "where name = 'default'",
            (case,),
        )
    return case


def test_what_is_left_of_each_limit_is_shown(run: Run, spent: str) -> None:
    shown = {one["guard"]: one for one in run("limits", "--json").document["limits"]}
    assert set(shown) == {"desk.pay.per_day", "desk.pay.rate"}  # without a case nothing of cases
    day = shown["desk.pay.per_day"]
    assert (day["used"], day["left"], day["limit"], day["reserved"], day["over"]) == (
        "12.30 MYR", "49987.70 MYR", "50000.00 MYR", "0.00 MYR", "day",
    )  # fmt: skip
    assert day["resets_at"].endswith("T00:00:00Z")
    assert (shown["desk.pay.rate"]["left"], shown["desk.pay.rate"]["resets_at"]) == ("20", None)
    with_case = {one["guard"]: one for one in run("limits", "--case", spent, "--json").document["limits"]}
    assert (with_case["desk.pay.per_case"]["used"], with_case["desk.pay.per_case"]["owner"]) == ("12.30 MYR", spent)
    people = run("limits", "--workflow", "desk").out
    assert "desk.pay.per_day" in people
    assert "49987.70 MYR" in people


def test_another_tenants_limits_are_its_own(run: Run, spent: str) -> None:
    shown = {one["guard"]: one for one in run("--tenant", "acme", "limits", "--json").document["limits"]}
    assert shown["desk.pay.per_day"]["used"] == "0.00 MYR"
    assert shown["desk.pay.per_day"]["resets_at"] is None


def test_a_workflow_that_is_not_there_is_said(run: Run) -> None:
    refused = run("limits", "--workflow", "dsek", code=4)
    assert "there is no workflow 'dsek' here" in refused.err
    assert "desk" in refused.err
