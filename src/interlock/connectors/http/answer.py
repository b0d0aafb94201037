"""What an HTTP answer proves about the effect. Pure.

INVARIANT: ``Transient`` and ``Permanent`` are said only where the answer proves that there was no effect. Anything that
leaves room for one, an answer that cannot be read too, is ``InDoubt``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

import msgspec

from interlock.actions.connector import (
    Absent,
    Done,
    Found,
    InDoubt,
    LookedUp,
    Pending,
    Permanent,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
    Voided,
)
from interlock.connectors.http.operation import LookUp, Match, Operation, Shown, StateRule, Void
from interlock.connectors.http.template import field, plain
from interlock.contracts.door import read_json
from interlock.errors import MalformedJson, Refused

LARGEST_ANSWER = 1_000_000
"""Bytes of a body."""
LONGEST_WAIT = timedelta(hours=1)
"""The longest Retry-After that is believed; a longer one is asked again after this."""
LONGEST_SAID = 300
"""Characters of what the other side said that are kept."""
LONGEST_CODE = 100
"""Characters of an error's name."""

_NOT_EXECUTED = frozenset({HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_DOUBTFUL = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
"""408 can come from a proxy or stand in the connection from before; 409 is what a request under a key gets while the
first one under it is still being carried out (draft-ietf-httpapi-idempotency-key-header, section 2.6)."""
_REGISTERED = frozenset(int(status) for status in HTTPStatus)
_SECONDS = re.compile(r"[0-9]{1,9}\Z")
_EXACT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?\Z")
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DECODER = msgspec.json.Decoder(float_hook=str)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that came in whole.

    Attributes:
        status: The HTTP status.
        body: The bytes of the body, as they came.
        retry_after: The header Retry-After; empty if there is none.
    """

    status: int
    body: bytes
    retry_after: str = ""


def judge(operation: Operation, answer: Answer, now: datetime) -> Sent:
    """What an answer to a request for an effect says."""
    status = answer.status
    wait = wait_of(answer.retry_after, now)
    said = f"it answered {_phrase(status)}{_said(answer.body)}"
    if status in operation.success:
        return _judge_success(operation, answer, said, wait)
    code = code_of(operation.code, answer)
    if status in operation.not_executed or status in _NOT_EXECUTED:
        return Transient(said, wait, code)
    if status in operation.refused:
        return Permanent(said, code)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None:
        return Transient(said, wait, code)
    if _is_refusal(status):
        return Permanent(said, code)
    return InDoubt(said, wait, code)


def judge_look_up(look_up: LookUp, answer: Answer, request: Request) -> LookedUp:
    """What an answer to a look-up says about the request whose effect was looked for."""
    if answer.status == look_up.absent:
        return Absent()
    said = f"it answered {_phrase(answer.status)}{_said(answer.body)}"
    if answer.status != look_up.found:
        return Unknown(said)
    shown = json_object(answer.body)
    if shown is None:
        return Unknown(f"{said}, with a body that is no JSON object")
    return _judge_shown(look_up.shown, shown, said, request)


def judge_void(void: Void, answer: Answer, request: Request) -> Voidance | None:
    """What an answer to making a key void says about the request whose key it is.

    Returns:
        None where an effect came first and the answer does not show it: it is to be looked up.
    """
    said = f"it answered {_phrase(answer.status)}{_said(answer.body)}"
    shown = json_object(answer.body)
    if answer.status in void.voided:
        state = plain(field(shown, void.state.field)) if void.state else None
        if void.state and state not in void.state.values:
            return Unknown(
                f"{said}, and {void.state.field} is {(state or 'missing')[:60]!r}, which is not known as void"
            )
        return Voided()
    if answer.status not in void.found:
        return Unknown(said)
    if void.shown is None:
        return None
    if shown is None:
        return Unknown(f"{said}, with a body that is no JSON object")
    return _judge_shown(void.shown, shown, said, request)


def code_of(dotted: str, answer: Answer) -> str:
    """The name of an error: what stands in the field, where one is named and there; else the status.

    Args:
        dotted: The field's dotted name; empty: there is none.
        answer: The answer.
    """
    name = plain(field(json_object(answer.body), dotted)) if dotted else None
    return _CONTROL.sub("_", name)[:LONGEST_CODE] if name else str(answer.status)


def wait_of(text: str, now: datetime) -> timedelta | None:
    """How long Retry-After (RFC 9110, section 10.2.3) says to wait: seconds or a date, at most an hour.

    Args:
        text: The header; empty if there is none.
        now: The time, UTC.

    Returns:
        Never less than zero; None where there is no such header or it says nothing that can be read.
    """
    if _SECONDS.match(text):
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_WAIT)


def _judge_shown(how: Shown, shown: dict[str, Any], said: str, request: Request) -> Found | Pending | Unknown:
    pending, unclear = _stands(shown, how.pending, how.done)
    if pending:
        return Pending()
    if unclear:
        return Unknown(f"{said}, {unclear}")
    try:
        return Found(shown, all(_is_as_asked(match, shown, request) for match in how.match))
    except Refused as missing:
        return Unknown(f"what was asked for is not known: {missing.what}")


def _judge_success(operation: Operation, answer: Answer, said: str, wait: timedelta | None) -> Sent:
    shown = json_object(answer.body)
    if shown is None:
        return InDoubt(f"{said}, with a body that is no JSON object", wait, "unreadable")
    pending, unclear = _stands(shown, operation.pending, operation.done)
    if pending:
        return InDoubt(f"{said}: accepted and pending", wait, "pending")
    return InDoubt(f"{said}, {unclear}", wait, "unclear") if unclear else Done(shown)


def _stands(shown: Mapping[str, Any], pending: StateRule | None, done: StateRule | None) -> tuple[bool, str]:
    """Whether an answer says pending; and why it cannot be told, where it says neither that nor done."""
    if pending:
        state = plain(field(shown, pending.field))
        if state is None:
            return False, f"and does not say {pending.field}"
        if state in pending.values:
            return True, ""
    if done:
        state = plain(field(shown, done.field))
        if state not in done.values:
            return False, f"and {done.field} is {(state or 'missing')[:60]!r}, which is not known to be done"
    return False, ""


def _is_as_asked(match: Match, shown: Mapping[str, Any], request: Request) -> bool:
    found = plain(field(shown, match.field))
    asked = plain(match.expected.value(request.key, request.payload))
    if found is None or asked is None:
        return False
    if not match.amount:
        return found == asked
    return bool(_EXACT.match(found) and _EXACT.match(asked)) and Decimal(found) == Decimal(asked)


def _is_refusal(status: int) -> bool:
    """Whether a status is a registered one that says that the request was not carried out and would not be."""
    return 400 <= status < 500 and status in _REGISTERED and status not in _DOUBTFUL  # noqa: PLR2004 - RFC 9110


def json_object(body: bytes) -> dict[str, Any] | None:
    """A body as a JSON object; None if it is none, or JSON that we could not store or read in two ways.

    Numbers with a fraction are kept as text, digit by digit: an amount is never a float.
    """
    try:
        read_json(body, max_bytes=LARGEST_ANSWER)
        value = _DECODER.decode(body)
    except (MalformedJson, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _said(body: bytes) -> str:
    """Title and detail of problem details (RFC 9457), or what stands for them, on one line and cut."""
    shown = json_object(body)
    if shown is None:
        return ""
    texts = [shown.get(name) for name in ("title", "detail", "message", "error")]
    line = "; ".join(dict.fromkeys(_CONTROL.sub(" ", text).strip() for text in texts if isinstance(text, str)))
    return f": {line[:LONGEST_SAID]}" if line else ""


def _phrase(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}" if status in _REGISTERED else str(status)
