"""The ledger on the command line: how it stands, proofs of what it tells, its audit, and its keys."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO
from uuid import UUID

import msgspec
import typer

from interlock.cli.ledger_accept import accept
from interlock.cli.ledger_audit import audit
from interlock.cli.ledger_keys import keygen, keys
from interlock.cli.ledger_reconcile import reconcile
from interlock.cli.options import Json, commands, read_id
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.decisions.proof import Bundle, entries_between, header_of, proofs, prove
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.ledger.lag import lag_of
from interlock.ledger.ledger import INSTALLATION
from interlock.ledger.prove import BundleHeader, newest_checkpoint
from interlock.ledger.reconcile import standing_of
from interlock.ledger.store import UNSEALED, Unsealed, head_of
from interlock.node import Node

app = commands()
ledger = commands("ledger", "The ledger: how it stands, proofs for an auditor, its audit and its keys.")
app.add_typer(ledger)
ledger.command()(audit)
ledger.command()(keygen)
ledger.command()(keys)
ledger.command()(accept)
ledger.command()(reconcile)
Earlier = Annotated[
    Path | None,
    typer.Option(
        "--since-checkpoint", metavar="FILE", help="An earlier checkpoint: prove that nothing before changed."
    ),
]
Everywhere = Annotated[
    bool,
    typer.Option("--installation", help="Of the installation itself: migrations, tenants, builds, stops everywhere."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where; by default standard output.")]
_encoder = msgspec.json.Encoder()


@ledger.callback()
def group() -> None:
    """The ledger: how it stands, proofs for an auditor, its audit and its keys."""


@ledger.command()
def status(context: typer.Context, *, as_json: Json = False) -> None:
    """Show how far the ledger is sealed, signed and published, and what waits."""
    screen = Screen(as_json=as_json)

    async def look(node: Node) -> dict[str, object]:
        async with node.database.installation() as connection:
            head = await head_of(connection)
            waiting = await UNSEALED.one(connection) or Unsealed(entries=0, since=None)
            try:
                kept = await newest_checkpoint(connection)
            except Refused:
                kept = None
            compared = await standing_of(connection)
            lag = await lag_of(connection, node.settings)
        return {
            "entries": head.size,
            "root": head.root.hex(),
            "sealed_at": head.sealed_at,
            "waiting": waiting.entries,
            "waiting_since": waiting.since,
            "signed": kept.size if kept else None,
            "signed_at": kept.signed_at if kept else None,
            "keys": kept.keys if kept else [],
            "folder": str(node.settings.ledger_folder),
            "late": lag.what,
            "gaps": compared.gaps,
            **{f"compared_{one.look}": one.looked_at for one in compared.looks},
        }

    found = with_node(context, look)
    if as_json:
        screen.document(found)
    screen.facts([(name, minute(value) if isinstance(value, datetime) else value) for name, value in found.items()])


@ledger.command()
def checkpoint(context: typer.Context, *, as_json: Json = False) -> None:
    """Print the newest signed checkpoint: keep it where nobody can change it."""
    screen = Screen(as_json=as_json)

    async def look(node: Node) -> str:
        async with node.database.installation() as connection:
            return (await newest_checkpoint(connection)).text

    note = with_node(context, look)
    if as_json:
        screen.document({"note": note})
    else:
        sys.stdout.write(note)


@ledger.command(name="prove")
def prove_one(
    context: typer.Context,
    about: Annotated[str, typer.Argument(metavar="ID", help="Of a decision, case, action, review or entry.")],
    *,
    installation: Everywhere = False,
    earlier: Earlier = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Prove all that the ledger tells of one thing: a bundle for `interlock-verify`."""
    wanted, before = read_id(about, "anything"), _note(earlier)

    async def make(node: Node) -> Bundle:
        return await prove(node.database, INSTALLATION if installation else node.tenant, wanted, earlier=before)

    bundle = with_node(context, make)
    data = msgspec.json.format(_encoder.encode(bundle), indent=1) + b"\n"
    if out is None or as_json:
        sys.stdout.buffer.write(data)
    if out is not None:
        out.write_bytes(data)
        Screen(as_json=as_json).note(f"{len(bundle.entries)} entries in {out}: check it with `interlock-verify {out}`")


@ledger.command()
def bundle(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 24h, 30d.")] = "24h",
    installation: Everywhere = False,
    earlier: Earlier = None,
    out: Out = None,
) -> None:
    """Prove every entry of a time: JSON lines for `interlock-verify`, in constant memory."""
    span, before = parse_duration(since), _note(earlier)

    async def make(node: Node) -> int:
        tenant = INSTALLATION if installation else node.tenant
        header = await header_of(node.database, tenant, earlier=before)
        now = node.database.clock.now()
        if out is None:
            return await _write(node, tenant, sys.stdout, header, now - span, now)
        with out.open("w", encoding="utf-8") as file:
            return await _write(node, tenant, file, header, now - span, now)

    count = with_node(context, make)
    Screen(as_json=False).note(f"{count} entries{f' in {out}' if out else ''}")


async def _write(node: Node, tenant: UUID, file: TextIO, header: BundleHeader, since: datetime, until: datetime) -> int:
    """A bundle as JSON lines: the header, then an entry a line; how many entries."""
    file.write(_encoder.encode(header).decode() + "\n")
    count = 0
    async for page in entries_between(node.database, tenant, since, until):
        async for one in proofs(node.database, tenant, page, header, only_sealed=True):
            file.write(_encoder.encode(one).decode() + "\n")
            count += 1
    return count


def _note(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise Refused(f"the checkpoint cannot be read: {cause}", where=str(path)) from cause
