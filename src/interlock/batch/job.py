"""What a run over a table is told, and what it tells. Types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from interlock.batch.files import Form
from interlock.batch.processes import Hiring
from interlock.batch.record import Order
from interlock.batch.table import Table
from interlock.batch.tally import Tally
from interlock.cases.in_line import NamedPoint


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        done: How many rows of the table are settled, or how many bytes.
        total: What that counts to; None if nobody knows.
        tally: The count so far.
        waiting: Why it waits just now, or empty.
    """

    done: int
    total: int | None
    tally: Tally
    waiting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is decided, and where to.

    Attributes:
        tenant: Whose decisions.
        named: The decision point.
        table: The table.
        order: What makes this run itself and no other.
        out: The file of decisions.
        out_form: How it is written.
        rejects: The file of refused rows.
        rejects_form: How that is written.
        caller: Who asks.
        patience: How long to wait where a queue is full or a stop holds, before ending so that it can be taken up.
        told: Is told how far it is, after each unit.
        hiring: Which processes may decide beside this one; None: this one decides alone.
    """

    tenant: UUID
    named: NamedPoint
    table: Table
    order: Order
    out: Path
    out_form: Form
    rejects: Path
    rejects_form: Form
    caller: str
    patience: timedelta
    told: Callable[[Progress], None]
    hiring: Hiring | None = None
