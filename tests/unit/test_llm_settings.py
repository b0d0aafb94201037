"""The tables of providers: read like connectors' tables, and as strict."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from interlock.config import Settings
from interlock.errors import ConfigInvalid
from interlock.llm_settings import LLM_FORMS, LlmSettings
from interlock.setting_forms import SecretRef

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def load(cwd: Path, toml: str = "", environ: dict[str, str] | None = None) -> Settings:
    (cwd / "interlock.toml").write_text(toml, "utf-8")
    return Settings.load({}, environ or {}, cwd)


def test_a_provider_is_read_from_file_and_environment(tmp_path: Path) -> None:
    toml = (
        '[llm.main]\nbase_url = "https://llm.example.com/v1/"\nsecret = "env:LLM_KEY"\ntimeout = "5s"\nattempts = 2\n'
    )
    settings = load(tmp_path, toml, {"INTERLOCK_LLM__MAIN__CONCURRENCY": "3"})
    assert settings.llm == {
        "main": LlmSettings(
            name="main",
            base_url="https://llm.example.com/v1",
            secret=SecretRef("env", "LLM_KEY"),
            timeout=timedelta(seconds=5),
            concurrency=3,
            attempts=2,
            source="interlock.toml, INTERLOCK_LLM__MAIN__CONCURRENCY",
        )
    }
    assert settings.sources["llm.main"] == "interlock.toml, INTERLOCK_LLM__MAIN__CONCURRENCY"


def test_a_whole_address_of_the_endpoint_is_meant_as_its_base(tmp_path: Path) -> None:
    settings = load(tmp_path, '[llm.main]\nbase_url = "https://llm.example.com/v1/chat/completions"\n')
    assert settings.llm["main"].base_url == "https://llm.example.com/v1"


def test_a_variable_that_holds_a_secret_may_bear_our_prefix(tmp_path: Path) -> None:
    toml = '[llm.main]\nbase_url = "https://llm.example.com"\nsecret = "env:INTERLOCK_LLM_KEY"\n'
    assert load(tmp_path, toml, {"INTERLOCK_LLM_KEY": "x"}).llm["main"].secret


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[llm.main]\n", "base_url is missing"),
        ('[llm.main]\nbase_url = "https://a"\nmodel = "m"\n', "llm.main.model: there is no such setting"),
        ('[llm.main]\nbase_url = "ftp://a"\n', "no address of such a server"),
        ('[llm.main]\nbase_url = "https://a?api-version=1"\n', "no address of such a server"),
        ('[llm.main]\nbase_url = "https://u:p@a"\n', "holds a user or a password"),
        ('[llm.main]\nbase_url = "https://a"\nsecret = "sk-123"\n', "is no reference to a secret"),
        ('[llm.main]\nbase_url = "http://a.example.com"\nsecret = "env:K"\n', "would travel in the clear"),
        ('[llm.main]\nbase_url = "https://a"\nsecret_header = "Host"\n', "is no header for a key"),
        ('[llm.main]\nbase_url = "https://a"\nsecret_header = "X\\r\\nY"\n', "is no header for a key"),
        ('[llm.main]\nbase_url = "https://a"\ncircuit_pause = "2m"\n', "circuit_pause is longer"),
        ('[llm.Main]\nbase_url = "https://a"\n', "is no name"),
        ("llm = 1\n", "is no table"),
        ("[llm]\nmain = 1\n", "is no table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said) as wrong:
        load(tmp_path, toml)
    assert "sk-123" not in str(wrong.value)


def test_every_key_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    assert not [key for key in LLM_FORMS if f"| `{key}` |" not in page]
