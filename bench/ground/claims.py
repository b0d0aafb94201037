"""The shop of the tutorial "How much may it decide alone?", in a good summer: for pictures of its pages.

The tutorial's own files and commands make it, up to the certificate; then a season of claims comes as cases, and what
became of them is said. Only what a case is worth and what time costs is added to them.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from socket import create_server

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.docs.pages import Block, blocks
from tests.docs.test_tutorial import ALONE, API_PORT, PROVIDER_PORT, TUTORIAL, Tour

WORTH = """
value: {each: 3.20 EUR, of: [paid, refused], from: "finance, a customer who stays", before: 4.10 EUR}
"""
PRICES = """
[prices]
processor_hour = "0.04 USD"
person_hour = "45 USD"

[rates]
base = "EUR"
USD = "0.90"
date = "2026-01-01"
"""
BESIDE = {"claims.workflow.yaml": WORTH, "interlock.toml": PRICES}
"""What a case brings and brought before, and what time costs: beside what the tutorial declares."""
LAST = "interlock decide claims.assess --in autumn.csv"
"""Of the tutorial, what comes before this is done."""
SEASON, CLAIMS, DECEIVED = "summer", 240, 0.01
DUE_S = 190
"""Until outcomes are due and counted, and what the work is worth is, once a minute, for what is two minutes past."""


@contextmanager
def shop(folder: Path) -> Generator[tuple[str, str]]:
    """The shop with its season behind it: where its console is, and the password of its first account."""
    with create_server(("127.0.0.1", 0)) as one, create_server(("127.0.0.1", 0)) as other:
        ports = {PROVIDER_PORT: str(one.getsockname()[1]), API_PORT: str(other.getsockname()[1])}
    tour = Tour(TUTORIAL / ALONE, folder, ports)
    try:
        for block in _until_certified():
            tour.do(block)
        _pass_a_season(tour)
        (log,) = folder.glob("terminal-*.log")
        said = log.read_text()
        yield _found(r"console: (\S+?)/console", said), _found(r"\| password +(\S+)", said)
    finally:
        tour.end()


def _until_certified() -> Iterator[Block]:
    for block in blocks(TUTORIAL / ALONE):
        if LAST in block.text:
            return
        if block.title or block.language == "console":
            yield replace(block, text=block.text + BESIDE.get(block.title, ""))


def _pass_a_season(tour: Tour) -> None:
    """Claims come as cases, are decided, and turn out."""
    _run(tour, "python", "season.py", SEASON, str(CLAIMS), str(DECEIVED))
    with (tour.folder / f"{SEASON}.csv").open() as asked, (tour.folder / f"{SEASON}.jsonl").open("w") as cases:
        for row in csv.DictReader(asked):
            value = {"amount": row["amount"], "damage": float(row["damage"])}
            cases.write(json.dumps({"key": row["claim"], "input": value}) + "\n")
    _run(tour, "interlock", "submit", "claims", f"{SEASON}.jsonl", "--wait")
    truth = tour.folder / f"{SEASON}-truth.jsonl"
    truth.write_text(truth.read_text().replace('"asked"', '"case"'))
    _run(tour, "interlock", "outcomes", "add", truth.name)
    time.sleep(DUE_S)


def _run(tour: Tour, *command: str) -> None:
    subprocess.run(command, cwd=tour.folder, env=tour.environment, stdin=subprocess.DEVNULL, check=True, timeout=300)


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    if found is None:
        raise AssertionError(f"`interlock up` did not say {pattern}")
    return found[1]
