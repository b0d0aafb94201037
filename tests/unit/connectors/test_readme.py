from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from interlock.config import Settings
from interlock.connectors.http.tables import LOOK_UP_KEYS, OPERATION_KEYS, STATE_KEYS, VOID_KEYS
from interlock.connectors.registry import make_connector

README = files("interlock.connectors.http").joinpath("README.md").read_text("utf-8")


async def test_the_example_loads_as_it_stands(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 2
    (tmp_path / "interlock.toml").write_text("\n".join(examples))
    settings = Settings.load({}, {}, tmp_path)
    connector = make_connector("payments", settings.connectors["payments"])
    assert connector.abilities.can_look_up
    assert connector.abilities.can_void
    await connector.close()


@pytest.mark.parametrize("key", sorted({*OPERATION_KEYS, *LOOK_UP_KEYS, *VOID_KEYS}))
def test_each_setting_is_documented(key: str) -> None:
    assert re.search(rf"^\|.*`{key}`.*\|.*\|.*\|$", README, re.MULTILINE)


def test_the_keys_of_a_state_are_documented() -> None:
    assert "`{" + ", ".join(STATE_KEYS) + "}`" in README
