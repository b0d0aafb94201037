"""How the outside systems stand, and their circuits by hand, from the command line."""

from __future__ import annotations

import pytest

from .conftest import Run

ADDRESS = "INTERLOCK_CONNECTORS__PAYMENTS__URL"


@pytest.fixture(autouse=True)
def _a_connector(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    del environment
    monkeypatch.setenv(ADDRESS, "https://payments.example.com")
    monkeypatch.setenv("INTERLOCK_CONNECTORS__PAYMENTS__CONCURRENCY", "4")


def test_a_circuit_is_opened_and_closed_by_hand(run: Run) -> None:
    (well,) = run("connectors", "--json").document["connectors"]
    assert (well["name"], well["circuit"], well["failures"], well["since"]) == ("payments", "closed", 0, None)
    assert (well["concurrency"], well["timeout"], well["in_flight"], well["waiting"]) == (4, "10s", 0, 0)
    opened = run("circuit", "open", "payments", "--why", "maintenance", "--as", "rosa")
    assert "opened by rosa: maintenance; until `interlock circuit close payments`" in opened.out
    (held,) = run("connectors", "--json").document["connectors"]
    assert (held["circuit"], held["retry_at"], held["what"]) == ("open", None, "opened by rosa: maintenance")
    assert "opened by rosa: maintenance" in run("connectors").out
    closed = run("circuit", "close", "payments", "--why", "they are back", "--as", "rosa", "--json").document
    assert closed["state"] == "closed"
    assert [one["circuit"] for one in run("connectors", "--json").document["connectors"]] == ["closed"]


def test_what_is_no_connector_and_what_has_no_reason_is_refused(run: Run) -> None:
    refused = run("circuit", "open", "paymnts", "--why", "x", code=4)
    assert "there is no connector 'paymnts'" in refused.err
    assert "payments" in refused.err
    assert "a reason is needed" in run("circuit", "close", "payments", "--why", " ", code=2).err
    assert [one["since"] for one in run("connectors", "--json").document["connectors"]] == [None]


def test_a_connector_that_left_the_settings_is_still_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("circuit", "open", "payments", "--why", "maintenance")
    monkeypatch.delenv(ADDRESS)
    monkeypatch.delenv("INTERLOCK_CONNECTORS__PAYMENTS__CONCURRENCY")
    (gone,) = run("connectors", "--json").document["connectors"]
    assert (gone["name"], gone["known"], gone["concurrency"]) == ("payments", False, None)
    assert run("circuit", "close", "payments", "--why", "it is gone").code == 0
