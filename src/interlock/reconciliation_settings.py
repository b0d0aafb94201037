"""The settings of one reconciliation: ``[reconciliation.NAME]``, and a table for each source of its two sides."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import msgspec

from interlock.errors import Refused
from interlock.money import Money, exponent
from interlock.setting_forms import DURATION, PATH, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

SIDES = ("expected", "actual")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_LONGEST_TEXT = 200
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%\Z")
_MOST_DAYS = 3_660
_TABLES = ("csv", "parquet")
_LARGEST_GROUP = 50


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the statements of one side come from.

    Attributes:
        name: Its name.
        side: ``expected`` or ``actual``.
        folder: A folder that is watched; None for a query.
        done: Where a file goes that was taken; None: it stays.
        refused: Where a file goes that was refused; None: it stays.
        url: Where the database of a query is found: ``env:NAME`` or ``file:PATH``; None for a folder.
        query: The query, which is read only.
        format: The files' format; ``auto`` looks at each.
        account: The account, where files do not say it.
        currency: The currency, where files do not say it.
        every: How often it is looked at; None: a folder each second, a query each minute.
        settle: For how long a file must stand still before it is taken; None: five seconds.
        dialect: How a table of entries is written; its keys are checked by whoever reads by it.
    """

    name: str
    side: str
    folder: Path | None = None
    done: Path | None = None
    refused: Path | None = None
    url: SecretRef | None = None
    query: str = ""
    format: str = "auto"
    account: str = ""
    currency: str = ""
    every: timedelta | None = None
    settle: timedelta | None = None
    dialect: Mapping[str, Any] = MappingProxyType({})

    @property
    def secret(self) -> SecretRef | None:
        """Where its URL is found."""
        return self.url

    def within(self, folder: Path) -> SourceSettings:
        """The same, with its paths below a folder unless they are absolute."""
        paths = {name: folder / path for name in ("folder", "done", "refused") if (path := getattr(self, name))}
        return msgspec.structs.replace(self, **paths)


class ReconciliationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What two sides are reconciled, and on which terms; those are told in ``packs.reconciliation.terms``.

    Attributes:
        name: Its name.
        sources: Where statements come from.
        terms: The terms that are set, by their names; the others are as they are by default.
        source: The places that its values came from.
    """

    name: str
    sources: tuple[SourceSettings, ...] = ()
    terms: Mapping[str, Any] = MappingProxyType({})
    source: str = ""

    def within(self, folder: Path) -> ReconciliationSettings:
        """The same, with the paths of its sources below a folder unless they are absolute."""
        return msgspec.structs.replace(self, sources=tuple(one.within(folder) for one in self.sources))


def _whole(least: int, most: int) -> SettingForm[int]:
    def parse(raw: Raw, _environ: Mapping[str, str]) -> int:
        value = raw.value
        if isinstance(value, str) and not raw.from_file and re.fullmatch("[0-9]{1,9}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Refused(f"{raw.value!r} is not usable here", todo=f"write a whole number from {least} to {most}")
        return value

    return SettingForm(parse, least)


def _probability(raw: Raw, _environ: Mapping[str, str]) -> float:
    value = raw.value
    if isinstance(value, str) and not raw.from_file and re.fullmatch(r"[01](\.[0-9]{1,9})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise Refused(f"{raw.value!r} is no probability", todo="write a number from 0 to 1")
    return float(value)


def _short(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not text or len(text) > _LONGEST_TEXT or not text.isprintable() or text != text.strip():
        raise Refused(f"{text[:60]!r} is not usable here", todo=f"write 1 to {_LONGEST_TEXT} printable characters")
    return text


def _texts(raw: Raw) -> list[str]:
    value = raw.value
    if isinstance(value, str):
        value = [one.strip() for one in value.split(",")]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[object]", value)):
        raise Refused(f"{value!r} is no list of texts", todo='write ["2 %", "5.00 EUR"]')
    return cast("list[str]", value)


def _amounts(raw: Raw, _environ: Mapping[str, str]) -> tuple[Money, ...]:
    return tuple(_amount(text) for text in _texts(raw))


def _differences(raw: Raw, environ: Mapping[str, str]) -> tuple[Money, ...] | None:
    """Amounts, or ``any``."""
    return None if raw.value == "any" else _amounts(raw, environ)


def _amount(text: str) -> Money:
    money = Money.parse(text)
    if money.minor <= 0:
        raise Refused(f"{text[:60]!r} is no amount above zero", todo='write one as in "5.00 EUR"')
    return money


def _tolerance(raw: Raw, _environ: Mapping[str, str]) -> tuple[Decimal | None, tuple[Money, ...]]:
    """A share, amounts, or both: ``["2 %", "5.00 EUR"]``."""
    share: Decimal | None = None
    amounts: dict[str, Money] = {}
    for text in _texts(raw):
        found = _SHARE.match(text)
        if found is None:
            money = Money.parse(text)
            if money.minor < 0 or money.currency in amounts:
                raise Refused(f"{text[:60]!r} is negative, or a second amount", todo="name one for each currency")
            amounts[money.currency] = money
            continue
        if share is not None or Decimal(found[1]) > _WHOLE:
            raise Refused(f"{text[:60]!r} is a second share, or more than all", todo='write one, as in "2 %"')
        share = Decimal(found[1]) / _WHOLE
    return share, tuple(amounts[one] for one in sorted(amounts))


_WHOLE = Decimal(100)


def _links(raw: Raw, _environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    todo = 'write [["ACCOUNT OF THE EXPECTED SIDE", "ACCOUNT OF THE ACTUAL SIDE"], ...]'
    if not isinstance(raw.value, list):
        raise Refused(f"{raw.value!r} is no list", todo=todo)
    found: list[tuple[str, str]] = []
    for one in cast("list[object]", raw.value):
        pair = cast("list[object]", one) if isinstance(one, list) else []
        texts = [text for text in pair if isinstance(text, str) and text]
        if len(texts) != len(pair) or len(texts) != len(SIDES):
            raise Refused(f"{one!r} is no pair of accounts", todo=todo)
        found.append((texts[0], texts[1]))
    return tuple(dict.fromkeys(found))


def _currency(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    exponent(text)
    return text


def _secret(raw: Raw, environ: Mapping[str, str]) -> SecretRef:
    found = SecretRef.parse(TEXT.parse(raw, environ))
    found.resolve(environ)
    return found


def _table(raw: Raw, _environ: Mapping[str, str]) -> Mapping[str, Any]:
    if not isinstance(raw.value, dict):
        raise Refused(f"{raw.value!r} is no table", todo=f"write [{raw.key}]")
    return cast("dict[str, Any]", raw.value)


TERM_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "tolerance": SettingForm(_tolerance, (None, ())),
        "fees": SettingForm(_amounts, ()),
        "differences": SettingForm(_differences, ()),
        "days_later": _whole(0, _MOST_DAYS),
        "days_earlier": _whole(0, _MOST_DAYS),
        "largest_group": _whole(1, _LARGEST_GROUP),
        "ask_from": SettingForm(_probability, 0.0),
        "links": SettingForm(_links, ()),
        "workflow": SettingForm(_short, ""),
        "remind_days": _whole(0, _MOST_DAYS),
        "escalate_days": _whole(0, _MOST_DAYS),
        "clearing_expected": SettingForm(_short, ""),
        "clearing_actual": SettingForm(_short, ""),
        "fees_account": SettingForm(_short, ""),
        "differences_account": SettingForm(_short, ""),
        "write_offs_account": SettingForm(_short, ""),
    }
)
"""The keys of a reconciliation's table, with how each is written, beside ``expected`` and ``actual``."""
SOURCE_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "folder": PATH,
        "done": PATH,
        "refused": PATH,
        "url": SettingForm[SecretRef | None](_secret, None),
        "query": TEXT,
        "format": SettingForm(_short, ""),
        "account": SettingForm(_short, ""),
        "currency": SettingForm(_currency, ""),
        "every": DURATION,
        "settle": DURATION,
        "dialect": SettingForm[Mapping[str, Any]](_table, MappingProxyType({})),
    }
)
"""The keys of a source's table."""


def read_reconciliation(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> ReconciliationSettings | None:
    """Read one reconciliation; None if something is wrong with its names, which ``problems`` then says."""
    where = f"reconciliation.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    known = (*TERM_FORMS, *SIDES)
    for key in sorted(table.keys() - set(known)):
        problems.add(table[key].where, "there is no such setting", meant(key, known))
    values = {key: TERM_FORMS[key].read(raw, problems, environ) for key, raw in table.items() if key in TERM_FORMS}
    share, amounts = values.pop("tolerance", (None, ()))
    values |= {} if share is None else {"tolerance_share": share}
    values |= {"tolerance_amounts": amounts} if amounts else {}
    if share is None and amounts:
        values["tolerance_share"] = Decimal(0)  # who names amounts alone means no share
    sources = [one for side in SIDES if side in table for one in _sources(side, table[side], problems, environ)]
    _check_folders(where, sources, problems)
    origin = ", ".join(dict.fromkeys(raw.source for raw in table.values()))
    return ReconciliationSettings(
        name=name, sources=tuple(sources), terms=MappingProxyType(values), source=origin or "interlock.toml"
    )


def _sources(side: str, raw: Raw, problems: Problems, environ: Mapping[str, str]) -> list[SourceSettings]:
    found: list[SourceSettings] = []
    for name, table in _tables_in(raw, problems):
        if not _NAME.match(name) or len(name) > _LONGEST_NAME or name == "hand":
            todo = "use small letters and digits, joined by single _, and not hand"
            problems.add(f"{raw.where}.{name}"[:_LONGEST_TEXT], f"{name[:60]!r} is no name of a source", todo)
            continue
        for key in sorted(table.keys() - SOURCE_FORMS.keys()):
            problems.add(table[key].where, "there is no such setting", meant(key, SOURCE_FORMS))
        given = {key: one for key, one in table.items() if key in SOURCE_FORMS}
        values = {key: SOURCE_FORMS[key].read(one, problems, environ) for key, one in given.items()}
        _check_source(f"{raw.where}.{name}", given, problems)
        found.append(SourceSettings(name=name, side=side, **values))
    return found


def _tables_in(raw: Raw, problems: Problems) -> list[tuple[str, dict[str, Raw]]]:
    """The tables ``[reconciliation.NAME.SIDE.SOURCE]``."""
    found: list[tuple[str, dict[str, Raw]]] = []
    tables = cast("dict[str, object]", raw.value) if isinstance(raw.value, dict) else {"": raw.value}
    for name, table in tables.items():
        if not name or not isinstance(table, dict):
            problems.add(raw.where, "is no table of sources", f"write [{raw.key}.SOURCE]")
            continue
        items = cast("dict[str, object]", table).items()
        found.append((name, {key: Raw(f"{raw.key}.{name}.{key}", value, raw.source) for key, value in items}))
    return found


def _check_source(where: str, given: Mapping[str, Raw], problems: Problems) -> None:
    if ("folder" in given) == ("query" in given):
        problems.add(where, "it needs a folder, or a query, and not both", "set folder; or url and query")
    if ("query" in given) != ("url" in given):
        problems.add(where, "a query and the url of its database belong together", "set both")
    if "query" in given and {"done", "refused", "format", "settle"} & given.keys():
        problems.add(where, "done, refused, format and settle are of files, and this is a query", "remove them")
    if "format" in given and given["format"].value in _TABLES and "dialect" not in given:
        problems.add(given["format"].where, "a table is read by a dialect, and there is none", "write its dialect")
    if "query" in given and "dialect" not in given:
        problems.add(where, "dialect is missing", "say which column holds what")


def _check_folders(where: str, sources: Sequence[SourceSettings], problems: Problems) -> None:
    """A file is of one source; and what was dealt with must not be seen again, else it is moved for ever."""
    watched: dict[str, str] = {}
    for one in sources:
        if one.folder is not None:
            place, mine = os.path.normpath(one.folder), f"{one.side}.{one.name}"
            if place in watched:
                what = f"{one.folder} is watched by {watched[place]} already, and each would take the other's files"
                problems.add(f"{where}.{mine}.folder", what, "give each source a folder of its own")
            watched[place] = mine
    for one in sources:
        for key, path in (("done", one.done), ("refused", one.refused)):
            if path is not None and (by := watched.get(os.path.normpath(path))):
                what = f"{path} is watched by {by}: what is moved there would be taken from there again"
                problems.add(f"{where}.{one.side}.{one.name}.{key}", what, "name a folder that no source watches")
