"""Certificates on the command line: derived, shown, verified, withdrawn."""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import known_truth, put

from interlock.autonomy.issuing.place import Place
from interlock.cases.certified_places import find_place
from interlock.config import Settings
from interlock.node import open_node

from .conftest import DESK, Permitted, Run

AUTONOMY = """\
    exposure: input.total MYR
    autonomy:
      {review_cost: 3.20 MYR, budget: 0.40 MYR, cap: 20 MYR, wrong: {share: 1}, outcome: {after: 1m}, window: 1h}
"""


@pytest.fixture
def careful(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a command, with a point that declares its autonomy."""
    folder = tmp_path / "careful"
    shutil.copytree(DESK, folder)
    (folder / "desk_workflow.py").rename(folder / "careful_desk.py")
    file = folder / "desk.workflow.yaml"
    file.write_text(file.read_text().replace("    exposure: input.total MYR\n", AUTONOMY, 1))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "careful_desk:desk")
    return {**environment, "INTERLOCK_WORKFLOWS": "careful_desk:desk"}


def test_an_owner_lets_go_what_the_record_allows_and_takes_it_back(
    run: Run, careful: dict[str, str], database_url: str, tmp_path: Path, permitted: Permitted
) -> None:
    at = "desk.approve"
    assert "declares no autonomy" in run("autonomy", "certify", "desk.weigh", code=2).err
    empty = run("autonomy", "show", at).out
    assert "none was ever issued" in empty
    assert "The truth of no decision whose outcome was due is known." in empty
    assert "the outcomes of later ones are not due yet" in empty
    assert "decisions with known outcomes are needed for 0.40 MYR" in run("autonomy", "certify", at, code=2).err
    record(careful, database_url, tmp_path)
    tried = run("autonomy", "certify", at, "--try").out
    assert "would go by themselves" in tried
    assert "Nothing is issued" in tried
    issued = run("autonomy", "certify", at, "--as", "olga", "--json").document["issued"]
    shown = run("autonomy", "show", at).out
    assert "a low end above 0 is more than chance" in shown
    (whole, now) = run("autonomy", "show", at, "--json").document["figures"]["groups"]
    assert (whole["digest"], now["in_force"], whole["known"]) == ("", True, now["known"])
    assert whole["error"]["low"] <= whole["error"]["value"] <= whole["error"]["high"]
    assert now["component"] in shown
    assert "With 95 % certainty, wrong answers at desk.approve that nobody looked at cost at most 0.40 MYR" in shown
    assert [one["id"] for one in run("autonomy", "certificates", at, "--json").document["certificates"]] == [issued]
    verified = run("autonomy", "verify", issued).out
    assert "derived once more it comes out the same, byte for byte" in verified
    assert "A person decides everything" in run("autonomy", "withdraw", at, "--why", "a drill", "--as", "ben").out
    assert "a drill" in run("autonomy", "show", at).out
    with psycopg.connect(database_url) as admin:
        admin.execute("update interlock.autonomy set who = 'monitor'")
    anew = run("autonomy", "certify", at, "--try", code=2).err
    assert "there are 0 decisions whose outcome is due" in anew
    assert "then the last certificate was taken back by monitor (a drill)" in anew
    assert "say so: --since TIME --why TEXT" in anew
    assert "a reason is needed" in run("autonomy", "certify", at, "--since", "30m", code=2).err
    assert "no time" in run("autonomy", "certify", at, "--why", "a drill", code=2).err
    assert "not within the window" in run("autonomy", "certify", at, "--since", "2h", "--why", "x", code=2).err
    stated = run("autonomy", "certify", at, "--since", "30m", "--why", "it was a drill", "--as", "olga").out
    assert " MYR each; 2500 decisions say so." in stated
    assert "count, as olga states: it was a drill." in stated
    assert permitted("certificate.%") == {f"certificate.{what}" for what in ("refused", "tried", "issued", "withdrawn")}


def record(environment: dict[str, str], url: str, folder: Path) -> None:
    async def find() -> Place:
        async with open_node(Settings.load({}, environment, folder)) as node:
            return find_place(node.registry, node.tenant, "desk.approve")

    place = asyncio.run(find())
    (digest,) = place.digests
    made = known_truth(datetime.now(UTC), 2500, currency="MYR")
    put(url, place, (msgspec.structs.replace(one, digest=digest) for one in made))
