"""The doctor looks at language models, too, without asking one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.decisions.test_llm import MANIFEST, flow

from interlock.cli.doctor.check import Level
from interlock.cli.doctor.models import check_models
from interlock.config import Settings
from interlock.llm_settings import LlmSettings
from interlock.setting_forms import SecretRef


def settings(**terms: object) -> Settings:
    """With a provider."""
    return Settings(llm={"main": LlmSettings(name="main", base_url="https://llm.example.com/v1", **terms)})  # type: ignore[arg-type]


def test_a_model_with_provider_key_and_price_is_fit(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    (found,) = check_models(flow(tmp_path), settings(secret=SecretRef("file", str(tmp_path / "key"))))
    assert (found.level, found.name) == (Level.OK, "component llm:judge@1")
    assert found.what == "small-1 at https://llm.example.com/v1, prices of component.yaml"


@pytest.mark.parametrize(
    ("manifest", "told", "what"),
    [
        (MANIFEST, Settings(), "settings have none of that name"),
        (MANIFEST, settings(secret=SecretRef("env", "NOT_SET_ANYWHERE")), "no secret in env:NOT_SET_ANYWHERE"),
        (MANIFEST.partition("price")[0], settings(), "nobody says what small-1 costs"),
    ],
)
def test_what_it_lacks_is_told(tmp_path: Path, manifest: str, told: Settings, what: str) -> None:
    (found,) = check_models(flow(tmp_path, manifest=manifest), told)
    assert found.level is Level.FAIL
    assert what in found.what
    assert found.todo
