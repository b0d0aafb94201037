"""Rules compared over personal decisions: run on clear values for the point's purpose, told without any."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.pg.cli.conftest import as_url
from tests.pg.privacy.raises.raises import raises
from tests.pg.privacy.world import ADA, flow, found_in, master_key, settings_of
from typer.testing import CliRunner

from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registry
from interlock.cli import app
from interlock.node import open_node

RULES = raises.folder / "components" / "approve-raise@1.rules.json"


def test_a_comparison_sees_what_the_rules_saw_and_tells_none_of_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decide() -> None:
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            named = find_point(node.registry, "raises.approve")
            await ask_in_line(node.tools.decider, node.writer, node.tenant, named, key="k", value=ADA)

    strict = tmp_path / "approve-raise@1.1.rules.json"
    text = RULES.read_text("utf-8").replace('"version": "1"', '"version": "1.1"')
    strict.write_text(text.replace("<= 9000", "<= 5000").replace("> 9000", "> 5000"), "utf-8")
    monkeypatch.setenv("INTERLOCK_DATABASE_URL", as_url(database_url))
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "tests.pg.privacy.raises.raises:raises")
    monkeypatch.setenv("INTERLOCK_PRIVACY_KEY", "env:TEST_PRIVACY_KEY")
    monkeypatch.chdir(tmp_path)
    with master_key(monkeypatch):
        asyncio.run(decide())
        for form in (["--json"], []):
            ran = CliRunner().invoke(app, ["rules", "diff", str(RULES), str(strict), *form])
            assert ran.exit_code == 0, ran.output
            assert found_in(ran.output) == []
            assert "personal:v1" not in ran.output
            if form:
                (point,) = json.loads(ran.stdout)["points"]
                assert (point["compared"], point["changed"], point["unlike_record"]) == (1, 1, 0)
                changed = {one["field"]: (one["before"], one["after"]) for one in point["tallies"]}
                assert changed["approved"] == ("true", "false")
                assert changed["reason"] == ("(personal)", "(personal)")
