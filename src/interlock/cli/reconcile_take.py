"""Taking statements in by hand: files that are named, or what the sources of the settings hold now."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.authority.judge import Verdict
from interlock.cli.options import As, Json, who_acts
from interlock.cli.reconcile_words import statement_document, statement_row
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings, require, with_node
from interlock.errors import NotFound, Refused
from interlock.node import Node
from interlock.packs.reconciliation.configured import settings_of, source_of
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.feeds import SETTLE, looks
from interlock.packs.reconciliation.folder import LARGEST
from interlock.packs.reconciliation.intake import BY_HAND, Intake, Source, Taken
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.reconciliation_settings import ReconciliationSettings
from interlock.spelling import meant

HEADS = ("statement", "state", "account", "currency", "number", "entries", "broken", "in", "out", "up to")
Named = Annotated[str, typer.Option("--name", metavar="NAME", help="The reconciliation, if the settings have several.")]


def take(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files of statements.")] = None,
    *,
    name: Named = "",
    source: Annotated[
        str, typer.Option("--source", metavar="SIDE.SOURCE", help="Read them as this source of the settings.")
    ] = "",
    side: Annotated[Side | None, typer.Option("--side", help="Of which side, where no source says it.")] = None,
    form: Annotated[str, typer.Option("--format", help="Their format, where no source says it.")] = "auto",
    account: Annotated[str, typer.Option("--account", help="The account, where they do not say it.")] = "",
    currency: Annotated[str, typer.Option("--currency", help="The currency, where they do not say it.")] = "",
    corrects: Annotated[
        bool, typer.Option("--corrects", help="They take the place of statements of the same number.")
    ] = False,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Take statements in: files, or without any what the sources of the settings hold now.

    The same file twice changes nothing. Each file is taken whole or not at all, and one that is refused holds up no
    other; the command then ends with the first refusal.
    """
    screen = Screen(as_json=as_json)
    mine, acting = settings_of(load_settings(context), name), who_acts(who)
    if not files:
        _look(context, screen, mine, source, acting)
        return
    read_by = _source(mine, source, side, form, account, currency)

    async def work(node: Node) -> tuple[list[tuple[Path, Taken]], list[Refused]]:
        taken: list[tuple[Path, Taken]] = []
        refused: list[Refused] = []
        intake = intake_of(node, mine, acting, require(node, acting, "close"))
        for path in files:
            try:
                data = await asyncio.to_thread(_read, path)
                taken.append((path, await intake.take(read_by, path.name, data, corrects=corrects)))
            except Refused as cause:
                screen.note(f"{path.name!r} is refused: {cause.what}")
                refused.append(cause)
        return taken, refused

    done, refused = with_node(context, work)
    _tell(screen, done, refused)
    if refused:
        raise refused[0]


def _tell(screen: Screen, done: list[tuple[Path, Taken]], refused: list[Refused]) -> None:
    if screen.as_json:
        screen.document({"files": [_document(path, one) for path, one in done], "refused": [str(x) for x in refused]})
    screen.lines(f"{path.name!r}: {'known already' if one.known else 'taken'}" for path, one in done)
    rows = [statement_row(one) for _, taken in done for one in taken.statements]
    screen.table(HEADS, rows, none="Nothing was taken.")
    for one in (one for _, taken in done for one in taken.statements if one.state == "held"):
        screen.note(f"{one.id} does not add up: `interlock reconcile statement {one.id}` says where")


def intake_of(node: Node, settings: ReconciliationSettings, who: str, verdict: Verdict | None = None) -> Intake:
    """What takes files in, in the node's tenant."""
    workflow: str = settings.terms.get("workflow", ReconciliationTerms(name=settings.name).workflow)
    return Intake(node.database, node.tenant, settings.name, who, workflow, verdict)


def _look(context: typer.Context, screen: Screen, mine: ReconciliationSettings, source: str, who: str) -> None:
    """Look at the sources once; a folder twice, as far apart as its files must stand still."""

    async def work(node: Node) -> dict[str, int]:
        feeds = looks(intake_of(node, mine, who, require(node, who, "close")), mine, os.environ)
        if source and source not in feeds:
            raise _no_source(source, list(feeds))
        wanted = {name: look for name, (look, _) in feeds.items() if not source or name == source}
        counts = {name: await look() for name, look in wanted.items()}
        watched = {f"{x.side}.{x.name}": x.settle or SETTLE for x in mine.sources if x.folder is not None}
        folders = {name: settle for name, settle in watched.items() if name in wanted}
        await asyncio.sleep(max((one.total_seconds() for one in folders.values()), default=0.0))
        return counts | {name: counts[name] + await wanted[name]() for name in folders}

    counts = with_node(context, work)
    if screen.as_json:
        screen.document({"taken": counts})
    screen.table(("source", "new files"), counts.items(), none=f"The settings have no source for {mine.name}.")


def _source(
    mine: ReconciliationSettings, name: str, side: Side | None, form: str, account: str, currency: str
) -> Source:
    if name:
        known = {f"{one.side}.{one.name}": one for one in mine.sources}
        if name not in known:
            raise _no_source(name, list(known))
        if side or form != "auto" or account or currency:
            todo = "leave --side, --format, --account and --currency out, or --source"
            raise Refused("the source says how files are read", where="--source", todo=todo)
        return source_of(mine, known[name])
    if side is None:
        raise Refused("it is not said of which side they are", todo="write --side or --source SIDE.SOURCE")
    return Source(name=BY_HAND, side=side, format=form, account=account, currency=currency)


def _no_source(name: str, known: list[str]) -> NotFound:
    return NotFound(f"the settings have no source {name[:60]!r}", where="--source", todo=meant(name, known))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as cause:
        said = cause.strerror if isinstance(cause, OSError) else "no path"
        raise NotFound(f"it cannot be read: {said}", where=repr(str(path)), todo="see that it is there") from cause
    if len(data) > LARGEST:
        raise Refused(f"it has more than {LARGEST:,} bytes", where=repr(str(path)), todo="take it in pieces")
    return data


def _document(path: Path, taken: Taken) -> dict[str, Any]:
    return {
        "name": path.name.encode("utf-8", "replace").decode(),
        "file": taken.file.id,
        "known": taken.known,
        "statements": [statement_document(one) for one in taken.statements],
    }
