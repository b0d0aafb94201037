"""Reads the tables ``[connectors.NAME.operations.OPERATION]`` and names everything that is wrong in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from interlock.connectors.http.operation import KEY_HEADER, LookUp, Match, Operation, Shown, StateRule, Void
from interlock.connectors.http.template import KEY, Body, Name, Template, plain
from interlock.connectors.table import Table, text_of
from interlock.errors import Refused
from interlock.setting_forms import Problems
from interlock.spelling import meant

METHODS = ("POST", "PUT", "PATCH", "DELETE")
OPERATION_KEYS = (
    "method", "path", "body", "success", "not_executed", "refused", "pending", "done", "look_up", "void", "code",
    "key_header", "key_bare",
)  # fmt: skip
LOOK_UP_KEYS = ("method", "path", "found", "absent", "pending", "done", "match", "amounts")
VOID_KEYS = ("method", "path", "body", "voided", "state", "found", "pending", "done", "match", "amounts")
STATE_KEYS = ("field", "is")

_ACTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_DOTTED = re.compile(r"[^.\s{}]{1,64}(\.[^.\s{}]{1,64}){0,7}\Z")
_PATH = re.compile(r"/[\x21\x24-\x7e]*\Z")
"""Visible ASCII without the quote and without ``#``: anything after that is never sent."""
_OTHERS_HEADERS = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "host",
     "transfer-encoding", "user-agent", "x-request-deadline"}
)  # fmt: skip
_DEEPEST = 8
_NO_BODY = frozenset({204, 205})


def read_operations(
    tables: Mapping[str, object], where: str, *, can_look_up: bool, can_void: bool = False, needed: bool = True
) -> dict[str, Operation]:
    """Read all operations of a connector.

    Args:
        tables: As TOML gives them, by the operation's name.
        where: The connector's place in the settings, for messages.
        can_look_up: Whether the connector says that effects can be found by key.
        can_void: Whether it says that keys can be made void.
        needed: Whether it has nothing else to do, so that there must be some.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    problems = Problems()
    if needed and not tables:
        problems.add(where, "there are no operations", f"write a table [{where}.operations.NAME] for each action")
    read: dict[str, Operation] = {}
    for name, value in tables.items():
        place = f"{where}.operations.{name}"
        if not _ACTION.match(name):
            problems.add(place, f"{name[:60]!r} is no name of an action", "use letters, digits, _ and -")
        table = Table.of(value, place, OPERATION_KEYS, problems)
        if table is not None:
            read[name] = _operation(name, table, can_look_up=can_look_up, can_void=can_void)
    problems.raise_any()
    return read


def _operation(name: str, table: Table, *, can_look_up: bool, can_void: bool) -> Operation:
    body = table.read("body", body_of, None)
    look_up_table = _declared(table, "look_up", LOOK_UP_KEYS, can=can_look_up, how="how its effect is found by its key")
    void_table = _declared(table, "void", VOID_KEYS, can=can_void, how="how its key is made void")
    look_up = None if look_up_table is None else _look_up(look_up_table, body)
    void = None if void_table is None else _void(void_table, body, look_up)
    operation = Operation(
        name=name,
        method=table.read("method", lambda value: _one_of(value, METHODS), "POST", required='write "POST"'),
        path=table.read("path", _path, Template(()), required='write the path, as in "/payments"'),
        body=body,
        success=table.read("success", _successes, frozenset({200, 201})),
        not_executed=table.read("not_executed", failures, frozenset[int]()),
        refused=table.read("refused", failures, frozenset[int]()),
        pending=_state(table, "pending") or (look_up.shown.pending if look_up else None),
        done=_state(table, "done") or (look_up.shown.done if look_up else None),
        look_up=look_up,
        void=void,
        code=table.read("code", _dotted, ""),
        key_header=table.read("key_header", _header, KEY_HEADER),
        key_bare=table.read("key_bare", _boolean, default=False),
    )
    both = operation.not_executed & operation.refused
    if both:
        table.add("refused", f"{min(both)} is under not_executed too", "a status means one thing; remove it from one")
    return operation


def _declared(table: Table, key: str, known: tuple[str, ...], *, can: bool, how: str) -> Table | None:
    """The inner table of an ability, which must be there exactly if the connector says that it has the ability."""
    if can and key not in table.values:
        table.add(key, f"is missing, which can_{key} needs", f"say {how}, or set can_{key} = false")
    inner = table.inner(key, known)
    if inner is not None and not can:
        table.add(key, f"is there without can_{key}", f"set can_{key} = true, or remove it")
    return inner


def _void(table: Table, body: Body, look_up: LookUp | None) -> Void:
    void = Void(
        method=table.read("method", lambda value: _one_of(value, METHODS), "POST", required='write "POST"'),
        path=table.read("path", _path, Template(()), required='write the path, as in "/keys/{key}/void"'),
        body=table.read("body", body_of, None),
        voided=table.read("voided", _voided, frozenset({200})),
        state=_state(table, "state"),
        found=table.read("found", _statuses, frozenset[int]()),
        shown=_shown(table, body) if "match" in table.values else None,
    )
    if both := void.voided & void.found:
        table.add("found", f"{min(both)} is under voided too", "give the statuses that tell them apart")
    if "path" in table.values and not _names_key(void.path) and not _names_key(void.body):
        table.add("path", "does not name the key that is made void", "write {key} in path or body")
    if void.shown is None and table.values.keys() & {"amounts", "pending", "done"}:
        table.add("match", "is missing, which amounts, pending and done need", "say what must be as it was asked for")
    if void.found and void.shown is None and look_up is None:
        todo = "say in match what the answer shows, or how the effect is looked up"
        table.add("found", "says that there is an effect, and nothing says which", todo)
    return void


def _names_key(body: Body) -> bool:
    if isinstance(body, Template):
        return any(isinstance(part, Name) and part.dotted == KEY for part in body.parts)
    if isinstance(body, list):
        return any(_names_key(item) for item in body)
    return isinstance(body, dict) and any(_names_key(item) for item in body.values())


def _look_up(table: Table, body: Body) -> LookUp:
    table.read("method", lambda value: _one_of(value, ("GET",)), "GET")
    look_up = LookUp(
        path=table.read("path", _path, Template(()), required='write the path, as in "/payments?key={key}"'),
        found=table.read("found", _status, 200),
        absent=table.read("absent", _status, 404),
        shown=_shown(table, body),
    )
    if look_up.found == look_up.absent:
        table.add("absent", f"{look_up.absent} means found too", "give the two statuses that tell them apart")
    return look_up


def _shown(table: Table, body: Body) -> Shown:
    return Shown(_state(table, "pending"), _state(table, "done"), _matches(table, body))


def _matches(table: Table, body: Body) -> tuple[Match, ...]:
    given = table.values.get("match")
    known = tuple(cast("Mapping[str, object]", given)) if isinstance(given, Mapping) else ()
    match = table.inner("match", known)
    if match is None or not match.values:
        todo = 'say which fields of the answer must be as asked for: match = {to = "to", amount = "amount"}'
        table.add("match", "is missing: what is found must be what was asked for", todo)
        return ()
    amounts = table.read("amounts", _names, ("amount",))
    if "amounts" in table.values and not set(amounts) <= match.values.keys():
        table.add("amounts", "names a field that is not in match", meant(amounts[0], match.values))
    read: list[Match] = []
    for found in match.values:
        if not _DOTTED.match(found):
            match.add(found, "is no field of an answer", "write name or name.name")
        expected = match.read(found, lambda value: _expected(value, body), Template(()))
        read.append(Match(found, expected, amount=found in amounts))
    return tuple(read)


def _expected(value: object, body: Body) -> Template:
    """What an answer is held against: a template of its own, or the field of the body that it names."""
    text = text_of(value)
    if "{" in text:
        return Template.parse(text)
    part: Body = body
    for step in text.split("."):
        part = part.get(step) if isinstance(part, dict) else None
    scalar = part if isinstance(part, Template) else plain(part)
    if scalar is None:
        raise Refused(f"{text[:60]!r} is no field of the body", todo="name one, or write a template: {name}")
    return scalar if isinstance(scalar, Template) else Template((scalar,))


def _state(table: Table, key: str) -> StateRule | None:
    inner = table.inner(key, STATE_KEYS)
    if inner is None:
        return None
    name = inner.read("field", _dotted, "", required='name the field of the answer, as in "state"')
    values = inner.read("is", _values, frozenset[str](), required="say which values it has then")
    return StateRule(name, values)


def _one_of(value: object, known: tuple[str, ...]) -> str:
    if value not in known:
        raise Refused(f"{value!r} is none of {', '.join(known)}", todo=meant(str(value).upper(), known))
    return str(value)


def _path(value: object) -> Template:
    text = text_of(value)
    if not _PATH.match(text):
        raise Refused(f"{text[:60]!r} is no path", todo='begin with "/", and percent-encode spaces and other letters')
    return Template.parse(text)


def _header(value: object) -> str:
    if not _HEADER.match(text_of(value)):
        raise Refused(f"{value!r} is no name of a header", todo="use letters, digits and -")
    if text_of(value).lower() in _OTHERS_HEADERS:
        raise Refused(f"{value!r} carries something else", todo=f"leave it out for {KEY_HEADER}, or name another")
    return text_of(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{value!r} is neither true nor false", todo="write true or false, without quotes")
    return value


def _dotted(value: object) -> str:
    if not _DOTTED.match(text_of(value)):
        raise Refused(f"{value!r} is no field", todo="write name or name.name")
    return text_of(value)


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _names(value: object) -> tuple[str, ...]:
    names = tuple(text_of(item) for item in _listed(value))
    if not names:
        raise Refused("names nothing", todo='write ["amount"], or remove it')
    return names


def _values(value: object) -> frozenset[str]:
    texts = [plain(item) for item in _listed(value)]
    if not texts or None in texts:
        raise Refused(f"{value!r} is no value of a state", todo='write "pending" or ["pending", "queued"]')
    return frozenset(text for text in texts if text is not None)


def _status(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:  # noqa: PLR2004 - RFC 9110
        raise Refused(f"{value!r} is no status of an answer", todo="write a whole number from 200 to 599")
    return value


def _statuses(value: object) -> frozenset[int]:
    statuses = frozenset(_status(item) for item in _listed(value))
    if not statuses:
        raise Refused("names no status", todo="write a list, as in [200, 201], or remove it")
    return statuses


def _successes(value: object) -> frozenset[int]:
    statuses = _statuses(value)
    for status in sorted(statuses):
        if status >= 300:  # noqa: PLR2004 - RFC 9110
            raise Refused(f"{status} is no status of success", todo="write statuses from 200 to 299")
        if status in _NO_BODY:
            raise Refused(f"{status} has no body that says what was done", todo="name the statuses of answers in JSON")
    return statuses


def _voided(value: object) -> frozenset[int]:
    statuses = _statuses(value)
    if max(statuses) >= 300:  # noqa: PLR2004 - RFC 9110
        raise Refused(f"{max(statuses)} is no status of success", todo="write statuses from 200 to 299")
    return statuses


def failures(value: object) -> frozenset[int]:
    """Statuses of an answer that says that something failed, one or a list.

    Raises:
        Refused: it is anything else.
    """
    statuses = _statuses(value)
    if min(statuses) < 400:  # noqa: PLR2004 - RFC 9110
        raise Refused(f"{min(statuses)} is no status of failure", todo="write statuses from 400 to 599")
    return statuses


def body_of(value: object, depth: int = 0) -> Body:
    """JSON whose texts are templates.

    Raises:
        Refused: a text is no template, a number has a fraction, or it is too deep.
    """
    if depth > _DEEPEST:
        raise Refused(f"is more than {_DEEPEST} tables deep", todo="make it flatter")
    if isinstance(value, str):
        return Template.parse(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, list):
        return [body_of(item, depth + 1) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: body_of(item, depth + 1) for key, item in cast("dict[str, object]", value).items()}
    raise Refused(f"{value!r} has no exact form in JSON", todo="write it in quotes")
