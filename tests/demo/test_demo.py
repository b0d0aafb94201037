"""The main job as its user runs it: `interlock demo`, in an empty folder, with everything that it starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.dying import dying

LONGEST_S = 170


def run_demo(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The report of a demo, and what it told on the way."""
    command = [str(Path(sys.executable).with_name("interlock")), "demo", "--json", *options]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=False, env=environ
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout), done.stderr


def cases_in(groups: list[dict[str, Any]], name: str) -> int:
    return sum(group["cases"] for group in groups if group["name"] == name)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The folder, the report and the words of a demo on generated receipts."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, *run_demo(folder, "--count", "60", "--seed", "11")


def test_generated_receipts_of_every_kind_end_as_they_should_and_the_books_balance(
    generated: tuple[Path, dict[str, Any], str],
) -> None:
    _, report, told = generated
    assert report["balance"]["differences"] == []
    assert report["balance"]["ours"] == report["balance"]["theirs"]
    assert report["balance"]["cases"] == report["receipts"] == 63
    outcomes = {group["name"]: group["cases"] for group in report["outcomes"]}
    assert outcomes["paid"] > 30
    assert outcomes["quarantined"] >= 3  # the bytes that are no JSON, at least
    assert outcomes["waiting for a person"] >= 1
    assert any(name.startswith("not paid: ") for name in outcomes)
    assert report["second_time"] == [0, "0.00 MYR"]
    assert report["wrong_automatic"] == []
    assert sum(report["faults"].values()) > 10
    assert report["attempts"] > report["balance"]["ours"][0]
    assert report["seconds"] < 120
    assert "the reviewer decided" in told


def test_what_is_left_can_be_looked_at_afterwards(generated: tuple[Path, dict[str, Any], str]) -> None:
    folder = generated[0] / ".interlock" / "demo"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}

    def interlock(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("interlock")), *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True, env=environ)
        return done.stdout

    cases: list[dict[str, Any]] = json.loads(interlock("cases", "--json", "--limit", "100"))["cases"]
    paid: str = next(case["id"] for case in cases if case["conclusion"] == "paid")
    story = interlock("explain", paid)
    for word in (
        "onnx:receipt-fields@1",
        "Rule that fired",
        "At stake",
        "confidence",
        "Attempt 1",
        "The case is done: paid",
    ):
        assert word in story


def test_what_is_left_can_be_decided_in_the_console_that_the_demo_names(
    generated: tuple[Path, dict[str, Any], str],
) -> None:
    """As the demo's last line says: `interlock up` in its folder prints an address, a name and a password for once."""
    folder = generated[0] / ".interlock" / "demo"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    command = dying(str(Path(sys.executable).with_name("interlock")), "up", "--json", "--workers", "0")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            told: list[dict[str, Any]] = []
            while not told or told[-1]["event"] != "ready":
                told.append(json.loads(process.stdout.readline()))
            queue = _first_look(told[-1]["console"], told[-1]["person"])
        finally:
            process.terminate()
            process.wait(30)
    assert re.search(r'href="/console/reviews/[0-9a-f-]{36}"', queue)


def _first_look(console: str, person: dict[str, str]) -> str:
    """The queue, as somebody sees it who signs in for the first time."""
    host = console.removesuffix("/console")
    wanted = "eight herons at dusk"
    with httpx.Client(base_url=host, headers={"Origin": host}, timeout=30, follow_redirects=True) as client:
        given = {"name": person["name"], "password": person["password"], "to": "/console/queue"}
        form = client.post("/console/sign-in", data=given).text
        key = re.search(r'name="form_key" value="([^"]+)"', form)
        assert key, form
        chosen = {"form_key": key[1], "present": person["password"], "password": wanted, "again": wanted}
        return client.post("/console/password", data={**chosen, "to": "/console/queue"}).text


@pytest.mark.long
def test_the_real_test_receipts_meet_the_goals(tmp_path: Path, shared_data: Path) -> None:
    receipts = shared_data / "receipts" / "test.jsonl"
    if not receipts.is_file():
        pytest.skip(f"the real receipts are not here: {receipts}")
    report, _ = run_demo(tmp_path, "--receipts", str(receipts))
    assert report["balance"]["differences"] == []
    assert report["receipts"] == 213
    assert report["second_time"] == [0, "0.00 MYR"]
    assert report["automatic_of_small"] >= 0.88
    automatic = cases_in(report["routes"], "read: automatic")
    assert len(report["wrong_automatic"]) <= 0.02 * automatic
    assert report["large_without_a_person"] == 0
    assert report["caught"]["route: above_bands"] > 20  # 100 and more: always to a person
