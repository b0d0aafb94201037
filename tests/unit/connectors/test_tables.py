from __future__ import annotations

import tomllib

import pytest

from interlock.connectors.http.operation import StateRule
from interlock.connectors.http.tables import read_operations
from interlock.errors import ConfigInvalid

PAY = """
method = "POST"
path = "/payments"
body = {to = "{to}", amount = "{amount.amount}", deep = {flag = true, number = 3}}
look_up.path = "/payments?key={key}"
look_up.pending = {field = "state", is = ["pending", "queued"]}
look_up.match = {to = "to", "sum.amount" = "amount", number = "deep.number", payment = "p-{key}"}
look_up.amounts = ["sum.amount"]
"""


def without(*begin: str) -> str:
    return "\n".join(line for line in PAY.splitlines() if not line.startswith(begin))


def test_a_whole_table_is_read() -> None:
    operation = read_operations({"pay": tomllib.loads(PAY)}, "connectors.p", can_look_up=True)["pay"]
    assert (operation.method, operation.success) == ("POST", {200, 201})
    assert operation.pending == StateRule("state", frozenset({"pending", "queued"})), "as its look-up says"
    assert operation.look_up is not None
    assert (operation.look_up.found, operation.look_up.absent) == (200, 404)
    expected = {
        match.field: (match.expected.value("k", {"to": "ana", "amount": {"amount": "1.00"}}), match.amount)
        for match in operation.look_up.shown.match
    }
    assert expected == {
        "to": ("ana", False),
        "sum.amount": ("1.00", True),
        "number": ("3", False),
        "payment": ("p-k", False),
    }


def test_a_field_named_amount_is_an_amount_unless_told_otherwise() -> None:
    table = tomllib.loads(without("look_up.match", "look_up.amounts") + '\nlook_up.match = {amount = "amount"}')
    look_up = read_operations({"pay": table}, "connectors.p", can_look_up=True)["pay"].look_up
    assert look_up is not None
    assert look_up.shown.match[0].amount


@pytest.mark.parametrize(
    ("toml", "where", "what"),
    [
        (PAY + "metod = 1", "pay.metod", "did you mean"),
        (PAY + "look_up.foun = 200", "pay.look_up.foun", "did you mean"),
        (without("method"), "pay.method", "is missing"),
        (without("method") + '\nmethod = "GET"', "pay.method", "none of POST"),
        (without("path"), "pay.path", "is missing"),
        (without("path") + '\npath = "payments"', "pay.path", 'begin with "/"'),
        (without("path") + '\npath = "/pay ments"', "pay.path", "is no path"),
        (without("path") + '\npath = "/p#x"', "pay.path", "is no path"),
        (without("path") + '\npath = "/p/{to"', "pay.path", "is no look-up"),
        (without("body", "look_up.match", "look_up.amounts") + "\nbody = {x = 1.5}", "pay.body", "has no exact form"),
        (without("body") + '\nbody = {x = "{to!r}"}', "pay.body", "is no look-up"),
        (PAY + "success = [204]", "pay.success", "204 has no body"),
        (PAY + "success = [404]", "pay.success", "no status of success"),
        (PAY + "success = []", "pay.success", "names no status"),
        (PAY + "success = [true]", "pay.success", "no status of an answer"),
        (PAY + "not_executed = [201]", "pay.not_executed", "no status of failure"),
        (PAY + "not_executed = [409]\nrefused = [409]", "pay.refused", "under not_executed too"),
        (PAY + 'key_header = "Authorization"', "pay.key_header", "carries something else"),
        (PAY + 'key_header = "a b"', "pay.key_header", "no name of a header"),
        (PAY + 'key_bare = "yes"', "pay.key_bare", "neither true nor false"),
        (PAY + 'done = {field = "state"}', "pay.done.is", "is missing"),
        (PAY + 'done = {is = "x"}', "pay.done.field", "is missing"),
        (PAY + "done = 3", "pay.done", "is no table"),
        (without("look_up.path"), "pay.look_up.path", "is missing"),
        (PAY + "look_up.absent = 200", "pay.look_up.absent", "means found too"),
        (PAY + 'look_up.method = "POST"', "pay.look_up.method", "none of GET"),
        (without("look_up.match", "look_up.amounts"), "pay.look_up.match", "must be what was asked for"),
        (without("look_up.match") + '\nlook_up.match = {a = "b"}', "pay.look_up.match.a", "no field of the body"),
        (without("look_up.amounts") + '\nlook_up.amounts = ["x"]', "pay.look_up.amounts", "not in match"),
        (without("look_up"), "pay.look_up", "which can_look_up needs"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(toml: str, where: str, what: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_operations({"pay": tomllib.loads(toml)}, "connectors.p", can_look_up=True)
    assert f"connectors.p.operations.{where}" in str(refused.value)
    assert what in str(refused.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    tables = {"pay": tomllib.loads(without("method", "path")), "b@d": tomllib.loads(PAY), "none": 3}
    with pytest.raises(ConfigInvalid, match="4 settings are wrong"):
        read_operations(tables, "connectors.p", can_look_up=True)


def test_a_look_up_that_would_never_be_used_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="without can_look_up"):
        read_operations({"pay": tomllib.loads(PAY)}, "connectors.p", can_look_up=False)


VOID = """
void.method = "POST"
void.path = "/keys/{key}/void"
void.found = 409
"""


def test_how_a_key_is_made_void_is_read() -> None:
    tables = {"pay": tomllib.loads(PAY + VOID)}
    void = read_operations(tables, "connectors.p", can_look_up=True, can_void=True)["pay"].void
    assert void is not None
    assert (void.method, void.voided, void.found, void.shown) == ("POST", {200}, {409}, None)
    assert void.path.path("a/b", {}) == "/keys/a%2Fb/void"


@pytest.mark.parametrize(
    ("toml", "where", "what"),
    [
        ("", "pay.void", "which can_void needs"),
        (VOID + "void.foun = 1", "pay.void.foun", "did you mean"),
        (VOID.replace('"POST"', '"GET"'), "pay.void.method", "none of POST"),
        (VOID.replace("{key}", "{to}"), "pay.void.path", "does not name the key"),
        (VOID + "void.voided = [404]", "pay.void.voided", "no status of success"),
        (VOID.replace("409", "200"), "pay.void.found", "under voided too"),
        (VOID + 'void.amounts = ["amount"]', "pay.void.match", "is missing"),
        (VOID + 'void.match = {a = "b"}', "pay.void.match.a", "no field of the body"),
        (VOID + "void.state = 3", "pay.void.state", "is no table"),
    ],
)
def test_what_is_wrong_about_voiding_is_named_with_its_place(toml: str, where: str, what: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_operations({"pay": tomllib.loads(PAY + toml)}, "connectors.p", can_look_up=True, can_void=True)
    assert f"connectors.p.operations.{where}" in str(refused.value)
    assert what in str(refused.value)


def test_an_effect_that_comes_before_voiding_must_be_shown_somewhere() -> None:
    table = tomllib.loads(without("look_up") + VOID)
    with pytest.raises(ConfigInvalid, match="nothing says which"):
        read_operations({"pay": table}, "connectors.p", can_look_up=False, can_void=True)
    table["void"]["match"] = {"to": "to"}
    assert read_operations({"pay": table}, "connectors.p", can_look_up=False, can_void=True)["pay"].void


def test_voiding_that_would_never_be_used_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="without can_void"):
        read_operations({"pay": tomllib.loads(PAY + VOID)}, "connectors.p", can_look_up=True)


def test_the_name_of_an_error_is_a_field() -> None:
    with pytest.raises(ConfigInvalid, match="is no field"):
        read_operations({"pay": tomllib.loads(PAY + 'code = "a b"')}, "connectors.p", can_look_up=True)


def test_a_connector_without_operations_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="there are no operations"):
        read_operations({}, "connectors.p", can_look_up=False)
