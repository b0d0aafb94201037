"""Reads the tables of a SQL connector's settings and names everything that is wrong in them. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import parse_qs, urlsplit

from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.template import Template
from interlock.connectors.sql.statement import Form, Parameter, Statement
from interlock.connectors.table import Table, text_of
from interlock.errors import Refused
from interlock.setting_forms import Problems
from interlock.spelling import meant

OPTION_KEYS = ("same_database", "role", "schema")
OPERATION_KEYS = ("statement", "parameters", "rows")
READ_KEYS = ("statement", "parameters")
PARAMETER_KEYS = ("value", "as")
ANY_ROWS = "any"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
_PLACE = re.compile(r"%(?:\(([^)]*)\)s|%|.?)", re.DOTALL)
_COMMENTS = re.compile(r"\s+|--[^\n]*\n?|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_EFFECTS = ("insert", "update", "delete", "merge", "select", "with", "call")
_READS = ("select", "with", "values", "table")
_SCHEMES = ("postgresql", "postgres")
_LOOPBACK = frozenset({"", "localhost", "127.0.0.1", "::1"})
_MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a SQL connector has for itself.

    Attributes:
        same_database: Whether it acts in Interlock's own database, in the transaction that records the action.
        role: The role that its statements run as; empty: the login's own (another database only).
        schema: Where its unqualified names are looked for, one after the other; empty: as the login or role has it.
    """

    same_database: bool = False
    role: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """All that a SQL connector's settings say.

    Attributes:
        options: What it has for itself.
        operations: Its effects, by the action's name.
        reads: Its facts, by name.
    """

    options: Options
    operations: Mapping[str, Statement]
    reads: Mapping[str, Statement]


def read_tables(terms: ConnectorSettings) -> Tables:
    """Read and check a connector's settings.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    where = f"connectors.{terms.name}"
    problems = Problems()
    options = _options(terms, where, problems)
    operations = {
        name: _statement(name, Table.of(table, f"{where}.operations.{name}", OPERATION_KEYS, problems), _EFFECTS)
        for name, table in terms.operations.items()
    }
    reads = {
        name: _statement(name, Table.of(table, f"{where}.reads.{name}", READ_KEYS, problems), _READS)
        for name, table in terms.reads.items()
    }
    if not operations and not reads:
        problems.add(where, "there are no operations", f"write a table [{where}.operations.NAME] for each action")
    (_check_inside if options.same_database else _check_outside)(terms, options, where, problems)
    problems.raise_any()
    return Tables(options, operations, reads)


def _options(terms: ConnectorSettings, where: str, problems: Problems) -> Options:
    table = Table.of(terms.options, f"{where}.options", OPTION_KEYS, problems)
    if table is None:
        return Options()
    return Options(
        same_database=table.read("same_database", _boolean, default=False),
        role=table.read("role", _identifier, ""),
        schema=table.read("schema", _schemas, ""),
    )


def _check_inside(terms: ConnectorSettings, options: Options, where: str, problems: Problems) -> None:
    for key in ("url", "secret", "honours_keys", "can_look_up", "can_void"):
        if getattr(terms, key):
            todo = "remove it: effect and record are one transaction of Interlock's database"
            problems.add(f"{where}.{key}", "has no meaning with same_database", todo)
    if not options.role:
        todo = "name a role that the service was granted and that has no right on the schema interlock"
        problems.add(f"{where}.options.role", "is missing, which same_database needs", todo)


def _check_outside(terms: ConnectorSettings, _options: Options, where: str, problems: Problems) -> None:
    parts = urlsplit(terms.url)
    if parts.scheme not in _SCHEMES:
        todo = "write postgresql://USER@HOST/DATABASE, or set options = {same_database = true, role = ROLE}"
        problems.add(f"{where}.url", f"{terms.url[:60]!r} is no URL of a PostgreSQL", todo)
    elif (parts.hostname or "") not in _LOOPBACK and "sslmode" not in parse_qs(parts.query):
        todo = "add ?sslmode=verify-full, or ?sslmode=disable where the network itself is trusted"
        problems.add(f"{where}.url", "does not say whether the connection is encrypted", todo)
    if terms.operations and not terms.honours_keys:
        todo = 'set honours_keys = true and key_retention to how long rows of its inbox are kept, as in "90d"'
        problems.add(where, "honours_keys is missing: the inbox keeps each key", todo)


def _statement(name: str, table: Table | None, words: tuple[str, ...]) -> Statement:
    blank = Statement(name, b"", ())
    if table is None:
        return blank
    if not _NAME.match(name):
        table.problems.add(table.where, f"{name[:60]!r} is no name", "use letters, digits, _ and -")
    parameters = _parameters(table)
    begin = f"write one SQL statement that begins with {', '.join(words)}"
    text = table.read("statement", lambda value: _text(value, words), "", required=begin)
    try:
        _check_places(text, {parameter.name for parameter in parameters})
    except Refused as cause:
        if text:
            table.add("statement", cause.what, cause.todo)
    return Statement(name, text.encode(), parameters, table.read("rows", _rows, 1))


def _text(value: object, words: tuple[str, ...]) -> str:
    text = text_of(value)
    at = 0
    while comment := _COMMENTS.match(text, at):
        at = comment.end()
    word = _WORD.match(text, at)
    if word is None or word[0].lower() not in words:
        found = word[0] if word else text[at : at + 20]
        raise Refused(f"begins with {found!r}", todo=f"begin with {', '.join(words)}")
    if "set_config" in text.lower():
        todo = "set it for the role: alter role ... set"
        raise Refused("uses set_config, by which it could leave its role", todo=todo)
    return text


def _check_places(text: str, names: set[str]) -> None:
    """See that the statement's places and the parameters are the same set."""
    used: set[str] = set()
    for place in _PLACE.finditer(text):
        if place[1] is not None:
            used.add(place[1])
        elif place[0] != "%%":
            raise Refused(f"{place[0]!r} is no parameter", todo="write %(name)s; %% stands for a percent sign")
    if missing := sorted(used - names):
        raise Refused(f"%({missing[0]})s has no parameter", todo=f'say what fills it: {missing[0]} = "{{field}}"')
    if unused := sorted(names - used):
        raise Refused(f"the parameter {unused[0]} stands nowhere in it", todo=f"write %({unused[0]})s, or remove it")


def _parameters(table: Table) -> tuple[Parameter, ...]:
    given = table.values.get("parameters", {})
    inner = table.inner("parameters", tuple(cast("Mapping[str, object]", given)) if isinstance(given, Mapping) else ())
    if inner is None:
        return ()
    blank = Parameter("", Template(()), Form.AS_IT_IS)
    read = [inner.read(name, functools.partial(_parameter, name), blank) for name in inner.values]
    return tuple(replace(parameter, name=name) for name, parameter in zip(inner.values, read, strict=True))


def _parameter(name: str, given: object) -> Parameter:
    if not _IDENTIFIER.match(name):
        raise Refused(f"{name[:60]!r} is no name of a parameter", todo="use small letters, digits and _")
    table = cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {"value": given}
    for key in table:
        if key not in PARAMETER_KEYS:
            raise Refused(f"has no setting {key!r}", todo=meant(key, PARAMETER_KEYS))
    text, form = table.get("value"), table.get("as", "")
    if not isinstance(text, str) or not text:
        raise Refused(f"{text!r:.60} is no template", todo='write "{field}" or "{field.field}"')
    forms = [known.value for known in Form if known.value]
    if form != "" and form not in forms:
        raise Refused(f"{form!r:.60} is no type", todo=meant(str(form), forms))
    template = Template.parse(text)
    if form in (Form.MINOR, Form.JSON) and (len(template.parts) != 1 or not template.names):
        raise Refused(f"{text[:60]!r} is no single look-up, which as = {form!r} needs", todo='write "{field}"')
    return Parameter(name, template, Form(form))


def _rows(value: object) -> int | None:
    if value == ANY_ROWS:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_ROWS:
        raise Refused(f"{value!r:.60} is no number of rows", todo='write a whole number, or "any"')
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{value!r:.60} is neither true nor false", todo="write true or false, without quotes")
    return value


def _schemas(value: object) -> str:
    return ", ".join(_identifier(name.strip()) for name in text_of(value).split(","))


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not _IDENTIFIER.match(value):
        raise Refused(f"{value!r:.60} is no name", todo="use small letters, digits and _")
    return value
