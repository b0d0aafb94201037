"""How the values of settings are written, in a file, a variable or a flag, and where secrets are found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Generic, Literal, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import msgspec

from interlock.durations import parse_duration
from interlock.errors import ConfigInvalid, Refused
from interlock.spelling import meant

T = TypeVar("T")

_LARGEST_PORT = 65_535
_MOST = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_HOST = re.compile(r"[A-Za-z0-9:.\[\]-]{1,253}\Z")
_FUNCTION = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){0,15}:[A-Za-z_]\w{0,99}\Z", re.ASCII)
_USD = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})? USD\Z")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z")
_REFERENCE = re.compile(r"(env):([A-Za-z_][A-Za-z0-9_]{0,127})\Z|(file):(.{1,4096})\Z")


class LogLevel(StrEnum):
    """The least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Mode(StrEnum):
    """How rules and contracts come to count: see docs/howto/publish-rules.md."""

    DEVELOPMENT = "development"
    """What is published counts where something is published for the line; else the file."""
    PRODUCTION = "production"
    """What is published counts, and no file."""


class SecretRef(msgspec.Struct, frozen=True):
    """Where a secret is to be found: ``env:NAME`` or ``file:PATH``. The secret itself is never kept.

    Attributes:
        source: In the environment or in a file.
        name: The variable's name, or the file's path.
    """

    source: Literal["env", "file"]
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read a reference.

        Raises:
            ConfigInvalid: anything else, which might be the secret itself; it is not repeated in the message.
        """
        found = _REFERENCE.match(text)
        if found is None:
            raise ConfigInvalid("is no reference to a secret", todo="write env:NAME or file:PATH, never the secret")
        return cls("env", found[2]) if found[1] else cls("file", found[4])

    def resolve(self, environ: Mapping[str, str]) -> str:
        """Fetch the secret; of a file, without the white space at its end.

        Raises:
            ConfigInvalid: the variable or the file is not there, or is empty.
        """
        if self.source == "env":
            secret = environ.get(self.name, "")
        else:
            try:
                secret = Path(self.name).read_text("utf-8").rstrip()
            except (OSError, UnicodeDecodeError) as cause:
                raise ConfigInvalid(f"the secret in {self} cannot be read: {cause}", todo="put it there") from cause
        if not secret:
            raise ConfigInvalid(f"there is no secret in {self}", todo="put it there")
        return secret

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


class Problems:
    """What is wrong with the settings, gathered so that all of it can be said at once."""

    def __init__(self) -> None:
        self._found: list[ConfigInvalid] = []

    def add(self, where: str, what: str, todo: str) -> None:
        """Note one problem."""
        self._found.append(ConfigInvalid(what, where=where[:200], todo=todo))

    def raise_any(self) -> None:
        """Raise what was gathered.

        Raises:
            ConfigInvalid: there is at least one problem.
        """
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            lines = "".join(f"\n  {problem.where}: {problem.what} ({problem.todo})" for problem in self._found)
            raise ConfigInvalid(f"{len(self._found)} settings are wrong{lines}", todo="mend each, as it says")


@dataclass(frozen=True)
class Raw:
    """A value as it was given.

    Attributes:
        key: The setting.
        value: What was given; a variable's is always a string.
        source: Where it was given: a file's name, a variable, or a flag.
    """

    key: str
    value: object
    source: str

    @property
    def from_file(self) -> bool:
        """Whether it stands in a file, where values have types."""
        return self.source.endswith(".toml")

    @property
    def from_variable(self) -> bool:
        """Whether it stands in the environment."""
        return self.source.isupper()

    @property
    def where(self) -> str:
        """Its place, for a message."""
        return f"{self.source}: {self.key}" if self.from_file else self.source


@dataclass(frozen=True)
class SettingForm(Generic[T]):
    """How one kind of setting is written.

    Attributes:
        parse: Reads it, or raises Refused.
        blank: Stands in for a value that was refused; nobody sees it.
    """

    parse: Callable[[Raw, Mapping[str, str]], T]
    blank: T

    def read(self, raw: Raw, problems: Problems, environ: Mapping[str, str]) -> T:
        """The value, or the blank if it is refused."""
        try:
            return self.parse(raw, environ)
        except Refused as cause:
            problems.add(raw.where, cause.what, cause.todo)
            return self.blank


def without_password(value: object) -> object:
    """A value for showing: a database URL loses its password."""
    if not isinstance(value, str) or not _has_password(value):
        return value
    parts = urlsplit(value)
    user = parts.username or ""
    place = parts.netloc.rpartition("@")[2]
    query = re.sub(r"(?<=password=)[^&]*", "***", parts.query)
    return parts._replace(netloc=f"{user}:***@{place}" if parts.password else parts.netloc, query=query).geturl()


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("postgresql", "postgres") and (
            parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True)
        )
    except ValueError:
        return False


def _text(raw: Raw) -> str:
    if not isinstance(raw.value, str):
        raise Refused(f"{raw.value!r} is no text", todo="write it in quotes")
    return raw.value


def _matching(form: re.Pattern[str], what: str, todo: str) -> SettingForm[str]:
    def parse(raw: Raw, _environ: Mapping[str, str]) -> str:
        text = _text(raw)
        if not form.match(text):
            raise Refused(f"{text[:60]!r} is no {what}", todo=todo)
        return text

    return SettingForm(parse, "")


def _whole(raw: Raw, least: int, most: int) -> int:
    value = raw.value
    if isinstance(value, str) and not raw.from_file and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"{raw.value!r} is not usable here", todo=f"write a whole number from {least} to {most}")
    return value


def _boolean(raw: Raw, _environ: Mapping[str, str]) -> bool:
    value = raw.value
    if isinstance(value, str) and not raw.from_file:
        value = {"true": True, "false": False}.get(value)
    if not isinstance(value, bool):
        raise Refused(f"{raw.value!r} is neither true nor false", todo="write true or false")
    return value


def _duration(raw: Raw, _environ: Mapping[str, str]) -> timedelta:
    duration = raw.value if isinstance(raw.value, timedelta) else parse_duration(_text(raw))
    if duration <= timedelta(0):
        raise Refused("no time at all", todo='write a length above zero, as in "15s"')
    return duration


def _usd(raw: Raw, _environ: Mapping[str, str]) -> Decimal:
    text = _text(raw)
    if not _USD.match(text):
        raise Refused(f"{text[:60]!r} is no price", todo='write it in USD, as in "0.04 USD"')
    return Decimal(text.removesuffix(" USD"))


def _amount(raw: Raw, _environ: Mapping[str, str]) -> Decimal:
    text = _text(raw)
    if not _AMOUNT.match(text):
        raise Refused(f"{text[:60]!r} is no amount", todo='write plain digits in quotes, as in "10.00"')
    return Decimal(text)


def _path(raw: Raw, _environ: Mapping[str, str]) -> Path:
    value = str(raw.value) if isinstance(raw.value, Path) else _text(raw)
    if not value or "\0" in value:
        raise Refused(f"{value!r} is no path", todo="name a folder")
    return Path(value).expanduser()


def _workflows(raw: Raw, _environ: Mapping[str, str]) -> tuple[str, ...]:
    value = raw.value
    if isinstance(value, str) and not raw.from_file:
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)):
        raise Refused(f"{value!r} is no list", todo='write ["package.module:function"]')
    names = cast("list[object] | tuple[object, ...]", value)
    for name in names:
        if not isinstance(name, str) or not _FUNCTION.match(name):
            raise Refused(f"{name!r} is no import string", todo="write package.module:function")
    return cast("tuple[str, ...]", tuple(names))


def _log_level(raw: Raw, _environ: Mapping[str, str]) -> LogLevel:
    text = _text(raw)
    try:
        return LogLevel(text.lower())
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no level", todo=meant(text.lower(), [*LogLevel])) from cause


def _mode(raw: Raw, _environ: Mapping[str, str]) -> Mode:
    text = _text(raw)
    try:
        return Mode(text.lower())
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no mode", todo=meant(text.lower(), [*Mode])) from cause


def _database_url(raw: Raw, environ: Mapping[str, str]) -> str:
    url = _text(raw)
    if url.startswith(("env:", "file:")):
        url = SecretRef.parse(url).resolve(environ)
    elif _has_password(url) and not raw.from_variable:
        raise Refused("a password stands here for everyone to read", todo="write env:NAME or file:PATH instead")
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise Refused("is no URL of a PostgreSQL database", todo="write postgresql://USER@HOST/DATABASE")
    return url


def _secret(raw: Raw, _environ: Mapping[str, str]) -> SecretRef:
    return SecretRef.parse(raw.value if isinstance(raw.value, str) else "")


NAME = _matching(_NAME, "name", "use small letters, digits, - and _")
HOST = _matching(_HOST, "host", "write a name or an address, as in 127.0.0.1")
FUNCTION = _matching(_FUNCTION, "function", "write package.module:function")
COUNT = SettingForm(lambda raw, _environ: _whole(raw, 1, _MOST), 1)
PORT = SettingForm(lambda raw, _environ: _whole(raw, 0, _LARGEST_PORT), 0)
BOOLEAN = SettingForm(_boolean, blank=False)
DURATION = SettingForm(_duration, timedelta(seconds=1))
USD = SettingForm(_usd, Decimal(0))
AMOUNT = SettingForm(_amount, Decimal(0))
PATH = SettingForm(_path, Path())
WORKFLOWS = SettingForm[tuple[str, ...]](_workflows, ())
LOG_LEVEL = SettingForm(_log_level, LogLevel.INFO)
MODE = SettingForm(_mode, Mode.DEVELOPMENT)
DATABASE_URL = SettingForm(_database_url, "")
SECRET = SettingForm[SecretRef | None](_secret, None)
TEXT = SettingForm(lambda raw, _environ: _text(raw), "")
WEB_ADDRESS = _matching(
    re.compile(r"https://[^\s@]+\Z|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s@]*)?\Z"),
    "web address",
    "write https://..., or http:// for this machine; no user and no password",
)
