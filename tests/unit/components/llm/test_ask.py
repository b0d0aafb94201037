"""Asking a model: what goes out, what comes back, what is counted."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from folders import RIGHT, desk, manifest, question, settings, write

from interlock.components.component import Tally
from interlock.components.llm.model import load_llm
from interlock.components.llm.prices import table_version
from interlock.components.llm.provider import Providers
from interlock.errors import ComponentFailed
from interlock.sim.llm import ChatRequest, Fault, LlmFault, Said, SimulatedModel
from interlock.usage import Usage

PRICED = 'price: {input: "2", cached_input: "0.5", output: "10"}'


async def test_an_answer_and_all_that_it_rests_on(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.cached, one.server.reasoning = 7, 3
        answer = await one.ask()
        (asked,) = one.server.requests
    assert answer.output == {"category": "fraud", "amount": "12.30", "note": None}
    assert answer.confidence == 0
    assert answer.usage is not None
    usage = answer.usage
    assert (usage.cached_input, usage.reasoning, usage.requests) == (7, 3, 1)
    assert usage.input > 100
    assert usage.output == 17
    exact = (Decimal(usage.input - 7) * 2 + 7 * Decimal("0.5") + 17 * 10) / 1_000_000
    assert (answer.cost, one.tally.cost, one.tally.usage) == (exact, exact, usage)
    assert answer.evidence["tokens"] == {"input": usage.input, "cached_input": 7, "output": 17, "reasoning": 3}
    assert answer.evidence["prices"] == {"table": "component.yaml"}
    assert answer.evidence["model"] == "small-1"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", answer.evidence["address"])
    assert "estimated_requests" not in answer.evidence
    assert asked.body["stream"] is False
    assert (asked.body["model"], asked.body["temperature"], asked.body["max_tokens"]) == ("small-1", 0.0, 50)
    assert "logprobs" not in asked.body
    assert "authorization" not in asked.headers


async def test_the_form_is_told_by_the_output_contract(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.ask()
        told = one.server.requests[0].body["response_format"]
    assert told["type"] == "json_schema"
    assert (told["json_schema"]["name"], told["json_schema"]["strict"]) == ("category_1_2_0", True)
    schema = told["json_schema"]["schema"]
    assert schema["required"] == ["category", "amount", "note"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["note"] == {"type": ["string", "null"]}
    assert schema["properties"]["category"] == {"type": "string", "description": "at most 40 characters"}
    assert schema["properties"]["amount"]["type"] == "string"
    assert re.fullmatch(schema["properties"]["amount"]["pattern"], "12.30")


@pytest.mark.parametrize("form", ["json_object", "text"])
async def test_servers_without_structured_output_are_told_in_the_prompt(tmp_path: Path, form: str) -> None:
    fenced = f"```json\n{RIGHT}\n```\n"
    async with desk(tmp_path, manifest(more=f"answer: {form}\nprice: {{input: '0', output: '0'}}")) as one:
        one.server.faults = [Fault(kind=LlmFault.CONTENT, content=fenced)]
        assert (await one.ask()).output["category"] == "fraud"
        asked = one.server.requests[0]
    assert asked.body.get("response_format") == ({"type": "json_object"} if form == "json_object" else None)
    assert '"additionalProperties":false' in asked.messages[0]["content"]


@pytest.mark.parametrize(
    "content",
    [
        "I think it is fraud.",
        "",
        "[1, 2]",
        "null",
        '{"category": "fraud"',
        '{"category": "fraud"}',
        '{"category": "fraud", "amount": 12.30, "note": null}',
        '{"category": "fraud", "amount": "12.301", "note": null}',
        '{"category": "fraud", "amount": "12.30", "note": null, "more": 1}',
        '{"category": "fraud", "category": "other", "amount": "12.30"}',
        '{"category": NaN, "amount": "12.30"}',
        '{"category": 1e999, "amount": "12.30"}',
        '{"category": "a\\u0000b", "amount": "12.30"}',
        '{"category": "\\ud800", "amount": "12.30"}',
        '{"\\ud800": 1, "category": "x", "amount": "12.30"}',
        "{" * 100_000,
        '{"category": ' + "9" * 5000 + "}",
    ],
)
async def test_an_answer_that_breaks_the_contract_is_repaired_once(tmp_path: Path, content: str) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.faults = [Fault(kind=LlmFault.CONTENT, content=content)]
        answer = await one.ask()
        first, again = one.server.requests
    assert answer.output["category"] == "fraud"
    assert answer.evidence["repairs"] == 1
    assert answer.usage is not None
    assert answer.usage.requests == 2
    assert again.messages[:2] == first.messages
    assert again.messages[2] == {"role": "assistant", "content": content}
    assert "cannot be used" in again.messages[3]["content"]
    assert len(again.messages[3]["content"]) < 5000


@pytest.mark.parametrize("repairs", [0, 2])
async def test_repairs_are_bounded_and_paid(tmp_path: Path, repairs: int) -> None:
    async with desk(tmp_path, manifest(more=f"{PRICED}\nrepairs: {repairs}"), says=lambda _asked: '{"a": 1}') as one:
        with pytest.raises(ComponentFailed, match=r"its answer breaks category@1\.2\.0.*category is missing") as failed:
            await one.ask()
        assert len(one.server.requests) == repairs + 1
        assert all(len(asked.messages) <= 4 for asked in one.server.requests)
    assert failed.value.usage is not None
    assert failed.value.usage.requests == repairs + 1
    assert failed.value.cost == one.tally.cost > 0


async def test_an_unknown_price_is_over_any_budget_and_nothing_is_sent(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more="")) as one:
        assert one.component.most_cost(question(tmp_path)) is None
        with pytest.raises(ComponentFailed, match="what small-1 costs is not known, which counts as over any budget"):
            await one.ask()
        assert not one.server.requests


async def test_the_price_table_counts_with_its_hash(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more="price: {table: openai, model: gpt-4o-mini}")) as one:
        one.server.cached = 10
        answer = await one.ask()
    version, digest = table_version()
    assert answer.evidence["prices"] == {
        "table": f"genai-prices {version}",
        "sha256": digest,
        "provider": "openai",
        "model": "gpt-4o-mini",
    }
    assert len(digest) == 64
    assert answer.usage is not None
    usage = answer.usage
    exact = (usage.input - 10) * Decimal("0.15") + 10 * Decimal("0.075") + usage.output * Decimal("0.60")
    assert answer.cost == exact / 1_000_000


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 1e3, "completion_tokens": 1},
        {"prompt_tokens": 2**80, "completion_tokens": 1},
        {"prompt_tokens": "3", "completion_tokens": 1},
        {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_tokens": 3, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 4}},
        {"prompt_tokens": 10**9, "completion_tokens": 1},
        {"prompt_tokens": 3, "completion_tokens": 10**9},
        {"prompt_tokens": 3, "completion_tokens": 51},
        {
            "prompt_tokens": 3,
            "completion_tokens": 50,
            "total_tokens": 54,
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
        {"prompt_tokens": 10**9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 10**9}},
    ],
)
async def test_usage_that_cannot_be_counts_as_the_most_there_can_be(tmp_path: Path, usage: Any) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.faults = [Fault(kind=LlmFault.USAGE, usage=usage)]
        answer = await one.ask()
        most = one.component.most_cost(question(tmp_path))
    assert answer.evidence["estimated_requests"] == 1
    assert answer.usage is not None
    assert answer.usage.output == 50
    assert most is not None
    assert answer.cost * 3 <= most


async def test_reasoning_that_is_told_beside_the_answer_is_counted(tmp_path: Path) -> None:
    told = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 150,
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    async with desk(tmp_path) as one:
        one.server.faults = [Fault(kind=LlmFault.USAGE, usage=told)]
        answer = await one.ask()
    assert answer.usage == Usage(input=100, output=50, reasoning=40, requests=1)


async def test_as_much_as_the_request_can_hold_is_believed(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        await one.ask()
        most = len(msgspec.json.encode(one.server.requests[0].body))
        one.server.faults = [Fault(kind=LlmFault.USAGE, usage={"prompt_tokens": most, "completion_tokens": 50})]
        one.tally = Tally()
        answer = await one.ask()
    assert answer.usage == Usage(input=most, output=50, requests=1)
    assert "estimated_requests" not in answer.evidence


@pytest.mark.parametrize("fault", [LlmFault.DROP, LlmFault.LATE, LlmFault.NO_USAGE])
async def test_no_course_costs_more_than_was_said_before(tmp_path: Path, fault: LlmFault) -> None:
    def wrong(_asked: ChatRequest) -> str:
        return '{"category": "' + "\u00e9" * 25 + '"}'

    more = f"{PRICED}\nrepairs: 2"
    terms = {"timeout": timedelta(seconds=0.2), "circuit_failures": 99}
    async with desk(tmp_path, manifest(more=more), terms=terms, says=wrong) as one:
        hit = Fault(kind=fault, seconds=2)
        miss = Fault(kind=LlmFault.NO_USAGE)
        one.server.faults = [hit, hit, miss] * 3
        most = one.component.most_cost(question(tmp_path))
        with pytest.raises(ComponentFailed):
            await one.ask(within=20)
        assert len(one.server.requests) == (3 if fault is LlmFault.NO_USAGE else 9)
    assert most is not None
    assert 0 < one.tally.cost <= most
    if fault is not LlmFault.NO_USAGE:
        assert one.tally.cost == most


async def test_without_the_provider_it_fails_and_says_what_to_write(tmp_path: Path) -> None:
    until = asyncio.get_running_loop().time() + 1
    for providers, said in ((None, "this process has no provider"), (Providers({}), "the settings have no provider")):
        component = load_llm(write(tmp_path), lambda providers=providers: providers)
        assert component.most_cost(question(tmp_path)) == 0
        with pytest.raises(ComponentFailed, match=said) as failed:
            await component.ask(question(tmp_path), until=until)
        assert "[llm.main]" in failed.value.todo


async def test_the_input_must_have_what_the_prompt_asks_for(tmp_path: Path) -> None:
    async with desk(tmp_path, user="{{input.text}} {{input.more?}} {{input.deep.er?}}") as one:
        assert (await one.ask({"text": "x"})).output
        assert (await one.ask({"text": "x", "deep": None})).output
        with pytest.raises(ComponentFailed, match=r"the input has no input\.text"):
            await one.ask({"more": 1})
        assert len(one.server.requests) == 2


async def test_samples_are_asked_at_once_each_with_its_seed(tmp_path: Path) -> None:
    words = iter(["fraud", "fraud", "theft", "fraud"])

    def says(_asked: ChatRequest) -> Said:
        return Said(content=f'{{"category": "{next(words)}", "amount": "1.00", "note": null}}')

    terms = "{method: self_consistency, samples: 4, fields: [category]}"
    text = manifest(terms, parameters="{temperature: 0.7, seed: 40, max_tokens: 50}")
    async with desk(tmp_path, text, says=says) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=0.1) for _ in range(4)]
        answer = await one.ask()
        assert sorted(asked.body["seed"] for asked in one.server.requests) == [40, 41, 42, 43]
        assert one.server.at_once > 1
    assert answer.output["category"] == "fraud"
    assert answer.confidence == 0.75
    assert answer.usage is not None
    assert answer.usage.requests == 4
    assert answer.evidence["confidence"]["fields"] == {"category": 0.75}


async def test_a_sample_that_fails_agrees_with_nobody(tmp_path: Path) -> None:
    terms = "{method: self_consistency, samples: 4}"
    text = manifest(terms, more=f"{PRICED}\nrepairs: 0", parameters="{temperature: 0.7, max_tokens: 50}")
    async with desk(tmp_path, text) as one:
        one.server.faults = [Fault(kind=LlmFault.REFUSAL, content="no"), Fault(kind=LlmFault.CONTENT, content="{}")]
        answer = await one.ask()
        assert answer.confidence == 0.5
        one.server.faults = [Fault(kind=LlmFault.REFUSAL, content="no") for _ in range(4)]
        with pytest.raises(ComponentFailed, match="refuses") as failed:
            await one.ask()
    assert failed.value.usage is not None
    assert failed.value.usage.requests == 8


async def test_log_probabilities_of_the_values_make_the_confidence(tmp_path: Path) -> None:
    tokens = (
        ('{"', -5.0),
        ("category", -5.0),
        ('":"', -0.1),  # ends where the value begins
        ("fraud", -0.2),
        ('","', -0.3),  # its first character closes the value
        ("amount", -5.0),
        ('": "', -5.0),
        ("1.00", -0.4),
        ('", "note": null}', -0.5),
    )
    content = "".join(text for text, _ in tokens)
    text = manifest("{method: logprobs, fields: [category, amount]}")
    async with desk(tmp_path, text, says=lambda _asked: Said(content=content, tokens=tokens)) as one:
        answer = await one.ask()
        assert one.server.requests[0].body["logprobs"] is True
        one.server.faults = [Fault(kind=LlmFault.NO_LOGPROBS)]
        unknown = await one.ask()
    assert answer.confidence == pytest.approx(2.718281828459045 ** -(0.2 + 0.3 + 0.4 + 0.5))
    assert set(answer.evidence["confidence"]["probabilities"]) == {"category", "amount"}
    assert unknown.confidence == 0
    assert "no log-probabilities" in unknown.evidence["confidence"]["why"]


async def test_it_is_never_asked_in_a_thread(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        with pytest.raises(ComponentFailed, match="can be waited for"):
            one.component.answer(question(tmp_path))


async def test_a_tally_of_its_own_is_kept_without_one(tmp_path: Path) -> None:
    async with SimulatedModel(lambda _asked: RIGHT) as server:
        providers = Providers({"main": settings(server.url)})
        component = load_llm(write(tmp_path, manifest(more=PRICED)), lambda: providers)
        until = asyncio.get_running_loop().time() + 5
        answer = await component.ask(question(tmp_path), until=until)
        await providers.close()
    assert answer.cost > 0
    assert Tally().usage == Usage()
