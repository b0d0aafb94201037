from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from interlock.actions.connector import (
    Absent,
    Done,
    Found,
    InDoubt,
    Pending,
    Permanent,
    Request,
    Transient,
    Unknown,
    Voided,
)
from interlock.connectors.http.answer import LONGEST_WAIT, Answer, judge, judge_look_up, judge_void, wait_of
from interlock.connectors.http.operation import LookUp, Void
from interlock.connectors.http.tables import read_operations

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STATES = {"pending": {"field": "state", "is": "pending"}, "done": {"field": "state", "is": ["settled", "refunded"]}}
LOOK_UP = {"path": "/p?key={key}", "match": {"to": "to", "amount": "amount"}, **STATES}
PAY = {
    "method": "POST",
    "path": "/p",
    "body": {"to": "{to}", "amount": "{amount.amount}"},
    "not_executed": [502],
    "refused": [409],
    "look_up": LOOK_UP,
}
OPERATION = read_operations({"pay": PAY}, "connectors.p", can_look_up=True)["pay"]
ASKED = Request(operation="pay", key="k", payload={"to": "ana", "amount": {"amount": "12.30"}}, deadline=NOW)


def look_up() -> LookUp:
    assert OPERATION.look_up is not None
    return OPERATION.look_up


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("999999", LONGEST_WAIT),
        ("Sun, 01 Mar 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 12:00:30 -0000", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2099 11:00:00 GMT", LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_and_bounded(text: str, wait: timedelta | None) -> None:
    assert wait_of(text, NOW) == wait


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (425, "", Transient),
        (429, "", Transient),
        (503, "1", Transient),
        (503, "", InDoubt),
        (503, "soon", InDoubt),
        (502, "", Transient),
        (409, "", Permanent),
        (408, "", InDoubt),
        (451, "", Permanent),
        (499, "", InDoubt),
        (500, "1", InDoubt),
        (599, "", InDoubt),
        (302, "", InDoubt),
        (202, "", InDoubt),
    ],
)
def test_a_status_means_no_more_than_it_proves(status: int, retry_after: str, kind: type[object]) -> None:
    answer = Answer(status=status, body=b'{"state":"settled"}', retry_after=retry_after)
    assert isinstance(judge(OPERATION, answer, NOW), kind)


@pytest.mark.parametrize("state", ["settled", "refunded"])
def test_done_is_what_is_declared_as_done(state: str) -> None:
    body = b'{"state":"%s"}' % state.encode()
    assert judge(OPERATION, Answer(status=201, body=body), NOW) == Done({"state": state})


@pytest.mark.parametrize(
    "body", [b'{"state":"pending"}', b'{"state":"failed"}', b'{"state":null}', b"{}", b'{"state":{}}']
)
def test_a_success_in_another_state_is_in_doubt(body: bytes) -> None:
    assert isinstance(judge(OPERATION, Answer(status=201, body=body), NOW), InDoubt)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"state":"settled","to":"ana","amount":"12.3"}', True),
        (200, b'{"state":"settled","to":"ana","amount":12.30}', True),
        (200, b'{"state":"settled","to":"ana","amount":12}', False),
        (200, b'{"state":"settled","to":"ben","amount":"12.30"}', False),
        (200, b'{"state":"settled","amount":"12.30"}', False),
        (200, b'{"state":"settled","to":"ana"}', False),
        (200, b'{"state":"settled","to":"ana","amount":"1230e-2"}', False),
        (200, b'{"state":"pending","to":"ana","amount":"12.30"}', Pending),
        (200, b'{"state":"failed","to":"ana","amount":"12.30"}', Unknown),
        (200, b'{"to":"ana","amount":"12.30"}', Unknown),
        (200, b"[]", Unknown),
        (404, b"", Absent),
        (410, b"", Unknown),
        (500, b"", Unknown),
    ],
)
def test_what_a_look_up_says(status: int, body: bytes, expected: bool | type[object]) -> None:  # noqa: FBT001 - a table
    looked = judge_look_up(look_up(), Answer(status=status, body=body), ASKED)
    if isinstance(expected, bool):
        assert isinstance(looked, Found)
        assert looked.matches is expected
    else:
        assert isinstance(looked, expected)


def test_digits_that_are_no_amount_are_compared_as_text() -> None:
    asked = Request(operation="pay", key="k", payload={"to": "7", "amount": {"amount": "1.00"}}, deadline=NOW)
    body = b'{"state":"settled","to":"007","amount":"1.00"}'
    looked = judge_look_up(look_up(), Answer(status=200, body=body), asked)
    assert isinstance(looked, Found)
    assert not looked.matches


def test_a_match_whose_payload_is_incomplete_is_unknown() -> None:
    asked = Request(operation="pay", key="k", payload={"to": "ana"}, deadline=NOW)
    looked = judge_look_up(look_up(), Answer(status=200, body=b'{"state":"settled","to":"ana"}'), asked)
    assert looked == Unknown("what was asked for is not known: the payload has no amount.amount")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"title":"Bad","detail":"no such\\n\\tpayee"}', ": Bad; no such payee"),
        (b'{"error":"no"}', ": no"),
        (b'{"error":{"code":1}}', ""),
        (b"<html>", ""),
        (b'{"detail":"\\u001b[31mred"}', ": [31mred"),
    ],
)
def test_what_was_said_is_one_plain_line(body: bytes, said: str) -> None:
    sent = judge(OPERATION, Answer(status=400, body=body), NOW)
    assert sent == Permanent(f"it answered 400 Bad Request{said}", "400")


CODED = read_operations({"pay": {"method": "POST", "path": "/p", "code": "error.code"}}, "c", can_look_up=False)["pay"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"card_declined"}}', "card_declined"),
        (b'{"error":{"code":4011}}', "4011"),
        (b'{"error":{"code":"a\\nb"}}', "a_b"),
        (b'{"error":"card_declined"}', "402"),
        (b'{"error":{"code":""}}', "402"),
        (b"<html>", "402"),
    ],
)
def test_an_error_has_the_name_that_the_other_side_gives_it_or_its_status(body: bytes, code: str) -> None:
    sent = judge(CODED, Answer(status=402, body=body), NOW)
    assert isinstance(sent, Permanent)
    assert sent.code == code


@pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 503, 599])
def test_whatever_failed_has_a_name(status: int) -> None:
    sent = judge(CODED, Answer(status=status, body=b"{}"), NOW)
    assert not isinstance(sent, Done)
    assert sent.code == str(status)


VOID = {"method": "POST", "path": "/keys/{key}/void", "state": {"field": "state", "is": "void"}, "found": 409}


def void_of(**changes: object) -> Void:
    tables = {"pay": PAY | {"void": VOID | changes}}
    void = read_operations(tables, "c", can_look_up=True, can_void=True)["pay"].void
    assert void is not None
    return void


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"state":"void"}', Voided),
        (200, b'{"state":"open"}', Unknown),
        (200, b"", Unknown),
        (201, b'{"state":"void"}', Unknown),
        (404, b"", Unknown),
        (500, b'{"state":"void"}', Unknown),
        (409, b"", None),
    ],
)
def test_what_voiding_a_key_says(status: int, body: bytes, kind: type[object] | None) -> None:
    said = judge_void(void_of(), Answer(status=status, body=body), ASKED)
    assert said is None if kind is None else isinstance(said, kind)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"state":"settled","to":"ana","amount":"12.3"}', True),
        (b'{"state":"settled","to":"ben","amount":"12.30"}', False),
        (b'{"state":"pending","to":"ana","amount":"12.30"}', Pending),
        (b'{"state":"odd","to":"ana","amount":"12.30"}', Unknown),
        (b"", Unknown),
    ],
)
def test_an_effect_that_came_first_is_read_from_the_answer_that_shows_it(
    body: bytes,
    expected: bool | type[object],  # noqa: FBT001 - a table
) -> None:
    void = void_of(match={"to": "to", "amount": "amount"}, **STATES)
    said = judge_void(void, Answer(status=409, body=body), ASKED)
    if isinstance(expected, bool):
        assert isinstance(said, Found)
        assert said.matches is expected
    else:
        assert isinstance(said, expected)
