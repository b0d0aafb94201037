"""The face of the command line: every command is in the table and in the reference, and help comes at once."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_group

from interlock import errors
from interlock.cli.table import TABLE
from interlock.errors import InterlockError

from .conftest import Run

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
HEAVY = ("psycopg", "litestar", "onnxruntime", "numpy", "httpx", "interlock.db", "interlock.cases", "interlock.node")
SOMETIMES = ("litestar", "onnxruntime", "numpy", "polars", "httpx", "pydantic", "sklearn", "scipy", "lxml", "nats")
"""What only some workers need: each of them takes about as long as all of ours."""


def paths() -> Iterator[tuple[str, list[str]]]:
    """Every command as it is written, with its options."""
    for name, entry in TABLE.items():
        command = get_group(importlib.import_module(f"interlock.cli.{entry.module}").app).commands[name]
        inner = list(command.commands.items()) if isinstance(command, TyperGroup) else [("", command)]
        if isinstance(command, TyperGroup) and command.invoke_without_command:
            inner.append(("", command))
        for below, one in inner:
            options = [text for parameter in one.params for text in parameter.opts if text.startswith("--")]
            yield f"{name} {below}".strip(), options


@pytest.mark.parametrize("name", TABLE)
def test_the_table_says_what_the_command_says(name: str) -> None:
    module = importlib.import_module(f"interlock.cli.{TABLE[name].module}")
    assert isinstance(module.app, typer.Typer)
    command = get_group(module.app).commands[name]
    assert (command.help or "").splitlines()[0] == TABLE[name].summary


@pytest.mark.parametrize(("path", "options"), list(paths()))
def test_every_command_and_option_stands_in_the_reference(path: str, options: list[str]) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    heading = next((part for part in text.split("\n### ") if part.startswith(f"`interlock {path}`\n")), "")
    assert heading, f"{path} has no heading"
    for option in set(options) - {"--json", "--help", "--as"}:
        assert option in heading, f"{path} {option}"


def test_every_exit_code_stands_in_the_reference() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, InterlockError)]
    text = REFERENCE.read_text(encoding="utf-8")
    for code in {one.exit_code for one in classes} | {0, 130}:
        assert f"| {code} |" in text


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom interlock.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr.strip() == "[]"
    assert all(name in ran.stdout for name in TABLE)


def test_a_worker_imports_only_what_every_worker_needs() -> None:
    script = (
        "import sys, interlock.cli.worker_process, interlock.cli.cases\n"
        f"print([name for name in {SOMETIMES!r} if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out.startswith("interlock 0.")


def test_a_wrong_flag_value_is_named(run: Run) -> None:
    ran = run("--tenant", "No Name", "cases", code=2)
    assert "--tenant" in ran.err
    assert "to do: " in ran.err
