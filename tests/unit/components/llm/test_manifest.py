"""A component's folder: read strictly, everything wrong named at once, and one digest over all that makes answers."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from folders import manifest, write

from interlock.components.component import ComponentRef
from interlock.components.llm import manifest_file
from interlock.components.llm.manifest import AnswerForm, Method
from interlock.components.llm.manifest_file import read_llm_manifest
from interlock.components.registry import components_in, load_component
from interlock.errors import ComponentInvalid, NotFound

TABLE = b'{"feature": "agreement", "points": [[0, 0.1], [1, 0.9]]}'


def test_everything_that_it_can_say(tmp_path: Path) -> None:
    text = manifest(
        "{method: scorer, file: scorer.json, samples: 3, fields: [category]}",
        more='answer: text\nrepairs: 2\ncard: CARD.md\nprice: {input: "0.15", cached_input: "0.075", output: "0.60"}',
        parameters="{temperature: 0.7, top_p: 0.9, seed: 5, max_completion_tokens: 200, reasoning_effort: low}",
    )
    read = read_llm_manifest(write(tmp_path, text, scorer__json=TABLE))
    assert str(read.ref) == "llm:sorter@1"
    assert (read.provider, read.model, read.answer, read.repairs) == ("main", "small-1", AnswerForm.TEXT, 2)
    assert read.parameters == {
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "reasoning_effort": "low",
        "max_completion_tokens": 200,
    }
    assert read.most_output == 200
    assert read.confidence.method is Method.SCORER
    assert (read.confidence.features, read.confidence.samples) == (("agreement",), 3)
    assert read.price.declared is not None
    assert read.price.declared.input == Decimal("0.15")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: llm", "kind: onnx", "kind is 'onnx'"),
        ("provider: main", "provider: Main", "provider is 'Main'"),
        ("provider: main", "", "'provider' is missing"),
        ("model: small-1", "model: 'two words'", "model is 'two words'"),
        ("name: sorter", "name: ../x", "name is '../x'"),
        ("confidence: none", "confidence: sure", "confidence is 'sure'"),
        ("confidence: none", "confidence: [none]", "confidence is a list"),
        ("confidence: none", "confidence: self_consistency", "self_consistency says too little"),
        ("confidence: none", "confidence: {method: self_consistency, samples: 1}", "agrees with itself"),
        ("confidence: none", "confidence: {method: self_consistency, samples: 17}", "samples is '17'"),
        ("confidence: none", "confidence: {method: self_consistency, samples: 3}", "at temperature 0 all samples"),
        ("confidence: none", "confidence: {method: logprobs, samples: 3}", "logprobs looks at one sample"),
        ("confidence: none", "confidence: {method: logprobs, fields: [a, a]}", "fields is a list"),
        ("confidence: none", "confidence: {method: logprobs, fields: []}", "fields is a list"),
        ("confidence: none", "confidence: {method: logprobs, file: x.json}", "has no file and no features"),
        ("confidence: none", "confidence: {method: scorer}", "there is no scorer's file ''"),
        ("confidence: none", "confidence: {method: scorer, file: ../x.json}", "file is '../x.json'"),
        ("confidence: none", "confidence: {method: scorer, file: gone.json}", "there is no scorer's file 'gone.json'"),
        ("confidence: none", "confidence: {method: scorer, file: user.md}", "features are missing"),
        ("max_tokens: 50", "max_tokens: 0", "max_tokens is '0'"),
        ("max_tokens: 50", "max_tokens: 1e3", "max_tokens is '1e3'"),
        ("max_tokens: 50", "seed: 1", "the most tokens of an answer are not given once"),
        ("max_tokens: 50", "max_tokens: 5, max_completion_tokens: 5", "are not given once"),
        ("temperature: 0", "temperature: 3", "temperature is 3"),
        ("temperature: 0", "temperature: .nan", "temperature is '.nan'"),
        ("temperature: 0", "temprature: 0", "'temprature' is unknown"),
        ("temperature: 0", "n: 4", "'n' is unknown"),
        ("temperature: 0", "seed: -1", "seed is '-1'"),
        ('input: "0"', 'input: "-1"', "input is '-1'"),
        ('input: "0"', "input: 1e9", "input is '1e9'"),
        ('input: "0"', "table: openai", "or says it twice"),
        ('input: "0", output: "0"', 'input: "0"', "the price says input only"),
        ("confidence: none", "confidence: none\nrepairs: 4", "repairs is '4'"),
        ("confidence: none", "confidence: none\nanswer: xml", "answer is 'xml'"),
        ("confidence: none", "confidence: none\nprompt: x", "'prompt' is unknown"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = manifest()
    assert text.count(old) == 1
    with pytest.raises(ComponentInvalid) as wrong:
        read_llm_manifest(write(tmp_path, text.replace(old, new)))
    assert said in str(wrong.value)
    assert "sorter@1/component.yaml:" in str(wrong.value)


@pytest.mark.parametrize(
    ("system", "user", "said"),
    [
        ("Hello {{input.text}}", "{{input}}", "system.md:1: input.text stands in the system prompt"),
        ("", "{{input}}", "system.md: it is empty"),
        ("a\0b", "{{input}}", "holds NUL"),
        ("x", "nothing of it", "user.md: it holds nothing of the input"),
        ("x", "{{input.text", "'{{input.text' is no place"),
        ("x", "{{ output }} {{input}}", "'{{ output }} {{input}}' is no place"),
        ("x", "{{input}}\n{% if x %}", "user.md:2: '{% if x %}' is no place"),
        ("x", "{{input.text|upper}}", "is no place"),
        ("x", "{{input.items[0]}}", "is no place"),
        ("x", "{{input.__class__.x y}}", "is no place"),
        ("x", "{{input}}" + "a" * manifest_file.LARGEST_PROMPT_FILE, "at most 131,072 bytes"),
    ],
)
def test_prompts_hold_nothing_but_text_and_places(tmp_path: Path, system: str, user: str, said: str) -> None:
    with pytest.raises(ComponentInvalid) as wrong:
        read_llm_manifest(write(tmp_path, system=system, user=user))
    assert said in str(wrong.value)


def test_everything_is_named_at_once(tmp_path: Path) -> None:
    text = manifest(parameters="{temperature: 9, max_tokens: 0}").replace("provider: main", "provider: M")
    with pytest.raises(ComponentInvalid) as wrong:
        read_llm_manifest(write(tmp_path, text, user="no place"))
    assert len(wrong.value.violations) == 4


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (b'{"feature": "agreement", "points": [[0, 0.5], [1, 0.4]]}', "does not rise"),
        (b'{"feature": "agreement", "points": [[0, 0.5], [0, 0.6]]}', "does not rise"),
        (b'{"feature": "agreement", "points": [[0, 0.5]]}', "fewer than two points"),
        (b'{"feature": "agreement", "points": [[0, 0.5], [1, 1.1]]}', "<= 1"),
        (b'{"feature": "agreement", "points": [[0, 0.5], [1e400, 1]]}', "out of range"),
        (b'{"feature": "length", "points": [[0, 0.5], [1, 1]]}', "'length' is none of"),
        (b'{"feature": "agreement", "points": [[0, 0.5], [1, 1]], "x": 1}', "unknown field"),
        (b"\xff", "is no calibration"),
    ],
)
def test_a_calibration_never_falls(tmp_path: Path, points: bytes, said: str) -> None:
    text = manifest("{method: scorer, file: scorer.json, samples: 3}", parameters="{temperature: 1, max_tokens: 9}")
    with pytest.raises(ComponentInvalid) as wrong:
        read_llm_manifest(write(tmp_path, text, scorer__json=points))
    assert said in str(wrong.value)


def test_the_digest_covers_all_that_makes_answers_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = manifest("{method: scorer, file: scorer.json, samples: 3}", parameters="{temperature: 1, max_tokens: 9}")

    def digest(name: str, text: str = scored, *, system: str = "s", user: str = "{{input}}", **files: bytes) -> bytes:
        files = {"scorer__json": TABLE, **files}
        return read_llm_manifest(write(tmp_path / name, text, system=system, user=user, **files)).digest

    first = digest("a")
    assert digest("b") == first
    assert digest("c", CARD__md=b"a card") == first
    others = {
        digest("d", scored.replace("small-1", "small-2")),
        digest("e", system="t"),
        digest("f", user="{{input}}."),
        digest("g", scorer__json=TABLE + b" "),
        digest("h", scored.replace("temperature: 1", "temperature: 0.5")),
    }
    assert len(others | {first}) == 6
    monkeypatch.setattr("interlock.components.llm.manifest.NOTICE", "other words")
    assert digest("i") != first


def test_it_is_found_and_listed_by_its_kind(tmp_path: Path) -> None:
    write(tmp_path)
    assert components_in([tmp_path]) == ("llm:sorter@1",)
    assert str(load_component(ComponentRef.parse("llm:sorter@1"), [tmp_path]).ref) == "llm:sorter@1"
    with pytest.raises(NotFound, match='did you mean "llm:sorter@1"') as missing:
        load_component(ComponentRef.parse("llm:sorter@2"), [tmp_path])
    assert "llm:sorter@1" in missing.value.todo
    with pytest.raises(ComponentInvalid, match="the kind is 'llm'"):
        load_component(ComponentRef.parse("onnx:sorter@1"), [tmp_path])
    write(tmp_path, manifest().replace("version: '1'", "version: '2'"))
    with pytest.raises(ComponentInvalid, match="holds llm:sorter@2"):
        load_component(ComponentRef.parse("llm:sorter@1"), [tmp_path])
