"""Published contracts: checked against what is in force, published, listed, shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.contracts_shown import show_in_force, show_of_decision
from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.publications import Files, Name, list_versions, publish_files, read_file, show_version
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.publications.publication import Kind
from interlock.publications.publish import Against, contract_breaks
from interlock.publications.reading import CONTRACT_SUFFIX, draft_contract

app = commands()
contracts = commands("contracts", "Published contracts: check what a version breaks, publish, list and show them.")
app.add_typer(contracts)
FAILED = 1


@contracts.callback()
def group() -> None:
    """Published contracts: check what a version breaks, publish, list and show them."""


@contracts.command()
def check(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="The file.")], *, as_json: Json = False
) -> None:
    """Name what a contract's version breaks of what is in force, for producers and for consumers.

    Where nothing is published for its line, the file beside a workflow is in force, unless the mode is production.

    Exits with 1 if it breaks anything within its line, so that it could not be published.
    """
    screen = Screen(as_json=as_json)
    draft, contract = draft_contract(read_file(file), str(file))

    async def look(node: Node) -> tuple[Against, ...]:
        files = node.registry.contract_files(contract.name)
        return await contract_breaks(node.database, node.tenant, contract, files)

    found = with_node(context, look, workflows=True, publishes=True)
    breaks = tuple(dict.fromkeys(one for against in found for one in against.breaks))
    before = found[0].contract if found else None
    refused = bool(breaks) and before is not None and before.version.major == contract.version.major
    if as_json:
        told = [{"where": one.where, "what": one.what, "breaks": one.breaks} for one in breaks]
        against = before.reference if before else None
        screen.document({"contract": draft.reference, "against": against, "breaks": told, "publishable": not refused})
    if before is None:
        screen.line(f"{draft.reference}: no other version of it is in force, so it breaks nothing.")
    else:
        verdict = "it may not be published for this line" if refused else "it may be published"
        by = "which is in force" if found[0].published else f"which is in force by its file {before.source}"
        screen.line(f"{draft.reference} against {before.reference}, {by}: {verdict}.")
        screen.table(
            ("where", "breaks", "what"),
            ((one.where or "/", one.breaks, one.what) for one in breaks),
            none="It breaks nothing.",
        )
    if refused:
        raise typer.Exit(FAILED)


@contracts.command()
def publish(context: typer.Context, files: Files, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Publish versions of contracts; each holds in every process within a second, without a restart."""
    for file in files:
        if not file.name.endswith(CONTRACT_SUFFIX):
            raise Refused("it is named like no contract", where=str(file), todo=f"name it NAME@LINE{CONTRACT_SUFFIX}")
    publish_files(context, files, who=who_acts(who), why=why, screen=Screen(as_json=as_json))


@contracts.command(name="list")
def list_contracts(context: typer.Context, name: Name = None, *, as_json: Json = False) -> None:
    """List every published version, which one counts for its line, since when and by whom."""
    list_versions(context, Kind.CONTRACT, name, Screen(as_json=as_json))


@contracts.command()
def show(
    context: typer.Context,
    version: Annotated[str | None, typer.Argument(metavar="NAME@VERSION", help="A version, with its file.")] = None,
    *,
    in_force: Annotated[bool, typer.Option("--in-force", help="Every contract that counts now.")] = False,
    decision: Annotated[str, typer.Option("--decision", metavar="ID", help="Those that a decision rested on.")] = "",
    as_json: Json = False,
) -> None:
    """Show the contracts in force, those that a decision rested on, or one published version with its file.

    Of each: its hash, its owner, who uses it, who published it when and why, its promises and how they stand now.
    """
    screen = Screen(as_json=as_json)
    if sum((version is not None, in_force, bool(decision))) > 1:
        raise Refused(
            "these exclude each other", where="contracts show", todo="give a version, --in-force or --decision"
        )
    if decision:
        show_of_decision(context, decision, screen)
    elif version is not None:
        show_version(context, Kind.CONTRACT, version, screen)
    else:
        show_in_force(context, screen)
