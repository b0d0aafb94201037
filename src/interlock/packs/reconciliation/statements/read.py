"""Reading statements, whatever their form."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from interlock.errors import Refused, StatementUnreadable
from interlock.packs.reconciliation.entry import Statement
from interlock.packs.reconciliation.statements.camt import read_camt
from interlock.packs.reconciliation.statements.csv_file import read_csv
from interlock.packs.reconciliation.statements.dialect import Dialect
from interlock.packs.reconciliation.statements.mt940 import read_mt940
from interlock.packs.reconciliation.statements.ofx import read_ofx
from interlock.packs.reconciliation.statements.parquet_file import read_parquet
from interlock.packs.reconciliation.statements.source import bytes_of, marked_encoding, plain_word
from interlock.spelling import meant

FORMATS = ("camt", "mt940", "ofx", "csv", "parquet")
_TABLES = frozenset({"csv", "parquet"})
_HEAD = 65_536
_MIB = 1024 * 1024
LARGEST_OF = {"mt940": 64 * _MIB, "ofx": 128 * _MIB, "camt": 256 * _MIB}
"""Bytes of a file whose entries become objects on the way: some 35, 20 and 6 times as many are in memory meanwhile."""
_MT940 = re.compile(r"(?m)^:\n?(?:13|20|21|25|28|34|60|61|62|64|65|86|90|NS)[A-Z]?:")
_READERS: dict[str, Callable[..., list[Statement]]] = {"camt": read_camt, "mt940": read_mt940, "ofx": read_ofx}


def format_of(data: bytes | Path) -> str:
    """What form a file has, by how it begins: one of ``FORMATS``. The file's name is not looked at.

    CSV has no sign by which it could be known, so it is what none of the others is.

    Args:
        data: The file, or its path.

    Raises:
        NotFound: no such file.
        StatementUnreadable: it is empty or too large.
    """
    return _format(bytes_of(data))


def read_statements(
    data: bytes | Path,
    *,
    format: str = "auto",  # noqa: A002 - the word that users know
    dialect: Dialect | None = None,
    account: str = "",
    currency: str = "",
) -> list[Statement]:
    """The statements of one file.

    Args:
        data: The file, or its path.
        format: One of ``FORMATS``, or ``auto``: what ``format_of`` says.
        dialect: How the columns of CSV and Parquet are to be read; the other formats need none, and have none.
        account: The account, where the file does not say it.
        currency: The currency, where the file does not say it.

    Returns:
        At least one statement; one for each account, number and currency of the file.

    Raises:
        NotFound: no such file, or one that cannot be read.
        ConfigInvalid: the dialect is none.
        StatementUnreadable: the file as a whole cannot be used; what is wrong, where, and what to do.
        Refused: the format is unknown, or a table comes without a dialect.
    """
    content = bytes_of(data)
    account = plain_word(account)
    where = str(data) if isinstance(data, Path) else ""
    if format != "auto" and format not in FORMATS:
        raise Refused(
            f"{format[:60]!r} is no format of statements", where="format", todo=meant(format, ("auto", *FORMATS))
        )
    form = _format(content) if format == "auto" else format
    try:
        return _read(form, content, dialect, account=account, currency=currency)
    except StatementUnreadable as found:
        if not where:
            raise
        place = f"{where}, {found.where}" if found.where else where
        raise StatementUnreadable(found.what, where=place, todo=found.todo) from found


def _read(form: str, data: bytes, dialect: Dialect | None, *, account: str, currency: str) -> list[Statement]:
    if form not in _TABLES:
        if len(data) > LARGEST_OF[form]:
            raise StatementUnreadable(
                f"the file has {len(data):,} bytes, and at most {LARGEST_OF[form]:,} are read as {form}",
                todo="have it sent in pieces",
            )
        return _READERS[form](data, account=account, currency=currency)
    if dialect is None:
        raise StatementUnreadable(
            f"the file is read as {form}, and nothing declares what its columns hold",
            todo="declare a dialect; if it is no table, name its format",
        )
    read = read_csv if form == "csv" else read_parquet
    return read(data, dialect, account=account, currency=currency)


def _format(data: bytes) -> str:
    if data.startswith(b"PAR1"):
        return "parquet"
    head = data[:_HEAD].decode(marked_encoding(data) or "latin-1", "replace").removeprefix("\ufeff").lstrip("\0\r\n\t ")
    upper = head[:2_000].upper()
    if "<OFX>" in upper or upper.startswith("OFXHEADER"):
        return "ofx"
    if head.startswith("<"):
        return "camt"
    return "mt940" if _MT940.search(head.replace("\r\n", "\n").replace("\r", "\n")) else "csv"
