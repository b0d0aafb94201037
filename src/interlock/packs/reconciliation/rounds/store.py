"""Matches and rounds in the database."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, cast
from uuid import UUID

import msgspec
import polars as pl
from psycopg import AsyncConnection

from interlock.db.queries import Rows, load_queries


class NewMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A match as its decision's commit makes it.

    Attributes:
        id: Its id.
        tenant: Whose.
        reconciliation: Of which reconciliation.
        round: The round that proposed it.
        key: The key of its decision.
        members: Digest of the identities of its entries.
        form: ``1:1``, ``1:n``, ``n:1``, ``n:m``.
        currency: Of all its entries.
        expected_minor: The signed sum of the expected side.
        actual_minor: The signed sum of the actual side.
        explained: What the difference is taken for: ``fee`` where it is booked as one.
        probability: How likely the solver held it to be right.
        margin: How much worse the best whole without it is.
        sure: Whether the round held it to be sure enough to be booked without a person.
        decision: Its decision.
        case_id: The case that books it; None: the decision was a rejection.
        state: ``asked`` or ``refused``.
        why: Why it is proposed, in words.
        at: When.
    """

    id: UUID
    tenant: UUID
    reconciliation: str
    round: UUID
    key: str
    members: UUID
    form: str
    currency: str
    expected_minor: int
    actual_minor: int
    explained: str
    probability: float
    margin: float
    sure: bool
    decision: UUID
    case_id: UUID | None
    state: str
    why: str
    at: datetime


class NewMember(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a match; while it is alive the entry is in no other."""

    match: UUID
    entry: UUID
    tenant: UUID
    alive: bool


class WithdrawnMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A match that is being taken back."""

    id: UUID
    why: str
    at: datetime


class SaidOfMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on a match: ``yes`` or ``no``."""

    id: UUID
    word: str
    who: str
    why: str
    at: datetime


class EndedRound(msgspec.Struct, frozen=True, kw_only=True):
    """A round that came to its end, with its figures as canonical JSON, and the news that it rested on."""

    id: UUID
    at: datetime
    figures: bytes
    rested_on: str


class RoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """A round as it is read; ``ended_at`` is None while it is at work, and for ever if it was killed."""

    id: UUID
    reconciliation: str
    began_at: datetime
    ended_at: datetime | None
    scorer: str
    figures: bytes


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A match as it is read: fields as in ``NewMatch``.

    Attributes:
        word: What a person said of it: ``yes``, ``no`` or nothing.
        by_person: Who.
        proposed_at: When it was decided.
        changed_at: When it came to where it stands.
    """

    id: UUID
    reconciliation: str
    round: UUID
    key: str
    form: str
    currency: str
    expected_minor: int
    actual_minor: int
    probability: float
    margin: float
    sure: bool
    decision: UUID
    case_id: UUID | None
    state: str
    word: str
    by_person: str
    why: str
    proposed_at: datetime
    changed_at: datetime


class StandingMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a round compares with what should be."""

    id: UUID
    members: UUID
    sure: bool
    state: str
    word: str
    case_id: UUID
    key: str
    currency: str
    expected_minor: int
    actual_minor: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Which entry is in which match."""

    match: UUID
    entry: UUID


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, by its identity, of a match on which a person has spoken: ``yes`` or ``no``."""

    match: UUID
    entry: UUID
    side: str
    word: str


class MatchEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a match, for people."""

    entry: UUID
    side: str
    account: str
    currency: str
    minor: int
    booked_on: date
    value_on: date
    memo: str
    counterparty: str
    reference: str


class Turns(msgspec.Struct, frozen=True, kw_only=True):
    """How often entries were proposed together."""

    members: UUID
    turns: int


class MatchCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many matches stand where, and the money in them: of each the greater side."""

    state: str
    currency: str
    matches: int
    minor: Decimal


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """A match or a break that rests on a statement.

    Attributes:
        kind: ``match`` or ``break``.
        id: Its id.
        case_id: The case that carries it out.
        currency: Of its entries.
        minor: The money in it: the greater side of a match, the entry of a break.
        state: ``pending``; ``booked``, ``written_off`` or ``accepted``; ``withdrawing``; ``withdrawn``; ``refused``.
    """

    kind: str
    id: UUID
    case_id: UUID
    currency: str
    minor: int
    state: str


_SQL = load_queries(__file__)
TAKE_TURN = _SQL.rows("take_turn", bool)
END_TURN = _SQL.rows("end_turn", bool)
ADD_ROUND = _SQL.command("add_round")
END_ROUNDS = _SQL.bulk("end_rounds", EndedRound, distinct=("id",))
LAST_ROUNDS = _SQL.rows("last_rounds", RoundRow)
ADD_MATCHES = _SQL.bulk("add_matches", NewMatch, distinct=("id",))
ADD_MEMBERS = _SQL.bulk("add_members", NewMember, distinct=("match", "entry"))
WITHDRAW_MATCHES = _SQL.bulk("withdraw_matches", WithdrawnMatch, distinct=("id",))
SAY_OF_MATCHES = _SQL.bulk("say_of_matches", SaidOfMatch, distinct=("id",))
PROJECT_MATCHES = _SQL.rows("project_matches", int)
STANDING_MATCHES = _SQL.rows("standing_matches", StandingMatch)
STANDING_MEMBERS = _SQL.rows("standing_members", Member)
WORDS = _SQL.rows("words", Word)
EARLIER_TURNS = _SQL.rows("earlier_turns", Turns)
COUNT_MATCHES = _SQL.rows("count_matches", MatchCount)
LIST_MATCHES = _SQL.rows("list_matches", Match)
FIND_MATCH = _SQL.rows("find_match", Match)
MEMBERS_OF_MATCH = _SQL.rows("members_of_match", MatchEntry)
REST_ON_STATEMENT = _SQL.rows("rest_on_statement", Resting)
NEWS = _SQL.rows("news", str)
MOVES = _SQL.rows("moves", str)


async def read_columns(
    connection: AsyncConnection[Any], statement: Rows[Any], parameters: dict[str, Any], schema: dict[str, pl.DataType]
) -> pl.DataFrame:
    """The rows of a statement as a table of columns; no Python object is made for a row.

    Args:
        connection: Within a transaction of the tenant.
        statement: What is read; its columns are those of ``schema``, in order, without nulls.
        parameters: Its parameters.
        schema: The columns and their types.
    """
    data = BytesIO()
    async with (
        connection.cursor() as cursor,
        cursor.copy(b"copy (" + statement.text + b") to stdout (format csv, force_quote *)", parameters) as copy,
    ):
        async for part in copy:
            data.write(cast("bytes", part))
    if not data.tell():
        return pl.DataFrame(schema=schema)
    data.seek(0)
    flags = [name for name, kind in schema.items() if kind == pl.Boolean()]
    read = {name: pl.String() if name in flags else kind for name, kind in schema.items()}
    found = pl.read_csv(data, has_header=False, new_columns=list(read), schema_overrides=list(read.values()))
    texts = [name for name, kind in read.items() if kind == pl.String()]
    return found.with_columns(pl.col(texts).fill_null("")).with_columns(pl.col(name) == "t" for name in flags)
