from __future__ import annotations

from datetime import timedelta
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from interlock.actions.connector import Abilities
from interlock.connector_settings import ConnectorSettings
from interlock.connectors import registry
from interlock.connectors.http import HttpConnector
from interlock.connectors.registry import GROUP, make_connector
from interlock.errors import ConfigInvalid

PAY = {"method": "POST", "path": "/payments"}


def settings(**changes: Any) -> ConnectorSettings:
    values: dict[str, Any] = {"name": "p", "url": "https://p.example", "operations": {"pay": PAY}}
    return ConnectorSettings(**(values | changes))


def offer(*offers: tuple[str, str]) -> EntryPoints:
    return EntryPoints(EntryPoint(name, value, GROUP) for name, value in offers)


def test_our_own_kind_is_found_through_its_entry_point() -> None:
    connector = make_connector("payments", settings(simulated=True, honours_keys=True, key_retention=timedelta(days=1)))
    assert isinstance(connector, HttpConnector)
    assert connector.name == "payments"
    assert connector.abilities == Abilities(simulated=True, honours_keys=True, key_retention=timedelta(days=1))


def test_abilities_are_those_of_the_settings() -> None:
    void = PAY | {"void": {"method": "POST", "path": "/keys/{key}/void"}}
    terms = settings(can_void=True, max_request_life=timedelta(seconds=3), operations={"pay": void})
    connector = make_connector("p", terms)
    assert connector.abilities == Abilities(simulated=False, can_void=True, max_request_life=timedelta(seconds=3))


def test_an_unknown_kind_is_refused_with_what_was_meant() -> None:
    with pytest.raises(ConfigInvalid, match=r'connectors.p.kind: .htpp. is no kind.*\n.*did you mean "http"'):
        make_connector("p", settings(kind="htpp"))


@pytest.mark.parametrize(
    ("offers", "what"),
    [
        ((("http", "one.package:make"), ("http", "two.package:make")), "offered by one.package:make and two.package"),
        ((("http", "no.such.package:make"),), "cannot be loaded: ModuleNotFoundError"),
        ((("http", "interlock.connectors.registry:GROUP"),), "makes no connector"),
    ],
)
def test_an_offer_that_cannot_be_taken_is_named(
    monkeypatch: pytest.MonkeyPatch, offers: tuple[tuple[str, str], ...], what: str
) -> None:
    def offered(*, group: str) -> EntryPoints:
        return offer(*offers).select(group=group)

    monkeypatch.setattr(registry, "entry_points", offered)
    with pytest.raises(ConfigInvalid, match=what):
        make_connector("p", settings())


def test_settings_that_a_kind_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigInvalid, match=r"connectors.p.options: a connector of the kind http has no options"):
        make_connector("p", settings(options={"x": {}}))


def test_a_kind_that_needs_a_url_says_so() -> None:
    with pytest.raises(ConfigInvalid, match=r"connectors.p: url is missing\n.*https://"):
        make_connector("p", settings(url=""))


@pytest.mark.parametrize("url", ["ftp://p.example", "https://p.example/?a=b", "https://p.example/#x"])
def test_a_url_to_which_no_path_can_be_added_is_refused(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="no address to add a path to"):
        make_connector("p", settings(url=url))
