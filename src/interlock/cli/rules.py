"""Rules files and published rules: checked, tested, published, listed, reverted, compared over recorded decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from interlock.authority.judge import everything
from interlock.cases.publishing import Outcome, revert_rules
from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.publications import (
    Files,
    Name,
    Version,
    list_versions,
    outcome_document,
    publish_files,
    read_file,
    show_version,
    tell,
)
from interlock.cli.rules_diff import diff
from interlock.cli.screen import Screen
from interlock.cli.session import operator, with_node
from interlock.components.rules import load_rules
from interlock.components.rules_examples import Tested, Tried, run_examples
from interlock.errors import Refused
from interlock.node import Node
from interlock.publications.publication import Kind, split_reference

app = commands()
rules = commands("rules", "Rules: check and test files, publish versions, compare and revert them.")
app.add_typer(rules)
rules.command(name="diff")(diff)
File = Annotated[Path, typer.Argument(help="The file.")]
FAILED = 1


@rules.callback()
def group() -> None:
    """Rules: check and test files, publish versions, compare and revert them."""


@rules.command()
def check(file: File, *, as_json: Json = False) -> None:
    """Read a rules file and name every cell that would fail or never fire."""
    screen = Screen(as_json=as_json)
    loaded = load_rules(read_file(file), str(file))
    header = loaded.header
    if as_json:
        screen.document(
            {
                "rules": str(loaded.ref),
                "inputs": list(header.inputs),
                "outputs": list(header.outputs),
                "digest": loaded.digest.hex(),
                "engine": loaded.engine,
            }
        )
    screen.facts(
        [
            ("rules", loaded.ref),
            ("inputs", ", ".join(header.inputs)),
            ("outputs", ", ".join(header.outputs)),
            *([("engine", "zen, more slowly; the log says why")] if loaded.engine == "zen" else []),
        ]
    )


@rules.command(name="test")
def run_tests(files: Files, *, as_json: Json = False) -> None:
    """Run the examples of rules files and show each: what it must give, what it gives, the rows that fired.

    Exits with 1 if any fails, if a file has none, or if anything else in it is wrong.
    """
    screen = Screen(as_json=as_json)
    tested = [(file, run_examples(read_file(file), str(file))) for file in files]
    if as_json:
        screen.document({"files": [{"file": str(file), **_document(one)} for file, one in tested]})
    for file, one in tested:
        _tell_tested(screen, file, one)
    if not all(one.passes for _, one in tested):
        raise typer.Exit(FAILED)


def _tell_tested(screen: Screen, file: Path, one: Tested) -> None:
    passed = sum(example.passes for example in one.tried)
    screen.line(f"{file}: {one.rules}, {passed} of {len(one.tried)} examples pass", style=None if one.passes else "red")
    screen.table(
        ("example", "", "expected", "got", "fired"),
        (
            (
                f"{example.number} {example.note}".strip(),
                "passes" if example.passes else "FAILS",
                _text(example.expected),
                example.failed if example.got is None else _text(example.got),
                ", ".join(f"{fired.table} row {fired.row}" for fired in example.fired),
            )
            for example in one.tried
        ),
        none="  there is no example: rules without one are not published",
    )
    screen.lines(f"  {violation}" for violation in one.wrong)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _document(one: Tested) -> dict[str, Any]:
    def told(example: Tried) -> dict[str, Any]:
        return {**msgspec.structs.asdict(example), "passes": example.passes}

    return {
        "rules": one.rules,
        "passes": one.passes,
        "examples": [told(example) for example in one.tried],
        "wrong": [msgspec.structs.asdict(violation) for violation in one.wrong],
    }


@rules.command()
def publish(context: typer.Context, files: Files, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Publish versions of rules; each decides in every process within a second, without a restart."""
    _only(files, ".rules.json")
    publish_files(context, files, who=who_acts(who), why=why, screen=Screen(as_json=as_json))


def _only(files: list[Path], suffix: str) -> None:
    for file in files:
        if not file.name.endswith(suffix):
            raise Refused("it is named like no rules", where=str(file), todo=f"name it NAME@VERSION{suffix}")


@rules.command(name="list")
def list_rules(context: typer.Context, name: Name = None, *, as_json: Json = False) -> None:
    """List every published version, which one counts for its line, since when and by whom."""
    list_versions(context, Kind.RULES, name, Screen(as_json=as_json))


@rules.command()
def show(context: typer.Context, version: Version, *, as_json: Json = False) -> None:
    """Show a published version with its file."""
    show_version(context, Kind.RULES, version, Screen(as_json=as_json))


@rules.command()
def revert(
    context: typer.Context,
    line: Annotated[str, typer.Argument(metavar="NAME@LINE", help="The line, as workflows name it.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="The published version that shall count.")],
    why: Why,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Let another published version count for a line, in every process within a second."""
    screen = Screen(as_json=as_json)
    wanted, name = split_reference(line, Kind.RULES), who_acts(who)

    async def run(node: Node) -> Outcome:
        return await revert_rules(
            node.database, node.writer, node.registry, node.tenant, name=wanted.name, line=wanted.version, version=to,
            who=name, why=why, verdict=node.authority.require(operator(node, name), "publish", everything(node.tenant)),
        )  # fmt: skip

    done = with_node(context, run, workflows=True, publishes=True)
    if as_json:
        screen.document(outcome_document(done))
    tell(screen, done)
