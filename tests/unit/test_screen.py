"""What lists look like on a terminal that is too narrow for them."""

from __future__ import annotations

import pytest
from rich.console import Console

from interlock.cli.screen import Screen


def test_a_stacked_row_shows_every_column_on_a_narrow_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=False)
    identifier = "01a1fca5-cee5-7122-a91a-434b87eef366"
    heads = ("break", "state", "amount", "account", "party", "exception")
    row = (identifier, "open", "30.00 EUR", "DE02120300000000202051", "", identifier)
    screen.out = Console(width=80, force_terminal=False)
    screen.table(heads, [row], none="", stacked=True)
    first, *others = capsys.readouterr().out.splitlines()
    assert first == identifier
    assert all(len(line) <= 80 for line in others)
    shown = " ".join(line.strip() for line in others)
    assert shown == f"state: open; amount: 30.00 EUR; account: DE02120300000000202051; exception: {identifier}"
    screen.out = Console(width=200, force_terminal=False)
    screen.table(heads, [row], none="", stacked=True)
    assert len(capsys.readouterr().out.splitlines()) == 2
