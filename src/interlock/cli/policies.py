"""Policies: shown, checked, held against examples; and who may do what by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.api.parts import who_may
from interlock.authority.examples import differences, read_examples
from interlock.authority.judge import Authority, load_authority, shipped_examples
from interlock.cli.options import Json, commands
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import load_settings
from interlock.errors import NotFound, Refused
from interlock.plain_yaml import LARGEST_FILE
from interlock.spelling import meant

app = commands()
group = commands("policies", "Who may do what: show the policies, check them, test them, ask them.")
app.add_typer(group)
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="These policies, and not those of the settings."),
]
DIFFERS = 1


@group.command()
def show(context: typer.Context, *, folder: Folder = None, as_json: Json = False) -> None:
    """Show the policies in force, their ids and their digest."""
    screen, authority = Screen(as_json=as_json), _load(context, folder)
    if as_json:
        screen.document(
            {"digest": authority.digest, "ids": authority.ids, "text": authority.text, "schema": authority.schema}
        )
    screen.line(authority.text.rstrip())
    screen.note(f"{len(authority.ids)} policies; SHA-256 {authority.digest}")


@group.command()
def check(context: typer.Context, *, folder: Folder = None, as_json: Json = False) -> None:
    """Check that policies can be used: every one has an id, and speaks only of what there is."""
    screen, authority = Screen(as_json=as_json), _load(context, folder)
    if as_json:
        screen.document({"digest": authority.digest, "ids": authority.ids})
    screen.line(f"{len(authority.ids)} policies can be used. SHA-256 {authority.digest[:16]}")


@group.command(name="test")
def try_examples(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Examples as YAML or JSON; by default the shipped ones.")
    ] = None,
    *,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Hold policies against a table of examples; fails with every one that they do not keep."""
    screen, authority = Screen(as_json=as_json), _load(context, folder)
    examples = read_examples(_read(file) if file else shipped_examples(), file.name if file else "tests.yaml")
    found = list(differences(authority, examples))
    tried = sum(len(one.acts) for one in examples)
    if as_json:
        told = [{"place": one.place, "why": one.why, "act": one.act, "what": one.what} for one in found]
        screen.document({"examples": len(examples), "verdicts": tried, "differences": told})
    for one in found:
        screen.line(f"example {one.place} ({one.why or 'unnamed'}), {one.act}: {one.what}", style="red")
    screen.line(f"{len(examples)} examples, {tried} verdicts, {len(found)} differ.")
    if found:
        raise typer.Exit(DIFFERS)


@group.command()
def who(
    context: typer.Context,
    act: Annotated[str, typer.Argument(metavar="ACT", help="The act, such as queue.decide or stop.set.")],
    *,
    on: Annotated[str, typer.Option("--on", metavar="TYPE", help="What it is done to: Task, Scope, Account.")] = "",
    facts: Annotated[
        list[str] | None, typer.Option("--fact", metavar="NAME=VALUE", help="What is known of it, as in an example.")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show which roles of people and which scopes of keys may do something, and by which policy."""
    screen, authority = Screen(as_json=as_json), _load(context, folder)
    if act not in authority.acts:
        raise NotFound(f"no act is called {act[:60]!r}", todo=meant(act, authority.acts))
    found = tuple(who_may(authority, act, on or "Everything", dict(map(_fact, facts or ()))))
    if as_json:
        screen.document({"act": act, "parts": [as_document(one) for one in found]})
    screen.table(
        ("who", "part", "may", "because"),
        (
            (one.kind, one.part, "yes" if one.may else "no", ", ".join(one.because) or "nothing permits it")
            for one in found
        ),
        none="",
    )


def _fact(text: str) -> tuple[str, Any]:
    """A fact as it was written; it is read as an example's is."""
    name, mark, value = text.partition("=")
    if not mark:
        raise Refused(f"{text[:60]!r} is no fact", where="--fact", todo="write NAME=VALUE")
    table = f"examples:\n  - {{who: {{}}, acts: [view], allowed: true, facts: {{{name}: {value}}}}}\n"
    (example,) = read_examples(table.encode(), "--fact")
    return next(iter(example.facts.items()))


def _load(context: typer.Context, folder: Path | None) -> Authority:
    return load_authority(folder if folder is not None else load_settings(context).policies)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except OSError as cause:
        raise NotFound(f"the file cannot be read: {cause.strerror}", where=str(file), todo="check its name") from cause
    if len(data) > LARGEST_FILE:
        raise Refused(f"the file has more than {LARGEST_FILE:,} bytes", where=str(file), todo="split it")
    return data
