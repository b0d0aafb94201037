"""Every reader of a word, a header, an event or an answer: a value, or a refusal in words, and soon."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from interlock.api.bodies import CasesQuery, DecideBody
from interlock.api.call import key_of, secret_of
from interlock.api.quarantine_documents import QuarantineQuery
from interlock.api.reading import read_body, read_query
from interlock.api.trace import begin_trace
from interlock.cases.in_line import read_exposure
from interlock.cases.mend import apply_patch, changes
from interlock.cli.quarantine_repair import read_cause, read_mend
from interlock.client import Answered, Client
from interlock.components.checking import FieldType
from interlock.components.component import ComponentRef
from interlock.components.expression import Expression
from interlock.components.facts import read_fact
from interlock.components.llm.chat import Unreadable, read_completion, read_refusal, read_usage
from interlock.components.llm.reading import NoObject, object_text, read_object
from interlock.components.llm.template import read_template
from interlock.connectors.http.answer import Answer, code_of, json_object, wait_of
from interlock.connectors.http.template import Template
from interlock.connectors.mail.address import address_of, line_of, mailbox_of
from interlock.connectors.mail.reply import Stage, judge_reply
from interlock.connectors.sql.statement import check_key
from interlock.connectors.webhook.signature import read_secrets, sign, verify
from interlock.contracts import canonical, parse_contract, read_json
from interlock.contracts import check as violations_of
from interlock.contracts.contract import Shape
from interlock.contracts.exact import read_exact
from interlock.decisions.condition import compile_condition
from interlock.decisions.condition_program import Facts
from interlock.decisions.features.feature import FeatureRef
from interlock.durations import format_duration, parse_duration
from interlock.errors import (
    ComponentFailed,
    ConfigInvalid,
    DatabaseUnavailable,
    EventInvalid,
    MalformedJson,
    ManyRefused,
    MoneyInvalid,
    Refused,
    RulesInvalid,
    Unauthenticated,
)
from interlock.guards.scope import check_scope
from interlock.money import Money
from interlock.publications.publication import Kind, check_name, check_reason, check_version, split_reference
from interlock.setting_forms import SecretRef
from interlock.streams.delivery import Broker, Delivery, read_event, unescape
from interlock.streams.event import read_batch, read_structured

from .hostile import Reader, fuzz

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONTRACTS = Path(__file__).parents[3] / "examples" / "refunds" / "contracts"
REFUND = parse_contract((CONTRACTS / "refund-request@1.odcs.yaml").read_bytes(), "refund-request@1.odcs.yaml")


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of text: bytes as the command line and Python's own decoders give them, lone surrogates too."""

    def given_bytes(data: bytes) -> object:
        try:
            return read(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            return read(data.decode("utf-8", "surrogateescape"))

    return given_bytes


def argument(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of an argument of the command line."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def latin(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of a header."""
    return lambda data: read(data.decode("latin-1"))


def value(read: Callable[[Any], object]) -> Callable[[bytes], object]:
    """A reader of a value that came through the door."""
    return lambda data: read(read_json(data))


def _duration(written: str) -> object:
    span = parse_duration(written)
    assert parse_duration(format_duration(span)) == span
    return span


def _money(written: str) -> object:
    money = Money.parse(written)
    assert Money.parse(str(money)) == money
    assert Money.of_minor(money.minor, money.currency) == money
    return money


def _condition(written: str) -> object:
    condition = compile_condition(written)
    facts = Facts(
        input={"total": "12.30", "n": 3},
        output={"approved": True},
        confidence=0.5,
        exposure=Money("20.00", "MYR"),
        findings=(),
    )
    with contextlib.suppress(ComponentFailed):
        return condition.holds(facts)
    return None


def _events(data: bytes) -> object:
    for one in read_batch(data, max_bytes=1_000_000):
        if isinstance(one, EventInvalid):
            assert one.violations
        else:
            assert 0 < len(one.key) <= 200
            assert one.key.isprintable()
            one.key.encode()
    return None


def _event(data: bytes) -> object:
    event = read_structured(data)
    assert event.key.isprintable()
    event.key.encode()
    canonical(event.data)
    return event


def _message(broker: Broker) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        head, _, body = data.partition(b"\n\n")
        lines = [line.partition(b"=")[::2] for line in head.split(b"\n")]
        headers = [(name.decode("latin-1").lower(), told.decode("utf-8", "surrogateescape")) for name, told in lines]
        return read_event(Delivery(identity="i", broker=broker, headers=headers, body=body))

    return read


def _message_of(prefix: str) -> bytes:
    names = {"specversion": "1.0", "id": "a%20b", "source": "/s", "type": "t", "exposure": "1.00 MYR"}
    return "\n".join([*(f"{prefix}{name}={told}" for name, told in names.items()), "", '{"a": 1}']).encode()


def _patch(patch: Any) -> object:
    before = {"a": {"b": [1, 2, {"c": "x"}]}, "d": None}
    kept = canonical(before)
    try:
        after = apply_patch(before, patch)
    finally:
        assert canonical(before) == kept
    told = changes(before, after)
    assert bool(told) == (canonical(after) != kept)
    return after


def _fact(given: Any) -> object:
    read: list[object] = []
    for kind in FieldType:
        if kind is not FieldType.ROWS:
            try:
                read.append(read_fact("n", given, kind))
            except ComponentFailed as cause:
                assert cause.what  # noqa: PT017 - what is raised is what is looked at
    return read


def _answer(data: bytes) -> object:
    json_object(data)
    answer = Answer(status=200 + len(data) % 400, body=data, retry_after=data[:20].decode("latin-1"))
    code_of("error.code", answer)
    wait = wait_of(answer.retry_after, NOW)
    assert wait is None or timedelta(0) <= wait <= timedelta(hours=1)
    return answer


def _client(data: bytes) -> object:
    def answer(_request: httpx.Request) -> httpx.Response:
        kinds = {b"g": {"Content-Encoding": "gzip"}, b"b": {"Content-Type": "application/json; charset=bogus"}}
        return httpx.Response(200 if data[:1] == b"{" else 422, content=data, headers=kinds.get(data[:1], {}))

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    with Client("http://127.0.0.1", "ilk_x", http=http, seconds=0.1) as client:
        return client.decide("a.b", "k", {})


def _hook(data: bytes) -> object:
    signature, _, more = data.decode("latin-1").partition("\n")
    name, _, seconds = more.partition("\n")
    headers = {
        "webhook-id": name or "a",
        "webhook-timestamp": seconds or str(int(NOW.timestamp())),
        "Webhook-Signature": signature,
    }
    return verify(headers, b"", [b"x" * 24], now=NOW)


def _query(kind: type[msgspec.Struct]) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        pairs = [part.partition(b"=")[::2] for part in data.split(b"&")]
        return read_query(
            [(name.decode("utf-8", "replace"), told.decode("utf-8", "replace")) for name, told in pairs], kind
        )

    return read


def _cause(since: str) -> object:
    return read_cause(NOW, workflow="", point=since[:40], rule="", since=since)


def _completion(data: bytes) -> object:
    read_usage(data)
    assert read_refusal(data).isprintable()
    return read_completion(data)


def _signed() -> bytes:
    return sign([b"x" * 24], "a", NOW, b"")["webhook-signature"].encode()


def test_what_grows_with_each_operation_is_refused_when_it_is_too_deep() -> None:
    def below(levels: int) -> Any:
        made: Any = 0
        for _ in range(levels):
            made = {"a": made}
        return made

    deep = [{"op": "add", "path": "/a" * (60 * times), "value": below(60)} for times in range(1, 90)]
    with pytest.raises(Refused, match="deep"):
        apply_patch(below(60), [*deep, {"op": "copy", "from": "", "path": "/b"}])


@pytest.mark.parametrize("after", ["\xb2", "9" * 400, "1e3", "-1"])
def test_a_pause_that_nobody_can_mean_is_not_waited_for(after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, headers=[(b"retry-after", after.encode("latin-1"))])

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    with Client("http://127.0.0.1", "ilk_x", http=http) as client, pytest.raises(DatabaseUnavailable):
        client.decide("a.b", "k", {})
    assert len(pauses) == 3
    assert max(pauses) <= 30


def test_half_a_surrogate_pair_is_no_text_of_an_expression() -> None:
    for read in (lambda: Expression.compile("'\ud800'", {}), lambda: compile_condition("input.a == '\udcff'")):
        with pytest.raises(RulesInvalid, match="surrogate"):
            read()


def test_a_carriage_return_stands_for_a_space() -> None:
    doubled = Expression.compile("total\r\n* 2", {"total": FieldType.DECIMAL})
    assert doubled.evaluate({"total": "1.50"}) == "3.00"


def test_an_escape_beside_bytes_that_were_not_utf_8_is_no_surprise() -> None:
    with pytest.raises(EventInvalid):
        unescape("%41\udcff", where="ce-id")


EXACT = (Shape.DECIMAL, Shape.DATE, Shape.TIMESTAMP, Shape.TIME)
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DECIDE = b'{"point": "a.b", "key": "k", "input": {"a": 1}, "exposure": "1.00 MYR", "within": "1s"}'
EVENT = (
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"2026-01-31T12:00:00Z","data":{"a":[1.5]},"x":1}'
)
PATCH = b"""[{"op": "test", "path": "/a/b/0", "value": 1}, {"op": "add", "path": "/a/b/-", "value": {"e": 1}},
 {"op": "copy", "from": "/a", "path": "/f"}, {"op": "move", "from": "/a/b/2", "path": "/g"},
 {"op": "replace", "path": "/d", "value": []}, {"op": "remove", "path": "/a/b/1"}]"""
REFUND_INPUT = b'{"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}'
COMPLETION = b"""{"model": "m", "choices": [{"finish_reason": "stop", "message": {"content": "{}", "refusal": null},
 "logprobs": {"content": [{"token": "{}", "logprob": -0.1, "bytes": [123, 125]}]}}],
 "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}"""
DECIDED = b"""{"id": "0190aaaa-0000-7000-8000-000000000000", "route": "automatic", "settled": true, "output": {},
 "confidence": 1.0, "reasons": [], "valid_until": null, "review": null, "resolution": null, "case": null,
 "follow": "/v1/decisions/x"}"""


READERS = [
    Reader("length of time", text(_duration), [b"200ms", b"24h", b"36500d"], (Refused,)),
    Reader("money", text(_money), [b"12.30 MYR", b"-1 JPY", b"92233720368547758.07 USD"], (MoneyInvalid,)),
    Reader("money at stake", text(lambda one: read_exposure(one, where="/exposure")), [b"12.30 MYR"], (MoneyInvalid,)),
    Reader(
        "condition",
        text(_condition),
        [b"exposure >= 100 MYR", b"input.total > 3 and not (input.n in [1, 2])"],
        (Refused,),
    ),
    Reader(
        "expression",
        text(lambda one: Expression.compile(one, {"total": FieldType.DECIMAL, "who": FieldType.STRING})),
        [b"round(total * 0.06, 2)", b'who == "ana" ? total : 0'],
        (RulesInvalid,),
    ),
    Reader("scope", text(check_scope), [b"everything", b"point:a.b"], (Refused,)),
    Reader("component", text(ComponentRef.parse), [b"rules:a@1", b"person"], (Refused,)),
    Reader("feature", text(FeatureRef.parse), [b"spend@1"], (Refused,)),
    Reader("version", text(lambda one: check_version(one, "v")), [b"1.2.3"], (Refused,)),
    Reader("name", text(lambda one: check_name(one, "n")), [b"approve-claim"], (Refused,)),
    Reader("reason", text(check_reason), [b"because"], (Refused,)),
    Reader("reference", text(lambda one: split_reference(one, Kind.RULES)), [b"approve@1.1"], (Refused,)),
    Reader("secret's place", text(SecretRef.parse), [b"env:A", b"file:/run/a"], (ConfigInvalid,)),
    Reader("signing secrets", text(read_secrets), [b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], (ConfigInvalid,)),
    Reader("action's key", text(check_key), [b"k-1"], (Refused,)),
    Reader("template", text(Template.parse), [b"/a/{key}/{amount.currency}{{}}"], (Refused,)),
    Reader("prompt", text(lambda one: read_template(one, "user.md")), [b"Sort {{input.text}}\n"], ()),
    Reader("address", text(address_of), [b"ana@example.com"], (Refused,)),
    Reader("mailbox", text(mailbox_of), [b'"Ana" <ana@example.com>'], (Refused,)),
    Reader("line", text(lambda one: line_of(one, "the subject")), [b"For you"], (Refused,)),
    Reader("exact value", text(lambda one: [read_exact(shape, one) for shape in EXACT]), [b"12.30", b"2026-01-31"], ()),
    Reader("cause", argument(_cause), [b"7d", b"2026-01-31T00:00:00Z"], (Refused,)),
    Reader("what mends", argument(lambda one: read_mend([one], "", "")), [b'/a={"b": 1}'], (Refused,)),
    Reader("patch on the command line", argument(lambda one: read_mend([], one.lstrip("@"), "")), [b"[]"], (Refused,)),
    Reader("trace", latin(lambda one: begin_trace([(b"traceparent", one.encode("latin-1"))])), [TRACE], ()),
    Reader("authorization", latin(secret_of), [b"Bearer ilk_x"], (Unauthenticated,)),
    Reader("idempotency key", latin(lambda one: key_of(None, one)), [b'"k-1"', b"k"], (Refused,)),
    Reader("query", _query(CasesQuery), [b"limit=50&workflow=claims"], (ManyRefused,)),
    Reader("query with a time", _query(QuarantineQuery), [b"since=2026-01-31T00:00:00Z&limit=3"], (ManyRefused,)),
    Reader("body", value(lambda one: read_body(one, DecideBody)), [DECIDE], (MalformedJson, ManyRefused), trees=True),
    Reader("event", _event, [EVENT], (EventInvalid, MalformedJson), trees=True),
    Reader("events", _events, [b"[" + EVENT + b"," + EVENT + b"]"], (EventInvalid, MalformedJson), trees=True),
    Reader("header of an event", text(lambda one: unescape(one, where="ce-id")), [b'"a%20b\\""'], (EventInvalid,)),
    Reader("NATS message", _message(Broker.NATS), [_message_of("ce-")], (EventInvalid, MalformedJson)),
    Reader("Kafka message", _message(Broker.KAFKA), [_message_of("ce_")], (EventInvalid, MalformedJson)),
    Reader("RabbitMQ message", _message(Broker.RABBITMQ), [_message_of("cloudevents:")], (EventInvalid, MalformedJson)),
    Reader("patch", value(_patch), [PATCH], (MalformedJson, Refused), trees=True),
    Reader("fact", value(_fact), [b'"12.30"', b"3"], (MalformedJson,), trees=True),
    Reader("input", value(lambda one: violations_of(REFUND, one)), [REFUND_INPUT], (MalformedJson,), trees=True),
    Reader("answer of a model", _completion, [COMPLETION], (Unreadable,), trees=True),
    Reader(
        "object of a model", text(lambda one: read_object(object_text(one))), [b'```json\n{"a": 1}\n```'], (NoObject,)
    ),
    Reader("answer over HTTP", _answer, [b'{"id": "1", "state": "done", "error": {"code": "x"}}'], (), trees=True),
    Reader("reply of a mail server", text(lambda one: judge_reply(Stage.ENDED, len(one), one)), [b"2.0.0 queued"], ()),
    Reader("webhook", _hook, [_signed()], (Unauthenticated,)),
    Reader("answer to our client", _client, [DECIDED], (Answered, DatabaseUnavailable), trees=True),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_value_is_read_or_refused(reader: Reader) -> None:
    for sample in reader.samples:
        reader.read(sample)  # what is spoiled below is right as it stands
    fuzz(reader, 60)


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_value_is_read_or_refused_for_long(reader: Reader) -> None:
    fuzz(reader, 5000)
