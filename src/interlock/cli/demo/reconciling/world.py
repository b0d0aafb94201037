"""The demo's world: a folder with a database of its own, books that are their own process, settings that name both."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from interlock.config import FILE, Settings
from interlock.packs.reconciliation.generated.month import ACCOUNTS
from interlock.packs.reconciliation.generated.writers import CSV_DIALECT, PARQUET_DIALECT
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedBooks

WORKFLOW = "interlock.packs.reconciliation.workflow:reconciliation"

_HEAD = """\
# Written by `interlock demo reconciliation`. Commands that are run in this folder see this demo's database.
data_dir = "."
tenant = "demo"
workflows = ["{workflow}"]
api_port = 0
# A booking waits for commits and for the books most of its time.
concurrency = 128

[connectors.books]
kind = "http"
url = "{books}"
simulated = true
timeout = "5s"
honours_keys = true
key_retention = "30d"
can_look_up = true
max_request_life = "30s"
concurrency = 64
# Each fault is one request's own: the books as a whole are well, and are not to be left alone for it.
circuit_failures = 200
"""

_POST = """
[connectors.books.operations.{name}]
method = "POST"
path = "/journals"
body = {{reference = "{{reference}}", date = "{{date}}", currency = "{{currency}}", lines = "{{lines}}", amount = "{{amount.amount}}"}}
refused = [409]

[connectors.books.operations.{name}.look_up]
path = "/journals?key={{key}}"
pending = {{field = "state", is = "pending"}}
done = {{field = "state", is = ["posted", "reversed"]}}
match = {{reference = "reference", amount = "amount", currency = "currency"}}
"""  # noqa: E501 - an inline table stands on one line

_REVERSE = """
[connectors.books.operations.{name}]
method = "POST"
path = "/journals/{{undoes.response.id}}/reversal"
refused = [409]

[connectors.books.operations.{name}.look_up]
path = "/journals?key={{key}}"
pending = {{field = "state", is = "pending"}}
done = {{field = "state", is = "posted"}}
match = {{reverses = "{{undoes.response.id}}"}}
"""

_FIRST = (1,)
_EFFECTS = (Operation.POST, Operation.REVERSE)


def fault_plan(seed: int, *, few: bool = False) -> FaultPlan:
    """What goes wrong at the books: a tenth of the first attempts meets something; one in two hundred where few do."""
    return FaultPlan(
        seed=seed,
        rules=tuple(
            FaultRule(
                kind=kind,
                probability=probability / 20 if few else probability,
                seconds=seconds,
                attempts=_FIRST,
                on=_EFFECTS,
            )
            for kind, probability, seconds in (
                (FaultKind.FAIL_BEFORE, 0.02, 0.0),
                (FaultKind.FAIL_AFTER, 0.02, 0.0),
                (FaultKind.DROP_BEFORE, 0.02, 0.0),
                (FaultKind.DROP_AFTER, 0.02, 0.0),
                (FaultKind.SLOW_AFTER, 0.01, 0.5),
                (FaultKind.LATE_EFFECT, 0.01, 2.0),
            )
        ),
    )


def month_settings() -> str:
    """The settings of the reconciliation ``month``: its terms, and a source for each kind of file."""
    links = [[expected, actual] for expected, actual, _ in ACCOUNTS.values()]
    expected, actual = "reconciliation.month.expected", "reconciliation.month.actual"
    gulf = ACCOUNTS["GULF"]
    return "\n".join(
        [
            "\n[reconciliation.month]",
            'tolerance = ["2 %"]',
            "days_later = 10",
            "days_earlier = 1",
            f"links = {_toml(links)}",
            f'\n[{expected}.open_items]\nfolder = "in/open_items"\nformat = "csv"\ndialect = {_toml(CSV_DIALECT)}',
            f'\n[{actual}.bank]\nfolder = "in/bank"\nformat = "camt"',
            f'\n[{actual}.runs]\nfolder = "in/runs"\nformat = "mt940"',
            f'\n[{actual}.cards]\nfolder = "in/cards"\nformat = "csv"\ndialect = {_toml(CSV_DIALECT)}',
            f'\n[{actual}.overseas]\nfolder = "in/overseas"\nformat = "ofx"',
            f'\n[{actual}.gulf]\nfolder = "in/gulf"\nformat = "parquet"\ndialect = {_toml(PARQUET_DIALECT)}',
            f'account = "{gulf[1]}"\ncurrency = "{gulf[2]}"\n',
        ]
    )


@contextmanager
def demo_world(
    data_dir: Path, reconciliation: str, *, faults: FaultPlan, now: datetime, flags: Mapping[str, object]
) -> Generator[tuple[Settings, SimulatedBooks, Path]]:
    """Make the folder, start the books, write the settings, and go there: the workers read them, too.

    Args:
        data_dir: Below it the demo's folder is made, a new one each time, so that demos never meet.
        reconciliation: The settings of the reconciliation.
        faults: What goes wrong at the books.
        now: Names the folder.
        flags: What the command line said.
    """
    folder = data_dir.resolve() / "demo-reconciliation" / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    folder.mkdir(parents=True)
    with SimulatedBooks(folder / "books.ledger", faults=faults) as books:
        text = _HEAD.format(workflow=WORKFLOW, books=books.url)
        text += "".join(_POST.format(name=name) for name in ("book", "write_off"))
        text += "".join(_REVERSE.format(name=name) for name in ("unbook", "unwrite_off"))
        (folder / FILE).write_text(text + reconciliation, encoding="utf-8")
        before = Path.cwd()
        # A database and settings of its own: no worker that acts for real ever sees the demo's cases.
        for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
            del os.environ[name]
        os.chdir(folder)
        try:
            yield Settings.load(flags, os.environ, folder), books, folder
        finally:
            os.chdir(before)


def _toml(value: Any) -> str:
    """A value as TOML has it within a line."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in cast("list[Any]", value)) + "]"
    return msgspec.json.encode(value).decode()
