"""A reconciliation as its settings say it: its terms and its sources, with what only this pack can check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock.config import FILE, Settings
from interlock.errors import ConfigInvalid, NotFound
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.intake import Source
from interlock.packs.reconciliation.statements import FORMATS
from interlock.packs.reconciliation.statements.dialect import Dialect, check_dialect
from interlock.packs.reconciliation.statements.source import plain_word
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.reconciliation_settings import ReconciliationSettings, SourceSettings
from interlock.spelling import meant


def settings_of(settings: Settings, name: str = "") -> ReconciliationSettings:
    """The settings of a reconciliation; without a name, of the only one.

    Raises:
        NotFound: there is none of that name, or no name is given and there is not just one.
    """
    known = settings.reconciliation
    if not name and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        what = f"there is no reconciliation {name[:60]!r}" if name else "it is not said which reconciliation is meant"
        raise NotFound(what, where=FILE, todo=f"the settings have {there}: see [reconciliation.NAME]")
    return known[name]


def terms_of(settings: ReconciliationSettings) -> ReconciliationTerms:
    """Its terms."""
    return ReconciliationTerms(name=settings.name, **settings.terms)


def source_of(settings: ReconciliationSettings, source: SourceSettings) -> Source:
    """One of its sources, with its dialect.

    Raises:
        ConfigInvalid: the format or the dialect is none, or the two say something else of account or currency; the key
            is named.
    """
    where = f"{FILE}: reconciliation.{settings.name}.{source.side}.{source.name}"
    known = ("auto", *FORMATS)
    if source.format not in known:
        what = f"{source.format[:60]!r} is no format"
        raise ConfigInvalid(what, where=f"{where}.format", todo=meant(source.format, known))
    dialect = read_dialect(source.dialect, f"{where}.dialect") if source.dialect else None
    _check_said_once(source, dialect, where)
    return Source(
        name=source.name,
        side=Side(source.side),
        format=source.format,
        dialect=dialect,
        account=source.account,
        currency=source.currency,
    )


def _check_said_once(source: SourceSettings, dialect: Dialect | None, where: str) -> None:
    if dialect is None:
        return
    told = {"account": (source.account, dialect.account), "currency": (source.currency, dialect.currency)}
    for key, (own, other) in told.items():
        if own and other and plain_word(own) != plain_word(other):
            what = f"the source says {own[:60]!r}, and its dialect {other[:60]!r}"
            raise ConfigInvalid(what, where=f"{where}.{key}", todo="say it once: in the dialect, or beside it")


def sources_of(settings: ReconciliationSettings) -> dict[str, tuple[SourceSettings, Source]]:
    """Its sources as ``SIDE.NAME``, each with what it was told.

    Raises:
        ConfigInvalid: a format or a dialect is none.
    """
    return {f"{one.side}.{one.name}": (one, source_of(settings, one)) for one in settings.sources}


def read_dialect(table: Mapping[str, Any], where: str) -> Dialect:
    """A dialect as TOML says it.

    Raises:
        ConfigInvalid: a key is unknown or malformed, or something is missing; the key is named.
    """
    known = Dialect.__struct_fields__
    for key in table:
        if key not in known:
            raise ConfigInvalid("there is no such setting", where=f"{where}.{key}"[:200], todo=meant(key, known))
    try:
        dialect = msgspec.convert(dict(table), Dialect)
        check_dialect(dialect)
    except msgspec.ValidationError as cause:
        raise ConfigInvalid(str(cause)[:300], where=where, todo="see docs/reference/statements.md") from cause
    except ConfigInvalid as cause:
        raise ConfigInvalid(cause.what, where=f"{where}.{cause.where}", todo=cause.todo) from cause
    return dialect
