"""Reads the tables of a SQL connector's settings and names everything that is wrong in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs, urlsplit

from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.template import Template
from interlock.connectors.sql.statement import Form, Parameter, Statement
from interlock.errors import Refused
from interlock.setting_forms import Problems
from interlock.spelling import meant

OPTION_KEYS = ("same_database", "role", "schema")
OPERATION_KEYS = ("statement", "parameters", "rows")
READ_KEYS = ("statement", "parameters")
PARAMETER_KEYS = ("value", "as")
ANY_ROWS = "any"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_PARAMETER = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
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
        schema: Where its unqualified names are looked for; empty: as the login or role has it.
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
        name: _statement(name, table, f"{where}.operations.{name}", OPERATION_KEYS, _EFFECTS, problems)
        for name, table in terms.operations.items()
    }
    reads = {
        name: _statement(name, table, f"{where}.reads.{name}", READ_KEYS, _READS, problems)
        for name, table in terms.reads.items()
    }
    if not operations and not reads:
        problems.add(where, "there are no operations", f"write a table [{where}.operations.NAME] for each action")
    _check_place(terms, options, where, problems)
    problems.raise_any()
    return Tables(options, operations, reads)


def _options(terms: ConnectorSettings, where: str, problems: Problems) -> Options:
    given = terms.options
    for key in given:
        if key not in OPTION_KEYS:
            problems.add(f"{where}.options.{key}", "there is no such setting", meant(key, OPTION_KEYS))
    same = given.get("same_database", False)
    if not isinstance(same, bool):
        problems.add(f"{where}.options.same_database", f"{same!r} is neither true nor false", "write true or false")
        same = False
    names: dict[str, str] = {}
    for key in ("role", "schema"):
        name = given.get(key, "")
        if name != "" and (not isinstance(name, str) or not _IDENTIFIER.match(name)):
            problems.add(f"{where}.options.{key}", f"{name!r:.60} is no name", "use small letters, digits and _")
            name = ""
        names[key] = name
    return Options(same_database=same, role=names["role"], schema=names["schema"])


def _check_place(terms: ConnectorSettings, options: Options, where: str, problems: Problems) -> None:
    """What the two ways of using it need, each its own."""
    if options.same_database:
        for key in ("url", "secret", "honours_keys", "can_look_up", "can_void"):
            if getattr(terms, key):
                todo = "remove it: effect and record are one transaction of Interlock's database"
                problems.add(f"{where}.{key}", "has no meaning with same_database", todo)
        if not options.role:
            todo = "name a role that the service was granted and that has no right on the schema interlock"
            problems.add(f"{where}.options.role", "is missing, which same_database needs", todo)
        return
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


def _statement(
    name: str, table: object, where: str, known: tuple[str, ...], words: tuple[str, ...], problems: Problems
) -> Statement:
    blank = Statement(name, b"", ())
    if not _NAME.match(name):
        problems.add(where, f"{name[:60]!r} is no name", "use letters, digits, _ and -")
    if not isinstance(table, Mapping):
        problems.add(where, "is no table", f"write [{where}]")
        return blank
    values = cast("Mapping[str, object]", table)
    for key in values:
        if key not in known:
            problems.add(f"{where}.{key}", "there is no such setting", meant(key, known))
    parameters = _parameters(values.get("parameters", {}), f"{where}.parameters", problems)
    try:
        text = _text(values.get("statement"), words)
        _check_places(text, {parameter.name for parameter in parameters})
    except Refused as cause:
        problems.add(f"{where}.statement", cause.what, cause.todo)
        return blank
    rows = values.get("rows", 1)
    if rows != ANY_ROWS and (isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows <= _MOST_ROWS):
        problems.add(f"{where}.rows", f"{rows!r:.60} is no number of rows", 'write a whole number, or "any"')
        rows = 1
    return Statement(name, text.encode(), parameters, rows if isinstance(rows, int) else None)


def _text(value: object, words: tuple[str, ...]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused("is missing", todo=f"write one SQL statement that begins with {' or '.join(words)}")
    at = 0
    while comment := _COMMENTS.match(value, at):
        at = comment.end()
    word = _WORD.match(value, at)
    if word is None or word[0].lower() not in words:
        found = word[0] if word else value[at : at + 20]
        raise Refused(f"begins with {found!r}", todo=f"begin with {', '.join(words)}")
    if "set_config" in value.lower():
        raise Refused(
            "uses set_config, by which it could leave its role", todo="set it for the role: alter role ... set"
        )
    return value


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


def _parameters(value: object, where: str, problems: Problems) -> tuple[Parameter, ...]:
    if not isinstance(value, Mapping):
        problems.add(where, "is no table", f"write [{where}]")
        return ()
    read: list[Parameter] = []
    for name, given in cast("Mapping[str, object]", value).items():
        try:
            read.append(_parameter(name, given))
        except Refused as cause:
            problems.add(f"{where}.{name}", cause.what, cause.todo)
            read.append(Parameter(name, Template(()), Form.AS_IT_IS))
    return tuple(read)


def _parameter(name: str, given: object) -> Parameter:
    if not _PARAMETER.match(name):
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
