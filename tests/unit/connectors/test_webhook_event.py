from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from interlock.actions.connector import Request
from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.registry import make_connector
from interlock.connectors.webhook import WebhookConnector, read_secrets, sign
from interlock.connectors.webhook.event import EVENT_KEYS, LARGEST_BODY, read_events
from interlock.errors import ConfigInvalid, Refused
from interlock.setting_forms import SecretRef

README = files("interlock.connectors.webhook").joinpath("README.md").read_text("utf-8")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DECIDED = datetime(2026, 3, 1, 11, 59, 0, tzinfo=UTC)


def asked(payload: dict[str, Any], decided_at: datetime | None = DECIDED) -> Request:
    return Request(operation="tell", key="k-1", payload=payload, deadline=NOW, decided_at=decided_at)


def settings(**changes: Any) -> ConnectorSettings:
    values: dict[str, Any] = {
        "name": "p",
        "kind": "webhook",
        "url": "https://p.example/hooks?tenant=7",
        "secret": SecretRef("env", "HOOK"),
        "operations": {"tell": {"type": "invoice.paid"}},
    }
    return ConnectorSettings(**(values | changes))


def test_an_event_tells_type_time_of_the_decision_and_data() -> None:
    data = {"amount": "{amount.amount}", "reference": "r-{key}"}
    event = read_events({"tell": {"type": "invoice.paid", "data": data}}, "c")["tell"]
    body = event.body(asked({"amount": {"amount": "31.00", "currency": "MYR"}}), NOW)
    assert json.loads(body) == {
        "type": "invoice.paid",
        "timestamp": "2026-03-01T11:59:00Z",
        "data": {"amount": "31.00", "reference": "r-k-1"},
    }
    assert event.body(asked({"amount": {"amount": "31.00", "currency": "MYR"}}), datetime.now(UTC)) == body


def test_without_data_the_whole_payload_is_told() -> None:
    event = read_events({"tell": {"type": "x"}}, "c")["tell"]
    assert json.loads(event.body(asked({"a": [1, "2"]}, None), NOW)) == {
        "type": "x",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {"a": [1, "2"]},
    }


def test_an_event_that_is_too_large_is_refused() -> None:
    event = read_events({"tell": {"type": "x"}}, "c")["tell"]
    with pytest.raises(Refused, match="more than 262,144 bytes"):
        event.body(asked({"a": "x" * LARGEST_BODY}), NOW)


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        ({}, "tell.type", "is missing"),
        ({"type": "invoice paid"}, "tell.type", "is no type"),
        ({"type": "x.", "typ": 1}, "tell.typ", "did you mean"),
        ({"type": "x", "data": {"a": 1.5}}, "tell.data", "has no exact form"),
        ({"type": "x", "data": "{to"}, "tell.data", "is no look-up"),
        ({"type": "x", "not_executed": [200]}, "tell.not_executed", "no status of failure"),
        ({"type": "x", "not_executed": [503], "refused": [503]}, "tell.refused", "under not_executed too"),
        ({"type": "x", "code": "a b"}, "tell.code", "is no field"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(table: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_events({"tell": table}, "connectors.p")
    assert f"connectors.p.operations.{where}" in str(refused.value)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"secret": None}, "a webhook is signed"),
        ({"url": ""}, "no address of an endpoint"),
        ({"url": "ftp://p.example"}, "no address of an endpoint"),
        ({"url": "https://p.example/#x"}, "no address of an endpoint"),
        ({"can_look_up": True}, "kind webhook has no can_look_up"),
        ({"can_void": True}, "kind webhook has no can_void"),
        ({"options": {"a": 1}}, "kind webhook has no options"),
        ({"operations": {}}, "there are no operations"),
    ],
)
def test_settings_that_are_not_of_this_kind_are_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigInvalid, match=what):
        make_connector("p", settings(**changes))


async def test_the_example_loads_as_it_stands(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 1
    (tmp_path / "interlock.toml").write_text(examples[0])
    connector = make_connector("partner", Settings.load({}, {}, tmp_path).connectors["partner"])
    assert isinstance(connector, WebhookConnector)
    assert connector.abilities.honours_keys
    await connector.close()


def test_the_receiver_of_the_readme_acts_once() -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code) == 1
    names: dict[str, Any] = {}
    exec(compile(code[0], "README.md", "exec"), names)  # noqa: S102 - our own page, run as it is read
    secret = "whsec_" + "eHh4" * 8
    headers, acted_upon = sign(read_secrets(secret), "i-17", datetime.now(UTC), b"{}"), set[str]()
    assert names["receive"](headers, b"{}", secret, acted_upon)
    assert not names["receive"](headers, b"{}", secret, acted_upon)


@pytest.mark.parametrize("key", EVENT_KEYS)
def test_each_setting_is_documented(key: str) -> None:
    assert re.search(rf"^\|.*`{key}`.*\|.*\|.*\|$", README, re.MULTILINE)
