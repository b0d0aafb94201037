"""Doctor tells whether flags can be evaluated, before a case meets a default that nobody meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.cli.doctor.check import Level
from interlock.cli.doctor.flags import check_flags
from interlock.config import Settings

GOOD = "flags: {reader: {variants: {on: true, off: false}, defaultVariant: off}}"


@pytest.mark.parametrize(
    ("text", "provider", "level", "said"),
    [
        (None, "", Level.OK, "there is no flags.yaml"),
        (GOOD, "", Level.OK, "1 in flags.yaml: reader"),
        (GOOD[:-3], "", Level.FAIL, "flags.yaml"),
        (GOOD, "openfeature.provider.no_op_provider:NoOpProvider", Level.OK, "by the provider"),
        (GOOD, "nowhere:make", Level.FAIL, "leads to no provider"),
    ],
)
def test_flags_are_looked_at(tmp_path: Path, text: str | None, provider: str, level: Level, said: str) -> None:
    if text is not None:
        (tmp_path / "flags.yaml").write_text(text)
    (check,) = check_flags(Settings(flags_file=tmp_path / "flags.yaml", flags_provider=provider))
    assert (check.name, check.level) == ("flags", level)
    assert said in check.what


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (check,) = check_flags(Settings(flags_file=tmp_path))
    assert (check.level, "cannot be read" in check.what) == (Level.FAIL, True)
