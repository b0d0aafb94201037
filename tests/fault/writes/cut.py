"""Cuts the writer's connection at one write: before its commit, or after it and before its answer is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self

import psycopg
import pytest

from interlock.db.batch import Batch
from interlock.db.work import Unit
from interlock.ledger.ledger import Entry


class Moment(StrEnum):
    """When the connection is cut."""

    BEFORE = "before its commit"
    AFTER = "after its commit, before its answer"


def kinds_of(unit: Unit) -> list[str]:
    """The kinds of the ledger entries that a unit writes."""
    return [write.row.kind for write in unit.writes if isinstance(write.row, Entry)]


class Cut:
    """While it is entered, the first batch that writes an entry of a kind loses its connection.

    Args:
        kind: The kind; empty: none is cut.
        moment: When.

    Attributes:
        struck: Whether it was.
        seen: The kinds that were written, and how often their batches were sent.
    """

    def __init__(self, kind: str = "", moment: Moment = Moment.BEFORE) -> None:
        self._kind = kind
        self._moment = moment
        self._patch = pytest.MonkeyPatch()
        self.struck = False
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Self:
        real = Batch.write
        cut = self

        async def write(batch: Batch, units: Sequence[Unit]) -> None:
            kinds = [kind for unit in units for kind in kinds_of(unit)]
            strikes = not cut.struck and cut._kind in kinds
            if strikes:
                cut.struck = True
            if not strikes or cut._moment is Moment.AFTER:
                await real(batch, units)
                cut.seen.update(kinds)
            if strikes:
                await batch.connection.close()
                raise psycopg.OperationalError(f"the connection was cut {cut._moment}")

        self._patch.setattr(Batch, "write", write)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.undo()
