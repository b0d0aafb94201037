"""The rows of a table as questions: each with its number, its key, its input and what is at stake. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import polars as pl

from interlock.batch.cells import Column, records
from interlock.contracts import Contract, Field, Shape
from interlock.contracts.shown import shown
from interlock.contracts.vectorised import vectorised
from interlock.errors import InterlockError, ManyRefused, MoneyInvalid, Refused, Violation
from interlock.money import Money
from interlock.spelling import meant

LONGEST_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of a table are read.

    Attributes:
        contract: What the point's input is held against; None where the point names none.
        run: What tells this run's keys from another's, where the table has no column of keys; by default its digest.
        key: The column of the keys; empty: a row's key is the run and its number.
        exposure: The column of the money at stake; empty: there is none.
        currency: What its amounts are in; empty: each cell says it, as in ``12.30 MYR``.
        leave_out: Columns that are not for the point.
    """

    contract: Contract | None
    run: str = ""
    key: str = ""
    exposure: str = ""
    currency: str = ""
    leave_out: frozenset[str] = frozenset()

    def over(self, digest: str) -> Reading:
        """The same over a table of this digest: without a name of its own, the run is called by it.

        So the same rows have the same keys, also where nobody remembers that they were decided.
        """
        return self if self.run else replace(self, run=digest[:16])

    def field(self, name: str) -> Field | None:
        """What the contract says about a column."""
        return self.contract.record.child(name) if self.contract else None

    def is_input(self, name: str) -> bool:
        """Whether a column is part of the input. Those of keys and exposure are where the contract has them, too."""
        if name in self.leave_out:
            return False
        return self.field(name) is not None or name not in (self.key, self.exposure)


class Row(NamedTuple):
    """One row.

    Attributes:
        number: Counted from 1, as they stand in the table.
        key: Its idempotency key.
        value: The input; for what is no record, whatever it is.
        exposure: The money at stake, if a column says it.
        sure: Whether it is known to keep its contract.
        wrong: Why it cannot be asked at all; None if it can.
        came: The row as it came, where that is not ``value``: text by column, or bytes.
        after: Where in its file the next row begins; 0 where a row is found by its number.
    """

    number: int
    key: str
    value: Any
    exposure: Money | None = None
    sure: bool = False
    wrong: InterlockError | None = None
    came: Any = None
    after: int = 0


def check_columns(reading: Reading, columns: Sequence[str]) -> None:
    """See that a table can be asked at all, before a million rows are refused one by one.

    Raises:
        ManyRefused: a column is unknown to the contract, or one that it or the command needs is missing.
    """
    wrong: list[Violation] = []
    for option, name in (("--key", reading.key), ("--exposure", reading.exposure)):
        if name and name not in columns:
            wrong.append(_missing(name, f"{option} names it", meant(name, columns)))
    wrong += [
        _missing(name, "--leave-out names it", meant(name, columns))
        for name in sorted(reading.leave_out)
        if name not in columns
    ]
    if reading.contract:
        known = [field.name for field in reading.contract.record.fields]
        for name in columns:
            if reading.is_input(name) and name not in known:
                what = f"{reading.contract} has no field {shown(name)}"
                todo = f"{meant(name, known)}, or --leave-out {name}"
                wrong.append(Violation(where=name, what=what, rule="column", todo=todo))
        given = {name for name in columns if reading.is_input(name)}
        wrong += [
            _missing(field.name, f"{reading.contract} requires it", "add it to the table")
            for field in reading.contract.record.fields
            if field.required and field.name not in given
        ]
    if wrong:
        raise ManyRefused(
            "the table's columns do not fit", tuple(wrong), where="--in", todo="mend the table or the command"
        )


def _missing(name: str, why: str, todo: str) -> Violation:
    return Violation(where=name, what=f"there is no column {shown(name)}; {why}", rule="column", todo=todo)


def rows_of(
    reading: Reading,
    columns: Mapping[str, Column],
    numbers: Sequence[int],
    *,
    afters: Sequence[int] | None = None,
    came: Sequence[Any] | None = None,
) -> list[Row]:
    """Rows from columns.

    Args:
        reading: How.
        columns: Every column by its name, at least one, all of one length.
        numbers: The rows' numbers.
        afters: Where each one's successor begins.
        came: Each row as it came, where that is more than its values.
    """
    inputs = [column for name, column in columns.items() if reading.is_input(name)]
    nothing: list[dict[str, Any]] = [{} for _ in numbers]
    frame, values, odd = records(inputs) if inputs else (pl.DataFrame(), nothing, set[int]())
    quick = vectorised(reading.contract) if reading.contract else None
    sure = quick.accepted(frame, values) if quick and inputs else [reading.contract is None] * len(numbers)
    keys: Sequence[Any] = columns[reading.key].listed() if reading.key else [None] * len(numbers)
    stakes: Sequence[Any] = columns[reading.exposure].listed() if reading.exposure else [None] * len(numbers)
    made: list[Row] = []
    for place, number in enumerate(numbers):
        key, exposure, wrong = _keyed(reading, number, keys[place], stakes[place])
        made.append(
            Row(
                number, key, values[place], exposure, sure[place] and place not in odd, wrong,
                came[place] if came else None, afters[place] if afters else 0,
            )
        )  # fmt: skip
    return made


def _keyed(reading: Reading, number: int, key: Any, stake: Any) -> tuple[str, Money | None, InterlockError | None]:
    """A row's key and what is at stake, or why it has none."""
    found = f"{reading.run}:{number}"
    try:
        if reading.key:
            found = read_key(key)
        return found, read_stake(stake, reading.currency) if reading.exposure else None, None
    except Refused as cause:
        return found, None, cause


def read_key(value: Any) -> str:
    """A cell as an idempotency key.

    Raises:
        Refused: it is none: see the message.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY and value.isprintable():
        return value
    what = "there is no key" if value is None else f"{shown(value)} is no usable key"
    raise Refused(what, where="--key", todo=f"use 1 to {LONGEST_KEY} printable characters, or a whole number")


def read_stake(value: Any, currency: str) -> Money | None:
    """A cell as the money at stake; None for an empty one.

    Raises:
        MoneyInvalid: it is no amount, or below zero.
    """
    if value is None:
        return None
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise MoneyInvalid(f"{shown(value)} is no exact amount", where="--exposure", todo="send text or a decimal")
    try:
        money = Money(value, currency) if currency else Money.parse(str(value))
    except MoneyInvalid as cause:
        raise MoneyInvalid(cause.what, where="--exposure", todo=cause.todo) from cause
    if money.minor < 0:
        raise MoneyInvalid(f"{money} is below zero", where="--exposure", todo="send what is at stake")
    return money


def stake_field(name: str) -> Field:
    """What a column of amounts is, where the contract does not have it: text, so that no amount becomes a float."""
    return Field(name=name, shape=Shape.DECIMAL)
