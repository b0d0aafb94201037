"""One person's data as a whole: what is kept, an export for them, erasure, legal holds; and the keys' own key."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.privacy.export import Export, export_subject
from interlock.privacy.rewrap import Rewrapped
from interlock.privacy.rewrap import rewrap as rewrap_keys
from interlock.privacy.subject import Counted, Erased, Shown, Subjects

app = commands()
group = commands("subject", "One person's data as a whole: show, export, erase and hold them; renew the keys.")
app.add_typer(group)
Value = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="Whose: the value of the subject's field, exactly; - reads it from input."),
]
_LONGEST_LINE = 2000


@group.command()
def show(context: typer.Context, value: Value, *, as_json: Json = False) -> None:
    """Show what is known of one person, without their data: counts, running cases, legal holds."""
    screen, subject = Screen(as_json=as_json), _subject(value)

    async def read(node: Node) -> Shown:
        return await subjects_of(node).show(subject)

    shown = with_node(context, read)
    if as_json:
        screen.document(shown)
    screen.facts(
        [
            ("keys", ", ".join(map(str, shown.keys)) or "none: erased"),
            ("erased", ", ".join(map(str, shown.erased))),
            ("records", _counts(shown.records)),
            ("not ended", ", ".join(map(str, shown.running))),
        ]
    )
    screen.table(
        ("hold", "by", "why", "until", "lifted"),
        ((h.id, h.who, h.why, minute(h.until) or "it is lifted", minute(h.lifted_at)) for h in shown.holds),
        none="There is no legal hold.",
    )


@group.command()
def export(
    context: typer.Context,
    value: Value,
    *,
    why: Why,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this new file, which only you can read.")
    ] = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Print everything that is kept of one person, in clear, as JSON. It is on the ledger before it is given."""
    screen, subject, name = Screen(as_json=as_json), _subject(value), who_acts(who)
    if out is not None and out.exists():
        raise Refused(f"{out} is there already", where="--out", todo="name a new file")

    async def read(node: Node) -> Export:
        return await export_subject(subjects_of(node), subject, who=name, why=why)

    found = with_node(context, read, who=name, act="personal.manage")
    text = msgspec.json.format(msgspec.json.encode(found), indent=0 if as_json else 2)
    if out is None:
        sys.stdout.buffer.write(text + b"\n")
        sys.stdout.buffer.flush()
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text + b"\n")
    if as_json:
        screen.document({"out": str(out), "records": len(found.records)})
    screen.line(f"{len(found.records)} records are in {out}.")


@group.command()
def erase(
    context: typer.Context,
    value: Value,
    *,
    why: Why,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while cases have not ended: they then cannot go on.")
    ] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Make one person's data unreadable, wherever they are. It cannot be taken back."""
    screen, subject, name = Screen(as_json=as_json), _subject(value), who_acts(who)

    async def work(node: Node) -> Erased:
        return await subjects_of(node).erase(subject, who=name, why=why, force=force, dry_run=dry_run)

    done = with_node(context, work, who=name, act="personal.manage")
    if as_json:
        screen.document(done)
    said = "would become" if dry_run else "are"
    screen.line(f"{_counts(done.records) or 'no records'} {said} unreadable; proofs of them stay valid.")
    if done.spared:
        screen.line(f"{done.spared} sealed records stay: they hold data of others under a legal hold.", style="yellow")
    if done.running:
        screen.line(f"{len(done.running)} cases have not ended: what they need of the person is gone.", style="yellow")


@group.command()
def hold(
    context: typer.Context,
    value: Value,
    *,
    why: Why,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Until then, in UTC; by default until it is lifted.")
    ] = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Forbid the erasure of one person's data, also of data that are still to come."""
    screen, subject, name = Screen(as_json=as_json), _subject(value), who_acts(who)
    ends = until.replace(tzinfo=UTC) if until else None

    async def work(node: Node) -> str:
        return str(await subjects_of(node).hold(subject, who=name, why=why, until=ends))

    held = with_node(context, work, who=name, act="personal.manage")
    if as_json:
        screen.document({"id": held})
    screen.line(f"The legal hold {held} is in force {f'until {minute(ends)}' if ends else 'until it is lifted'}.")


@group.command()
def unhold(context: typer.Context, value: Value, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Lift every legal hold on one person's data."""
    screen, subject, name = Screen(as_json=as_json), _subject(value), who_acts(who)

    async def work(node: Node) -> int:
        return await subjects_of(node).unhold(subject, who=name, why=why)

    lifted = with_node(context, work, who=name, act="personal.manage")
    if as_json:
        screen.document({"lifted": lifted})
    screen.line(f"{lifted} legal holds are lifted.")


@group.command()
def rewrap(context: typer.Context, *, who: As = "", as_json: Json = False) -> None:
    """Wrap every key of the tenant under the master key in force, so that the one before can go."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def work(node: Node) -> Rewrapped:
        return await rewrap_keys(node.database, node.writer, node.vault.master, node.tenant, who=name)

    done = with_node(context, work, who=name, act="personal.manage")
    if as_json:
        screen.document(done)
    screen.line(f"{done.keys} keys are wrapped anew. Nothing of this tenant needs privacy_key_previous any more.")


def subjects_of(node: Node) -> Subjects:
    """The persons of the node's tenant."""
    return Subjects(node.database, node.writer, node.vault, node.tenant)


def _subject(value: str) -> str:
    """Who is meant; from standard input, so that no history of a shell keeps it."""
    return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n") if value == "-" else value


def _counts(records: tuple[Counted, ...]) -> str:
    return ", ".join(f"{one.records} {one.kind}{'s' if one.records != 1 else ''}" for one in records)
