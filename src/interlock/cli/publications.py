"""What the commands of rules and contracts share: files read, published and told; versions listed and shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from interlock.authority.judge import everything
from interlock.cases.publishing import Outcome, kind_of, publish_contract, publish_rules
from interlock.cli.screen import Screen, minute
from interlock.cli.session import operator, with_node
from interlock.errors import NotFound, Refused
from interlock.node import Node
from interlock.publications.publication import LARGEST_FILE, Kind, Standing, check_reason, split_reference
from interlock.publications.publish import find_published, list_published

Files = Annotated[list[Path], typer.Argument(help="The files.")]
Version = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version; NAME@LINE means the one in force.")]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Only of this name.")]


def read_file(file: Path) -> bytes:
    """The bytes of a file that may be published.

    Raises:
        NotFound: there is none, or it cannot be read.
        Refused: it is too large.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as cause:
        raise NotFound(
            f"the file cannot be read: {cause.strerror or cause}", where=str(file), todo="check its name and its rights"
        ) from cause
    if len(data) > LARGEST_FILE:
        raise Refused(f"the file has more than {LARGEST_FILE:,} bytes", where=str(file), todo="split what is in it")
    return data


def publish_files(context: typer.Context, files: Sequence[Path], *, who: str, why: str, screen: Screen) -> None:
    """Publish files in order, contracts first, each in a commit of its own; what is published already is passed over.

    Raises:
        Refused: a file is refused; those before it are published, and said so.
    """
    check_reason(why)
    ordered = sorted(((kind_of(file.name), file, read_file(file)) for file in files), key=_contracts_first)

    async def run(node: Node) -> list[Outcome]:
        return [await _publish(node, kind, file, data, who=who, why=why, screen=screen) for kind, file, data in ordered]

    done = with_node(context, run, workflows=True, publishes=True)
    if screen.as_json:
        screen.document({"published": [outcome_document(one) for one in done]})


def _contracts_first(one: tuple[Kind, Path, bytes]) -> tuple[bool, str]:
    return one[0] is not Kind.CONTRACT, str(one[1])


async def _publish(node: Node, kind: Kind, file: Path, data: bytes, *, who: str, why: str, screen: Screen) -> Outcome:
    verdict = node.authority.require(operator(node, who), "publish", everything(node.tenant))
    if kind is Kind.CONTRACT:
        done = await publish_contract(
            node.database, node.writer, node.registry, node.tenant, data, str(file), who=who, why=why,
            verdict=verdict,
        )  # fmt: skip
    else:
        done = await publish_rules(
            node.database,
            node.writer,
            node.registry,
            node.tenant,
            data,
            str(file),
            who=who,
            why=why,
            verdict=verdict,
        )
    tell(screen, done)
    return done


def tell(screen: Screen, done: Outcome) -> None:
    """Say what became of a version."""
    standing = done.published.standing
    what = f"{standing.kind} {standing.reference}"
    if done.published.new:
        screen.line(f"{what} counts for the line {standing.line}, in every process within a second.")
    elif standing.in_force:
        screen.line(f"{what} was published by {standing.author} at {minute(standing.at)}; it counts.")
    else:
        screen.line(
            f"{what} was published by {standing.author} at {minute(standing.at)}, and does not count: another one is "
            f"in force. `interlock rules revert {standing.name}@{standing.line} --to {standing.version}` changes that.",
            style="yellow",
        )
    for fit in done.fits:
        screen.line(f"  used by {fit.point}")
        screen.lines(f"    {note}" for note in fit.notes)
    screen.lines(f"  breaks, as a new line may: {one}" for one in done.published.breaks)


def outcome_document(done: Outcome) -> dict[str, Any]:
    """What became of a version, for programs."""
    return {
        **standing_document(done.published.standing),
        "new": done.published.new,
        "fits": [{"point": one.point, "notes": one.notes} for one in done.fits],
        "breaks": [{"where": b.where, "what": b.what, "breaks": b.breaks} for b in done.published.breaks],
    }


def standing_document(standing: Standing) -> dict[str, Any]:
    """A published version, for programs."""
    return {**msgspec.structs.asdict(standing), "digest": standing.digest.hex()}


def list_versions(context: typer.Context, kind: Kind, name: str | None, screen: Screen) -> None:
    """List the published versions of one kind."""

    async def read(node: Node) -> list[Standing]:
        return await list_published(node.database, node.tenant, kind, name)

    found = with_node(context, read)
    if screen.as_json:
        screen.document({"publications": [standing_document(one) for one in found]})
    screen.table(
        ("version", "line", "counts since", "published", "by", "why", "sha-256"),
        (
            (
                one.reference,
                one.line,
                f"{minute(one.since)} ({one.by})" if one.in_force else "",
                minute(one.at),
                one.author,
                one.why,
                one.digest.hex()[:12],
            )
            for one in found
        ),
        none=f"nothing of this is published; `interlock publish FILE --why ...` publishes {kind}",
    )


def show_version(context: typer.Context, kind: Kind, version: str, screen: Screen) -> None:
    """Show one published version with its file."""
    wanted = split_reference(version, kind)

    async def read(node: Node) -> tuple[Standing, bytes]:
        return await find_published(node.database, node.tenant, kind, wanted.name, wanted.version)

    found, content = with_node(context, read)
    if screen.as_json:
        screen.document({**standing_document(found), "content": content.decode()})
    screen.facts(
        [
            (str(kind), found.reference),
            ("counts", f"for the line {found.line} since {minute(found.since)}" if found.in_force else "no"),
            ("published", f"{minute(found.at)} by {found.author}: {found.why}"),
            ("sha-256", found.digest.hex()),
        ]
    )
    screen.line()
    screen.line(content.decode())
