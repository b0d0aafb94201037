"""Entries that a query on any PostgreSQL gives: a table of what is expected, read without a change to it.

The rows come by ``COPY``, as CSV that the server itself writes, and are read as columns: no row becomes a Python object
and no amount a float. The query runs in a transaction that can only read.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import psycopg
from psycopg import Connection, sql
from psycopg.pq import ExecStatus
from psycopg.rows import TupleRow

from interlock.errors import DatabaseUnavailable, StatementUnreadable
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements.csv_file import read_csv
from interlock.packs.reconciliation.statements.dialect import ISO, Dialect, check_dialect
from interlock.packs.reconciliation.statements.source import LARGEST
from interlock.packs.reconciliation.statements.table import placed

_OPTIONS = (
    "-c default_transaction_read_only=on -c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c"
    " client_encoding=UTF8 -c statement_timeout={timeout}ms -c lock_timeout=10s"
)
_FLOATS = frozenset({"float4", "float8"})
_AMOUNTS = frozenset({"amount", "credit", "debit"})
_PLAIN = frozenset(
    {"int2", "int4", "int8", "numeric", "text", "varchar", "bpchar", "name", "uuid", "citext", "date", "timestamp",
     "timestamptz", "unknown"}
)  # fmt: skip


def read_query(
    url: str, query: str, dialect: Dialect, *, account: str = "", currency: str = "", timeout_s: float = 600
) -> list[Statement]:
    """The entries that a query gives, a statement for each account and currency.

    Days are dates, or moments (their day in UTC); amounts are numeric, whole or text with a point, floating point only
    where the dialect says so, and then as PostgreSQL writes them. Of the dialect only columns, account, currency, the
    sign's convention and ``float`` count. It waits for the server: call it in a thread.

    Args:
        url: The database, as ``postgresql://``.
        query: One SELECT, without a semicolon; it sees the tables as they are at one moment.
        dialect: Which columns hold what.
        account: The account, where neither dialect nor column says it.
        currency: The currency, where neither dialect nor column says it.
        timeout_s: How long the query may take.

    Raises:
        DatabaseUnavailable: the database does not answer, or went away.
        ConfigInvalid: the dialect says too little, or something twice.
        StatementUnreadable: the query is no SELECT that can run; its columns do not fit the dialect; it gives nothing;
            no account or known currency is said; far too many rows are broken.
    """
    check_dialect(dialect)
    if "\0" in query or (not query.isprintable() and any(0xD800 <= ord(one) <= 0xDFFF for one in query)):  # noqa: PLR2004
        raise StatementUnreadable("the query holds what PostgreSQL takes for no text", todo="write it in UTF-8")
    with _connected(url, timeout_s) as connection:
        try:
            types = _types(connection, query)
            _check_types(types, dialect)
            data = _copied(connection, query)
        except psycopg.OperationalError as cause:
            if connection.broken:
                raise DatabaseUnavailable(f"the database went away: {_said(cause)}", todo="try again") from cause
            raise StatementUnreadable(f"the query did not end: {_said(cause)}", todo="make it give less") from cause
        except psycopg.Error as cause:
            raise StatementUnreadable(f"the query cannot run: {_said(cause)}", todo="write one SELECT") from cause
    return read_csv(data, _server_form(dialect), format="sql", account=account, currency=currency, is_exact=True)


def _connected(url: str, timeout_s: float) -> Connection[TupleRow]:
    try:
        return psycopg.connect(url, options=_OPTIONS.format(timeout=max(1, int(timeout_s * 1000))), connect_timeout=5)
    except psycopg.OperationalError as cause:
        raise DatabaseUnavailable(
            f"the database of the expected entries does not answer: {_said(cause)}", todo="see its address"
        ) from cause
    except (psycopg.ProgrammingError, UnicodeEncodeError) as cause:
        # the text of the error may hold the address, and the address a password
        raise StatementUnreadable(
            "the database's address is none", todo="write it as postgresql://USER@HOST/DATABASE"
        ) from cause


def _types(connection: Connection[TupleRow], query: str) -> Mapping[str, str]:
    """The columns of a query by name, with their types; the server parses it by itself, so it is one statement."""
    link = connection.pgconn
    prepared = link.prepare(b"", query.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        raise StatementUnreadable(
            f"the query cannot run: {prepared.error_message.decode('utf-8', 'replace').strip()[:300]}",
            todo="write one SELECT",
        )
    described = link.describe_prepared(b"")
    names = [(described.fname(place) or b"").decode("utf-8", "replace") for place in range(described.nfields)]
    if not names:
        raise StatementUnreadable("the query gives no columns", todo="write one SELECT")
    if len(set(names)) != len(names):
        raise StatementUnreadable("two columns of the query have the same name", todo="name them with AS")
    return {name: _type_name(described.ftype(place)) for place, name in enumerate(names)}


def _type_name(oid: int) -> str:
    info = psycopg.adapters.types.get(oid)
    if info is None:
        return "text"  # a type of that database's own, such as an enumeration: as it writes itself
    return f"an array of {info.name}" if oid == info.array_oid else info.name


def _check_types(types: Mapping[str, str], dialect: Dialect) -> None:
    names = tuple(types)
    for field, places in placed(dialect, names, len(names)).items():
        for place in places:
            kind = types[names[place]]
            if kind in _FLOATS and field in _AMOUNTS and dialect.float:
                continue
            if kind not in _PLAIN:
                raise StatementUnreadable(
                    f"the column {names[place][:60]!r} is {kind}, which is no {field}",
                    where=f"columns.{field}",
                    todo="cast it to text, or an amount to numeric",
                )


def _copied(connection: Connection[TupleRow], query: str) -> bytes:
    """The rows as CSV with a header."""
    data = bytearray()
    command = sql.SQL("COPY ({}\n) TO STDOUT (FORMAT csv, HEADER true)").format(sql.SQL(query))  # pyright: ignore[reportArgumentType]
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for piece in copy:
            data += piece
            if len(data) > LARGEST:
                raise StatementUnreadable(f"the query gives more than {LARGEST:,} bytes", todo="make it give less")
    return bytes(data)


def _server_form(dialect: Dialect) -> Dialect:
    """The dialect of what the server writes; a moment's day is that in UTC."""
    return msgspec.structs.replace(
        dialect, delimiter=",", quote='"', encoding="utf-8", header=True, skip=0, decimal=".", thousands="", dates=ISO
    )


def _said(cause: psycopg.Error) -> str:
    return (cause.diag.message_primary or str(cause)).strip()[:300]
