"""What commands share: how they are declared, the options that many have, and who acts."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from interlock.durations import parse_duration
from interlock.errors import InterlockError, Refused

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="Who acts; by default cli: and your user name.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="The most that are listed.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for whoever reads the ledger.")]

_LONGEST_NAME = 100


def commands(name: str | None = None, help_text: str | None = None) -> typer.Typer:
    """A module's commands, or a group of them under a name."""
    return typer.Typer(
        name=name,
        help=help_text,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=name is not None,
    )


def read_moment(text: str, now: datetime, where: str) -> datetime | None:
    """A time in UTC, or how far back; None where nothing is said.

    Raises:
        Refused: it is neither.
    """
    if not text:
        return None
    reads: tuple[Callable[[], datetime], ...] = (
        lambda: now - parse_duration(text),
        lambda: datetime.fromisoformat(text),
    )
    for read in reads:
        try:
            found = read()
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (InterlockError, ValueError, OverflowError):
            continue
    raise Refused(f"{text[:60]!r} is no time", where=where, todo="write 2026-01-31T18:00, or how far back, as in 7d")


def who_acts(given: str) -> str:
    """The name that is recorded: the one that was given, or the user of this process.

    Raises:
        Refused: it is too long, or holds what cannot be printed.
    """
    name = given.strip()
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused(
            f"{name[:60]!r} is no name", where="--as", todo=f"use at most {_LONGEST_NAME} printable characters"
        )
    if name:
        return name
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"


def read_id(text: str, what: str) -> UUID:
    """An id as it was written.

    Raises:
        Refused: it is none.
    """
    try:
        return UUID(text)
    except ValueError as cause:
        raise Refused(
            f"{text[:60]!r} is no id of {what}", where="ID", todo="copy the whole id: 32 digits from 0 to f, in groups"
        ) from cause


def flags_of(context: typer.Context) -> dict[str, Any]:
    """What the command line said before the command: settings by key."""
    found: Any = context.find_root().obj
    return dict(found or {})
