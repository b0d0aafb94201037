"""Sources as the settings say them, with what only the pack can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.config import FILE, Settings
from interlock.errors import ConfigInvalid
from interlock.packs.reconciliation.configured import settings_of, sources_of

SOURCE = '[reconciliation.bank.actual.house]\nfolder="in"\nformat="csv"\n'
DIALECT = 'dialect={account="1200",currency="EUR",columns={amount="a",booked_on="d"}}\n'


@pytest.mark.parametrize(
    ("told", "key"), [('account="1300"\n', "account"), ('currency="USD"\n', "currency"), ('account="12 00"\n', "")]
)
def test_an_account_said_twice_differently_is_refused(told: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / FILE).write_text(SOURCE + told + DIALECT)
    settings = settings_of(Settings.load({}, {}, tmp_path))
    if not key:
        assert sources_of(settings)["actual.house"][1].account == "12 00"
        return
    with pytest.raises(ConfigInvalid, match="and its dialect") as refused:
        sources_of(settings)
    assert refused.value.where.endswith(f"actual.house.{key}")
