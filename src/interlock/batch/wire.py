"""What travels between the process that reads a table and those that decide its rows. Pure.

Both are one program in one version, over a pipe that nobody else holds; so Python's own form will do for what has none
of ours. Decisions travel as MessagePack, which reads and writes them in a tenth of the time.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.batch.rows import Row
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.decisions.many import Outcome
from interlock.errors import InterlockError

HEADER = struct.Struct(">QQ")
"""Before each message: the number of the part, and the bytes that follow."""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """The first line to a process that decides rows.

    Attributes:
        flags: The settings that the command line gave.
        tenant: Whose decisions.
        point: The decision point.
        contract: The digest of the contract that the rows were held against; empty: there is none.
        caller: Who asks.
        run: What tells the keys of this run from another's.
        margin: How many places of a queue it leaves to others.
    """

    flags: dict[str, Any]
    tenant: UUID
    point: str
    contract: bytes
    caller: str
    run: str
    margin: int


def message(number: int, data: bytes) -> bytes:
    """One message, as it travels."""
    return HEADER.pack(number, len(data)) + data


def pack_rows(rows: Sequence[Row]) -> bytes:
    """Rows as far as they are asked."""
    return pickle.dumps([(row.number, row.key, row.value, row.exposure, row.sure) for row in rows], 5)


def unpack_rows(data: bytes) -> list[Row]:
    """The rows."""
    return [Row(*one) for one in _load(data)]


_pack = msgspec.msgpack.Encoder(uuid_format="bytes")
_unpack = msgspec.msgpack.Decoder(list[Decision])


def pack_outcomes(outcomes: Sequence[Outcome] | BaseException) -> bytes:
    """What became of rows; or what ended the asking of all."""
    if isinstance(outcomes, BaseException):
        return pickle.dumps(_error(outcomes), 5)
    decisions = _pack.encode([one.became for one in outcomes if isinstance(one.became, Decision)])
    others = [None if isinstance(one.became, Decision) else _other(one.became) for one in outcomes]
    known = [place for place, one in enumerate(outcomes) if one.known]
    return pickle.dumps((decisions, others if any(others) else len(others), known), 5)


def unpack_outcomes(data: bytes) -> list[Outcome]:
    """What became of rows, in their order.

    Raises:
        InterlockError: what ended the asking of all.
    """
    came = _load(data)
    if isinstance(came, _Told):
        raise came.error()
    packed, others, known = cast("tuple[bytes, list[Any] | int, list[int]]", came)
    decisions = iter(_unpack.decode(packed))
    listed = [None] * others if isinstance(others, int) else others
    became = [next(decisions) if one is None else one.error() if isinstance(one, _Told) else one for one in listed]
    outcomes = [Outcome(one) for one in became]
    for place in known:
        outcomes[place] = Outcome(outcomes[place].became, known=True)
    return outcomes


class _Told:
    """An error without what it was raised by: its class, and what it says."""

    def __init__(self, kind: type[InterlockError], arguments: tuple[Any, ...], said: dict[str, Any]) -> None:
        self.kind = kind
        self.arguments = arguments
        self.said = said

    def error(self) -> InterlockError:
        # Each class is built from other words: what is said is put back as it stood.
        made = self.kind.__new__(self.kind, *self.arguments)
        made.__dict__.update(self.said)
        return made


def _error(cause: BaseException) -> _Told:
    if isinstance(cause, InterlockError):
        said = {name: value for name, value in cause.__dict__.items() if not name.startswith("__")}
        return _Told(type(cause), cause.args, said)
    return _error(InterlockError(f"rows could not be decided: {type(cause).__name__}: {cause}"))


def _other(became: Deferred | InterlockError | Decision) -> Any:
    return _error(became) if isinstance(became, InterlockError) else became


def _load(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - it comes over a pipe that only the two processes of one command hold
