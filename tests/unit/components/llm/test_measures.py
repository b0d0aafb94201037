"""The parts that measure and judge: spans, log-probabilities, agreement, calibrations, circuits, pauses, prices."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from interlock.components.llm.breaker import Breaker
from interlock.components.llm.calling import retry_after_s
from interlock.components.llm.chat import Completion, Token, Unreadable, read_completion, read_refusal
from interlock.components.llm.confidence import Sample, measure
from interlock.components.llm.manifest import ConfidenceTerms, Method
from interlock.components.llm.prices import DeclaredPrice, declared_tariff, table_tariff
from interlock.components.llm.scorer import ModelScorer, read_table
from interlock.components.llm.spans import value_spans
from interlock.errors import ComponentFailed
from interlock.usage import Usage

AT = datetime(2026, 7, 1, tzinfo=UTC)


def sample(value: dict[str, Any], text: str = "", tokens: tuple[Token, ...] | None = None) -> Sample:
    """An answer."""
    completion = Completion(
        content=text, refusal="", finish="stop", tokens=tokens, usage=None, model="", fingerprint=""
    )
    return Sample(value=value, text=text, completion=completion)


def test_values_are_found_wherever_they_stand() -> None:
    text = '{"a": "x\\"y{", "b": {"a": [1, -2.5e3, {"d": null}], "e": []}, "f": {}, "\u00e9\\"": "\u00fc"}'.encode()
    found = [(span.field, text[span.start : span.end].decode()) for span in value_spans(text)]
    assert found == [
        ("a", 'x\\"y{"'),
        ("b", "1"),
        ("b", "-2.5e3"),
        ("b", "null"),
        ("b", "]"),
        ("f", "}"),
        ('\u00e9"', '\u00fc"'),
    ]


def test_a_character_may_be_split_between_tokens_and_what_is_no_text_is_passed_over() -> None:
    text = '{"a": "\u00fc"}'
    pieces = (b" ", b'{"a": "', b"\xc3", b'\xbc"', b"}", b"<|end|>")
    tokens = tuple(Token(piece, -float(2**place)) for place, piece in enumerate(pieces))
    terms = ConfidenceTerms(method=Method.LOGPROBS)
    measured = measure(terms, [sample({"a": "\u00fc"}, text, tokens)], None)
    assert measured.confidence == pytest.approx(math.exp(-4 - 8))
    spelled_otherwise = tokens[:2]
    assert measure(terms, [sample({"a": "\u00fc"}, text, spelled_otherwise)], None).confidence == 0


def test_fields_that_do_not_count_are_left_out() -> None:
    text = '{"a": 1, "b": 2}'
    tokens = (Token(b'{"a": ', -9.0), Token(b"1", -1.0), Token(b', "b": ', -9.0), Token(b"2", -2.0), Token(b"}", -9.0))
    both = measure(ConfidenceTerms(method=Method.LOGPROBS), [sample({}, text, tokens)], None)
    one = measure(ConfidenceTerms(method=Method.LOGPROBS, fields=("b",)), [sample({}, text, tokens)], None)
    none = measure(ConfidenceTerms(method=Method.LOGPROBS, fields=("c",)), [sample({}, text, tokens)], None)
    assert both.confidence == pytest.approx(math.exp(-3))
    assert one.confidence == pytest.approx(math.exp(-2))
    assert none.confidence == 0


def test_of_equals_the_first_is_taken_and_absent_counts_as_null() -> None:
    terms = ConfidenceTerms(method=Method.SELF_CONSISTENCY, samples=5)
    answers = [{"a": 1}, {"a": 2, "b": None}, {"a": 2}, {"a": 1, "b": None}]
    measured = measure(terms, [sample(one) for one in answers], None)
    assert measured.sample.value == {"a": 1}
    assert measured.confidence == 0.4
    assert measure(terms, [sample({"a": True}), sample({"a": 1})], None).confidence == 0.2


def test_extreme_log_probabilities_stay_probabilities() -> None:
    body = (
        b'{"choices": [{"message": {"content": "1"}, "logprobs": {"content": ['
        b'{"token": "1", "logprob": -1e308}, {"token": "", "logprob": 5}]}}]}'
    )
    tokens = read_completion(body).tokens
    assert tokens == (Token(b"1", -1e6), Token(b"", 0.0))
    terms = ConfidenceTerms(method=Method.LOGPROBS)
    assert measure(terms, [sample({}, "1", tokens)], None).confidence == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": null}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_completion_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_completion(body)


def test_what_a_refusal_says_is_one_line_without_tricks() -> None:
    assert read_refusal(b'{"error": {"message": "no\\n\\u202esuch \\u0007thing", "code": "x"}}') == "x no such thing"
    assert read_refusal(b'{"error": "plain"}') == "plain"
    assert len(read_refusal(b'{"error": "' + b"a" * 9999 + b'"}')) == 200
    for body in (b"", b"<html>", b'{"error": 5}', b"\xff", b"[" * 100_000):
        assert read_refusal(body) == ""


def test_a_table_reads_between_its_points_and_not_beyond() -> None:
    table = read_table(b'{"feature": "mean_logprob", "points": [[-2, 0.2], [-1, 0.6], [0, 0.9]]}')
    told = [table.probability({"mean_logprob": value}) for value in (-9.0, -2.0, -1.5, -1.0, -0.5, 0.0)]
    assert told == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.75, 0.9])


def test_a_model_scores_by_its_features() -> None:
    skl2onnx: Any = pytest.importorskip("skl2onnx")
    linear_model: Any = pytest.importorskip("sklearn.linear_model")
    rows = np.array([[-3.0, 0.2], [-2.5, 0.4], [-0.2, 0.8], [-0.1, 1.0]] * 5, np.float32)
    model: Any = linear_model.LogisticRegression()
    model.fit(rows, np.array([0, 0, 1, 1] * 5))
    data: Any = skl2onnx.to_onnx(model, initial_types=[("x", _floats())], options={"zipmap": False}, target_opset=17)
    scorer = ModelScorer(data.SerializeToString(), ("mean_logprob", "agreement"))
    low = scorer.probability({"mean_logprob": -3.0, "agreement": 0.2, "joint_logprob": -50.0})
    high = scorer.probability({"mean_logprob": -0.1, "agreement": 1.0, "joint_logprob": -2.0})
    assert 0 <= low < 0.5 < high <= 1
    with pytest.raises(ComponentFailed):
        ModelScorer(data.SerializeToString(), ("agreement",))
    with pytest.raises(ComponentFailed):
        ModelScorer(b"no model", ("agreement",))


def _floats() -> Any:
    from skl2onnx.common.data_types import FloatTensorType  # pyright: ignore[reportUnknownVariableType]

    return FloatTensorType([None, 2])


def test_a_circuit_opens_for_longer_each_time_and_closes_by_one_answer() -> None:
    circuit = Breaker(failures=2, pause_s=1, longest_s=3)
    circuit.failed(0, "x")
    assert not circuit.refusal(0)
    for _ in range(5):  # those that were under way when it opened say nothing new
        circuit.failed(0.1, "x")
    assert "failed 2 times in a row, the last time: x; tried again in 0.6 s" in circuit.refusal(0.5)
    assert not circuit.refusal(1.2)  # one tries
    assert circuit.refusal(1.3)  # the others wait for it
    circuit.failed(1.4, "y")
    assert "the last time: y" in circuit.refusal(3.3)
    assert not circuit.refusal(3.5)
    circuit.failed(3.5, "y")
    assert circuit.refusal(6.4)  # 3 seconds at most
    assert not circuit.refusal(6.6)
    circuit.answered()
    assert not circuit.refusal(6.6)
    circuit.failed(6.7, "z")
    assert not circuit.refusal(6.7)


def test_one_that_tries_and_is_cut_off_leaves_room_for_another() -> None:
    circuit = Breaker(failures=1, pause_s=1, longest_s=60)
    circuit.failed(0, "x")
    assert not circuit.refusal(1.5)
    assert circuit.refusal(1.6)
    assert not circuit.refusal(4.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("", None),
        ("-3", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, None),
        ("soon", None),
        ("Wed, 01 Jul 2026 00:00:05 GMT", 5.0),
        ("Wed, 01 Jul 2020 00:00:05 GMT", 0.0),
        ("Wed, 01 Jul 2026 00:00:05", None),
        ("Wed, 99 Jul 2026 00:00:05 GMT", None),
    ],
)
def test_how_long_to_wait_is_read_strictly(text: str, seconds: float | None) -> None:
    assert retry_after_s(text, AT) == seconds


def test_costs_are_exact() -> None:
    price = DeclaredPrice(input=Decimal("0.15"), output=Decimal("0.60"), cached_input=Decimal("0.075"))
    usage = Usage(input=1001, cached_input=1, output=7, reasoning=3, requests=1)
    assert declared_tariff(price).cost(usage, AT) == Decimal("0.000154275")
    table = table_tariff("gpt-4o-mini", provider="openai", base_url="", at=AT)
    assert table is not None
    assert table.cost(usage, AT) == Decimal("0.000154275")
    by_address = table_tariff("gpt-4o-mini", provider="", base_url="https://api.openai.com/v1", at=AT)
    assert by_address is not None
    assert by_address.cost(usage, AT) == Decimal("0.000154275")


@pytest.mark.parametrize(
    ("model", "provider", "base_url"),
    [
        ("no-such-model", "openai", ""),
        ("gpt-4o-mini", "nobody", ""),
        ("gpt-4o-mini", "", "http://127.0.0.1:11434/v1"),
        ("", "openai", ""),
        ("text-embedding-3-small", "openai", ""),
    ],
)
def test_what_the_table_does_not_know_is_unknown(model: str, provider: str, base_url: str) -> None:
    assert table_tariff(model, provider=provider, base_url=base_url, at=AT) is None
