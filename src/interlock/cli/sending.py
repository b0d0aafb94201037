"""Sending what a file offers, many at a time, so that they share commits; and the report of what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from interlock.cases.registry import Registered
from interlock.cases.submit import Submitted, submit
from interlock.cli.offers import BadLine, Keying, Line, Offer, offer_of
from interlock.cli.screen import Screen
from interlock.errors import DatabaseUnavailable, InterlockError, Refused, Violation
from interlock.node import Node

WINDOW = 250
"""How many are under way at once."""

Progressed = Callable[[int, str], None]


class Taken(msgspec.Struct, frozen=True):
    """A case that was made or found again."""

    line: int
    key: str
    case: UUID
    new: bool


class Held(msgspec.Struct, frozen=True):
    """A case in quarantine, with every violation."""

    line: int
    key: str
    case: UUID
    violations: tuple[Violation, ...]


class Turned(msgspec.Struct, frozen=True):
    """A line that was refused, and why."""

    line: int
    key: str
    code: str
    what: str
    where: str
    todo: str


@dataclass(slots=True)
class Report:
    """What became of a file. It grows while the file is sent.

    Attributes:
        lines: How many inputs it had.
        cases: Those that were made or found again, without what was quarantined now.
        quarantined: Those that were quarantined now.
        refused: Those that were refused.
        known_broken: How many of those found again break their contract; they were quarantined before.
    """

    lines: int = 0
    cases: list[Taken] = field(default_factory=list[Taken])
    quarantined: list[Held] = field(default_factory=list[Held])
    refused: list[Turned] = field(default_factory=list[Turned])
    known_broken: int = 0

    @property
    def new(self) -> int:
        """How many are new and go on."""
        return sum(case.new for case in self.cases)

    @property
    def known(self) -> int:
        """How many were known before."""
        return len(self.cases) - self.new

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "lines": self.lines,
            "new": self.new,
            "known": self.known,
            "quarantined": self.quarantined,
            "refused": self.refused,
            "cases": self.cases,
        }

    def add(self, offered: Offer | BadLine, became: Submitted | Refused | None) -> None:
        """Note what became of a line."""
        self.lines += 1
        if isinstance(offered, BadLine):
            self._turn(offered.line, offered.key, offered.cause)
        elif isinstance(became, InterlockError):
            self._turn(offered.line, offered.key, became)
        elif became is not None and became.violations and became.new:
            self.quarantined.append(Held(offered.line, offered.key, became.case_id, became.violations))
        elif became is not None:
            self.known_broken += bool(became.violations)
            self.cases.append(Taken(offered.line, offered.key, became.case_id, became.new))

    def _turn(self, line: int, key: str, cause: InterlockError) -> None:
        self.refused.append(Turned(line, key, cause.code, cause.what, cause.where, cause.todo))


async def send(
    node: Node,
    registered: Registered,
    lines: Iterable[Line],
    keying: Keying,
    screen: Screen,
    size: int | None,
    *,
    caller: str,
) -> Report:
    """Submit every line; none stops the others.

    Args:
        node: For the commits.
        registered: The workflow.
        lines: The lines; read as they are sent, so that a file may be larger than memory.
        keying: Where their keys come from.
        screen: Where progress is drawn.
        size: The file's bytes, if they are known.
        caller: Who submits them.

    Raises:
        DatabaseUnavailable: it went away; what was answered is durable, and the same command sends the rest.
    """
    report = Report()
    stream = iter(lines)
    with _progress(screen, size) as progressed:
        while window := list(islice(stream, WINDOW)):
            offers = [offer_of(line, keying) for line in window]
            try:
                became = await asyncio.gather(*(_send_one(node, registered, offer, caller) for offer in offers))
            except DatabaseUnavailable as cause:
                todo = "run the same command again when it is back: what was taken before is found by its key"
                raise DatabaseUnavailable(f"after {report.lines} inputs: {cause.what}", todo=todo) from cause
            for offer, one in zip(offers, became, strict=True):
                report.add(offer, one)
            progressed(sum(len(line.data) + 1 for line in window), f"{report.lines} inputs")
    return report


async def _send_one(
    node: Node, registered: Registered, offer: Offer | BadLine, caller: str
) -> Submitted | Refused | None:
    if isinstance(offer, BadLine):
        return None
    try:
        return await submit(
            node.writer,
            node.tenant,
            registered,
            key=offer.key,
            data=offer.data,
            caller=caller,
            levels=node.levels,
        )
    except Refused as cause:
        return cause


@contextmanager
def _progress(screen: Screen, size: int | None) -> Generator[Progressed]:
    """A bar by the file's bytes where a person watches; else nothing."""
    if not screen.live:
        yield lambda _advance, _text: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen.err, transient=True) as bar:
        task = bar.add_task("reading", total=size)
        yield lambda advance, text: bar.update(task, advance=advance, description=text)
