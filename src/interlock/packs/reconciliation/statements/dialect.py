"""How a table of entries is written: CSV, Parquet or a query. Declared, never guessed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from interlock.errors import ConfigInvalid, MoneyInvalid
from interlock.money import exponent
from interlock.spelling import meant

ColumnRef = str | int
"""A column by the name in its header, or by its position from 1."""

FIELDS = (
    "amount",
    "credit",
    "debit",
    "type",
    "booked_on",
    "value_on",
    "memo",
    "counterparty",
    "counterparty_account",
    "reference",
    "bank_reference",
    "code",
    "account",
    "currency",
)
"""What a column can be declared to hold."""
JOINED = frozenset({"memo", "reference"})
"""Fields that several columns may make up, joined by one space."""

ISO = "iso"
_ISO = r"^(?<Y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2}|[T ].{1,40})?$"
_DIRECTIVES = {
    "Y": "(?<Y>[0-9]{4})",
    "y": "(?<y>[0-9]{2})",
    "m": "(?<m>[0-9]{1,2})",
    "d": "(?<d>[0-9]{1,2})",
    "H": "[0-9]{2}",
    "M": "[0-9]{2}",
    "S": r"[0-9]{2}(?:\.[0-9]{1,9})?",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
}


class Dialect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a table of entries is to be read. What is not declared here is not read.

    The sign comes from one of three conventions, told by the columns that are declared: ``amount`` alone is signed;
    ``credit`` and ``debit`` are two columns of amounts without a sign, of which one is filled; ``amount`` with ``type``
    is an amount without a sign whose direction the type says (``credits``, ``debits``).

    Attributes:
        columns: Which column holds which of ``FIELDS``: a header's name, a position from 1, or, for ``memo`` and
            ``reference``, several of them.
        account: The account of all entries, where no column says it.
        currency: The currency of all entries, where no column says it.
        delimiter: What stands between two cells; one character.
        quote: What encloses a cell that holds delimiters or line breaks; empty: nothing does.
        encoding: The text's encoding.
        header: Whether the first line after ``skip`` names the columns.
        skip: How many lines stand before the header, or before the first row.
        decimal: The sign before the decimals: ``.`` or ``,``.
        thousands: The sign between groups of three digits; empty: there is none.
        dates: How days are written, of ``%Y %y %m %d``; ``%H %M %S %z`` are read over, and the day is as written. Or
            ``iso``: ISO 8601, with or without a time after the day.
        credits: What the type column says of money that comes in.
        debits: What the type column says of money that goes out.
        inverted: Whether a positive signed amount is money that goes out, as on statements of cards.
        float: Whether amounts may come as floating point numbers (Parquet, a query); then each has to be within 1e-6
            of whole minor units.
    """

    columns: Mapping[str, ColumnRef | tuple[ColumnRef, ...]]
    account: str = ""
    currency: str = ""
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0
    decimal: str = "."
    thousands: str = ""
    dates: str = "%Y-%m-%d"
    credits: tuple[str, ...] = ()
    debits: tuple[str, ...] = ()
    inverted: bool = False
    float: bool = False

    def of(self, field: str) -> tuple[ColumnRef, ...]:
        """The columns that hold a field; empty if none is declared."""
        found = self.columns.get(field, ())
        return found if isinstance(found, tuple) else (found,)


CsvDialect = Dialect
"""The name that it has where only CSV is meant."""


def check_dialect(dialect: Dialect) -> None:
    """See that a dialect says all that reading needs, and nothing twice.

    Raises:
        ConfigInvalid: it does not; ``where`` is the key.
    """
    _check_columns(dialect)
    _check_sign(dialect)
    _check_writing(dialect)
    if dialect.currency:
        try:
            exponent(dialect.currency)
        except MoneyInvalid as cause:
            raise ConfigInvalid(cause.what, where="currency", todo=cause.todo) from cause


def date_pattern(dates: str) -> str:
    """The pattern of a day's text, with groups ``Y`` or ``y``, ``m``, ``d``.

    Raises:
        ConfigInvalid: it knows no year, month or day, or says something else.
    """
    if dates == ISO:
        return _ISO
    parts = re.split(r"%(.?)", dates)
    known = parts[1::2]
    odd = [one for one in known if one not in _DIRECTIVES]
    if odd:
        raise ConfigInvalid(
            f"%{odd[0]} is unknown in a form of dates", where="dates", todo="use %Y %y %m %d %H %M %S %z"
        )
    days = [one for one in known if one in "Yymd"]
    if sorted(days) not in (["Y", "d", "m"], ["d", "m", "y"]):
        what = f"{dates[:60]!r} does not say year, month and day once each"
        raise ConfigInvalid(what, where="dates", todo="write it as in %d.%m.%Y")
    texts = [_DIRECTIVES[part] if place % 2 else re.escape(part) for place, part in enumerate(parts)]
    return f"^{''.join(texts)}$"


def _check_columns(dialect: Dialect) -> None:
    for field in dialect.columns:
        if field not in FIELDS:
            raise ConfigInvalid(f"{field[:60]!r} is no field of an entry", where="columns", todo=meant(field, FIELDS))
        refs = dialect.of(field)
        where = f"columns.{field}"
        if not refs or (len(refs) > 1 and field not in JOINED):
            raise ConfigInvalid("it needs one column", where=where, todo="name one; only a memo may have several")
        for ref in refs:
            if isinstance(ref, str) and not dialect.header:
                raise ConfigInvalid(f"without a header no column is called {ref[:60]!r}", where=where,
                                    todo="give its position, from 1, or set header")  # fmt: skip
            if ref == "" or (isinstance(ref, int) and not 1 <= ref <= _MOST_COLUMNS):
                raise ConfigInvalid(f"{ref!r} is no column", where=where, todo="positions count from 1")
    if not dialect.of("booked_on"):
        raise ConfigInvalid("no column is declared to hold the day", where="columns.booked_on", todo="name it")
    if dialect.currency and dialect.of("currency"):
        raise ConfigInvalid("the currency is declared twice", where="currency", todo="leave it, or its column, out")
    if dialect.account and dialect.of("account"):
        raise ConfigInvalid("the account is declared twice", where="account", todo="leave it, or its column, out")


def _check_sign(dialect: Dialect) -> None:
    amount, credit, debit, kind = (bool(dialect.of(name)) for name in ("amount", "credit", "debit", "type"))
    if (amount, credit, debit) not in ((True, False, False), (False, True, True)):
        raise ConfigInvalid("it is not declared which columns hold the amount", where="columns",
                            todo="name amount; or credit and debit; or amount and type")  # fmt: skip
    if kind and credit:
        raise ConfigInvalid("credit and debit columns need no type", where="columns.type", todo="leave it out")
    if kind != bool(dialect.credits and dialect.debits) or bool(dialect.credits) != bool(dialect.debits):
        raise ConfigInvalid("a type column, and what it says, belong together", where="columns.type",
                            todo="name the column, and the texts of both directions in credits and debits")  # fmt: skip
    both = set(dialect.credits) & set(dialect.debits)
    if both:
        raise ConfigInvalid(f"{min(both)!r} says both directions", where="credits", todo="leave one out")
    if dialect.inverted and (kind or credit):
        raise ConfigInvalid("only a signed amount can be inverted", where="inverted", todo="leave it out")


def _check_writing(dialect: Dialect) -> None:
    if len(dialect.delimiter) != 1 or not dialect.delimiter.isascii() or dialect.delimiter in '\r\n\0"':
        raise ConfigInvalid(f"{dialect.delimiter!r} is no delimiter", where="delimiter", todo="use one character")
    if len(dialect.quote) > 1 or not dialect.quote.isascii() or (dialect.quote and dialect.quote in "\r\n\0"):
        raise ConfigInvalid(f"{dialect.quote!r} is no quote", where="quote", todo="use one character, or none")
    if dialect.quote == dialect.delimiter:
        raise ConfigInvalid("delimiter and quote are the same", where="quote", todo="use two characters")
    if dialect.decimal not in (".", ","):
        raise ConfigInvalid(f"{dialect.decimal!r} is no decimal sign", where="decimal", todo="use . or ,")
    if dialect.thousands not in ("", ".", ",", "'", "’", " ", "\u00a0", "\u202f") or (
        dialect.thousands == dialect.decimal
    ):
        raise ConfigInvalid(f"{dialect.thousands!r} cannot stand between thousands", where="thousands",
                            todo="use a point, comma, apostrophe or space, other than the decimal sign")  # fmt: skip
    if not 0 <= dialect.skip <= _MOST_SKIPPED:
        raise ConfigInvalid(f"{dialect.skip} lines cannot be skipped", where="skip", todo=f"0 to {_MOST_SKIPPED}")
    try:
        # an encoding of bytes, such as hex or zip, is none of text
        "1".encode(dialect.encoding)
    except (LookupError, ValueError) as cause:
        raise ConfigInvalid(
            f"{dialect.encoding[:60]!r} is no encoding of text", where="encoding", todo="such as utf-8"
        ) from cause
    date_pattern(dialect.dates)


_MOST_COLUMNS = 10_000
_MOST_SKIPPED = 1_000
