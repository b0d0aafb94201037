"""What is written of each row: the decision as asking in line would answer it, or the row beside why it was refused."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.batch.rows import Row
from interlock.decisions.decision import Decision, Route
from interlock.errors import InterlockError, KeyReused, ManyRefused, Violation
from interlock.money import exponent
from interlock.oversight.review import Resolution, Review
from interlock.privacy.token import HIDDEN, hide


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decided row, as it is written.

    Attributes:
        row: The row's number, from 1.
        key: Its idempotency key.
        decision: The decision's id.
        route: automatic, review or reject.
        settled: Whether nobody has to decide any more.
        output: What holds, as JSON; None where nothing does, or does yet.
        confidence: How sure the component was.
        component: Whose answer it is.
        exposure: The money at stake, as ``12.30 MYR``.
        reasons: Why this route, as JSON.
        review: The review that it went to.
        follow: Where to look for what becomes of it.
        valid_until: Until when an action may begin on its strength, UTC.
        decided_at: When, UTC.
        known: Whether it was decided before this run came to it.
    """

    row: int
    key: str
    decision: str
    route: str
    settled: bool
    output: msgspec.Raw | None
    confidence: float | None
    component: str
    exposure: str | None
    reasons: msgspec.Raw
    review: UUID | None
    follow: str
    valid_until: str | None
    decided_at: str
    known: bool


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One refused row, as it is written.

    Attributes:
        row: The row's number, from 1.
        key: Its idempotency key, or its place where it has none; hidden where the row is personal.
        code: Why, for programs.
        what: Why, in a sentence.
        violations: Every one of them.
        quarantine: Where the row is kept.
        holder: The decision that holds its key, where another input came under it.
        record: The row as it came: its cells or fields; for what is no row, its text.
    """

    row: int
    key: str
    code: str
    what: str
    violations: tuple[Violation, ...]
    quarantine: UUID | None
    holder: str | None
    record: Any


def decided_row(row: Row, decision: Decision, review: Review | None, *, known: bool) -> Decided:
    """A decision as its row is written; with the answer of its review, if that has one."""
    resolution = review.resolution if review else None
    output = decision.output if decision.route is Route.AUTOMATIC else None
    if review and resolution in (Resolution.APPROVE, Resolution.CHANGE):
        output = review.output
    decision_id = str(decision.id)
    return Decided(
        row=row.number,
        key=row.key,
        decision=decision_id,
        route=str(decision.route),
        settled=decision.route is not Route.REVIEW or resolution is not None,
        output=msgspec.Raw(hide(output)) if output is not None else None,
        confidence=decision.confidence,
        component=decision.component,
        exposure=_amount(decision.exposure_minor, decision.currency),
        reasons=msgspec.Raw(hide(decision.reasons)),
        review=decision.review,
        follow=f"/v1/decisions/{decision_id}",
        valid_until=_moment(decision.valid_until) if decision.valid_until else None,
        decided_at=_moment(decision.decided_at),
        known=known,
    )


@functools.lru_cache(maxsize=64)
def _moment(moment: datetime) -> str:
    """All decisions of a unit have one time."""
    return moment.isoformat().replace("+00:00", "Z")


def _amount(minor: int | None, currency: str | None) -> str | None:
    """Minor units as ``12.30 MYR``: what ``Money`` writes, without a decimal on the way."""
    if minor is None or currency is None:
        return None
    digits = exponent(currency)
    if not digits:
        return f"{minor} {currency}"
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    text = str(whole).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]} {currency}"


def rejected_row(row: Row, cause: InterlockError, quarantine: UUID | None, *, personal: bool = False) -> Rejected:
    """A refused row beside its reasons; of one that is personal, only where it is kept."""
    came = HIDDEN if personal else row.value if row.came is None else row.came
    return Rejected(
        row=row.number,
        key=HIDDEN if personal else row.key,
        code=cause.code,
        what=cause.what,
        violations=violations_of(cause),
        quarantine=quarantine,
        holder=cause.holder if isinstance(cause, KeyReused) else None,
        record=came.decode("utf-8", "replace").rstrip("\r\n") if isinstance(came, bytes) else came,
    )


def violations_of(cause: InterlockError) -> tuple[Violation, ...]:
    """Everything that is wrong, each with its rule; the error itself where it names no more."""
    if isinstance(cause, ManyRefused) and cause.violations:
        return cause.violations
    return (Violation(where=cause.where, what=cause.what, rule=cause.code, todo=cause.todo),)


Encode = Callable[[Sequence[Any]], bytes]
_json = msgspec.json.Encoder(decimal_format="string")
_FIELDS = {Decided: Decided.__struct_fields__, Rejected: Rejected.__struct_fields__}


def as_lines(written: Sequence[msgspec.Struct]) -> bytes:
    """Rows as JSON lines."""
    return _json.encode_lines(written)


def as_csv(written: Sequence[msgspec.Struct]) -> bytes:
    """Rows as CSV without a header: what is no text or number is JSON in its cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cells, written))
    return text.getvalue().encode("utf-8", "replace")


def csv_header(kind: type[Decided | Rejected]) -> bytes:
    """The names of the columns."""
    return f"{','.join(_FIELDS[kind])}\n".encode()


def _cells(written: msgspec.Struct) -> Iterable[Any]:
    if isinstance(written, Decided):
        one = written
        output = "" if one.output is None else str(one.output, "utf-8")
        return (
            one.row, one.key, one.decision, one.route, "true" if one.settled else "false", output, one.confidence,
            one.component, one.exposure, str(one.reasons, "utf-8"), one.review, one.follow, one.valid_until,
            one.decided_at, "true" if one.known else "false",
        )  # fmt: skip
    return [_cell(getattr(written, name)) for name in written.__struct_fields__]


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, UUID)) else _json.encode(value).decode()
