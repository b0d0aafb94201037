"""The settings of one feed of outcomes: ``[outcomes.NAME]``, a folder or a query that says what became of decisions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from interlock.errors import Refused
from interlock.setting_forms import DURATION, PATH, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

FOLDER_EVERY = timedelta(seconds=10)
QUERY_EVERY = timedelta(minutes=1)
SETTLE = timedelta(seconds=5)
OVERLAP = timedelta(hours=1)
WAIT = timedelta(days=40)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_SOURCE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,79}\Z")
_POINT = re.compile(r"[A-Za-z0-9_-]{1,100}\.[A-Za-z0-9_-]{1,100}\Z")


class OutcomeFeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where outcomes come from while processes run.

    Attributes:
        name: Its name.
        folder: A folder that is watched for tables; None for a query.
        url: Where the database of a query is found; None for a folder.
        query: The query, which is read only and may say ``:since``.
        says: Whose word it is, where a row does not say so; empty: the feed's name.
        point: The decision point, where a row does not say it.
        every: How often it is pulled; None: a folder every ten seconds, a query each minute.
        settle: For how long a file must stand still before it is read.
        overlap: So much earlier than the last pull begins what ``:since`` asks for.
        wait: For how long rows that are not on record keep ``:since`` from going on.
        source: The places that its values came from.
    """

    name: str
    folder: Path | None = None
    url: SecretRef | None = None
    query: str = ""
    says: str = ""
    point: str = ""
    every: timedelta | None = None
    settle: timedelta = SETTLE
    overlap: timedelta = OVERLAP
    wait: timedelta = WAIT
    source: str = ""

    @property
    def secret(self) -> SecretRef | None:
        """Where its URL is found."""
        return self.url

    @property
    def every_s(self) -> float:
        """How often it is pulled, in seconds."""
        return (self.every or (FOLDER_EVERY if self.folder else QUERY_EVERY)).total_seconds()

    def within(self, folder: Path) -> OutcomeFeedSettings:
        """The same, with its folder below another unless it is absolute."""
        return msgspec.structs.replace(self, folder=folder / self.folder) if self.folder else self


def _secret(raw: Raw, environ: Mapping[str, str]) -> SecretRef:
    found = SecretRef.parse(TEXT.parse(raw, environ))
    found.resolve(environ)
    return found


def _says(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not _SOURCE.match(text):
        raise Refused(f"{text[:60]!r} is no name of a source", todo="use small letters, digits and . _ / -, 80 at most")
    return text


def _point(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not _POINT.match(text):
        raise Refused(f"{text[:60]!r} names no decision point", todo="write workflow.point")
    return text


def _query(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ).strip()
    if not text:
        raise Refused("there is no query", todo="write one SELECT with a column key")
    return text


OUTCOME_FEED_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "folder": PATH,
        "url": SettingForm[SecretRef | None](_secret, None),
        "query": SettingForm(_query, ""),
        "source": SettingForm(_says, ""),
        "point": SettingForm(_point, ""),
        "every": DURATION,
        "settle": DURATION,
        "overlap": DURATION,
        "wait": DURATION,
    }
)
"""The keys of a feed's table, with how each is written."""


def read_outcome_feed(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> OutcomeFeedSettings | None:
    """Read one feed; None if something is wrong with its name, which ``problems`` then says."""
    where = f"outcomes.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    for key in sorted(table.keys() - OUTCOME_FEED_FORMS.keys()):
        problems.add(table[key].where, "there is no such setting", meant(key, OUTCOME_FEED_FORMS))
    given = {key: raw for key, raw in table.items() if key in OUTCOME_FEED_FORMS}
    values = {key: OUTCOME_FEED_FORMS[key].read(raw, problems, environ) for key, raw in given.items()}
    if ("folder" in given) == ("query" in given):
        problems.add(where, "it needs a folder, or a query, and not both", "set folder; or url and query")
    if ("query" in given) != ("url" in given):
        problems.add(where, "a query and the url of its database belong together", "set both")
    if "query" in given and "settle" in given:
        problems.add(given["settle"].where, "is of files, and this is a query", "remove it")
    if "folder" in given and (of_query := sorted({"overlap", "wait"} & given.keys())):
        problems.add(given[of_query[0]].where, "is of a query, and this is a folder", "remove it")
    says = values.pop("source", "")
    origin = ", ".join(dict.fromkeys(raw.source for raw in table.values()))
    return OutcomeFeedSettings(name=name, says=says or name, source=origin or "interlock.toml", **values)
