"""What a provider does wrong: sent again or not, in time, at once, with which key, and at what cost."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from folders import RIGHT, desk, manifest

from interlock.errors import ComponentFailed, ComponentLate
from interlock.setting_forms import SecretRef
from interlock.sim.llm import Fault, LlmFault, SimulatedModel
from interlock.usage import Usage

PRICED = 'price: {input: "2", cached_input: "0.5", output: "10"}'


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(kind=LlmFault.FINISH, content="length"), r"\(length\)"),
        (Fault(kind=LlmFault.FINISH, content="content_filter"), r"\(content_filter\)"),
        (Fault(kind=LlmFault.FINISH, content="tool_calls"), r"\(tool_calls\)"),
        (Fault(kind=LlmFault.FINISH, content="odd"), "ended as 'odd'"),
        (Fault(kind=LlmFault.REFUSAL, content="I will not"), r"refuses to answer \(refusal\): 'I will not'"),
        (Fault(kind=LlmFault.STATUS, status=400, content="no such parameter"), "answered 400.*no such parameter"),
        (Fault(kind=LlmFault.STATUS, status=401), "answered 401"),
        (Fault(kind=LlmFault.STATUS, status=404), "answered 404"),
        (Fault(kind=LlmFault.STATUS, status=422), "answered 422"),
        (Fault(kind=LlmFault.REDIRECT, content="http://127.0.0.1:1/v1"), "answered 302"),
    ],
)
async def test_what_would_not_change_is_not_sent_again(tmp_path: Path, fault: Fault, why: str) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.faults = [fault]
        with pytest.raises(ComponentFailed, match=why) as failed:
            await one.ask()
        assert len(one.server.requests) == 1
    assert failed.value.usage is not None
    assert failed.value.usage.requests == 1
    assert (failed.value.cost > 0) == (fault.kind in (LlmFault.FINISH, LlmFault.REFUSAL))


@pytest.mark.parametrize(
    ("fault", "estimated"),
    [
        (Fault(kind=LlmFault.STATUS, status=429, retry_after="0.1"), 0),
        (Fault(kind=LlmFault.STATUS, status=503, retry_after="0.1"), 0),
        (Fault(kind=LlmFault.STATUS, status=500), 0),
        (Fault(kind=LlmFault.STATUS, status=408), 0),
        (Fault(kind=LlmFault.DROP), 1),
        (Fault(kind=LlmFault.NOT_JSON), 1),
        (Fault(kind=LlmFault.TRUNCATED), 1),
        (Fault(kind=LlmFault.CUT_JSON), 1),
        (Fault(kind=LlmFault.NO_CHOICES), 0),
        (Fault(kind=LlmFault.HUGE, size=5_000_000), 1),
        (Fault(kind=LlmFault.LATE, seconds=3), 1),
        (Fault(kind=LlmFault.DRIP, seconds=0.1), 1),
    ],
)
async def test_what_may_pass_is_sent_again_and_both_are_paid(tmp_path: Path, fault: Fault, estimated: int) -> None:
    terms = {"timeout": timedelta(seconds=0.5)}
    async with desk(tmp_path, manifest(more=PRICED), terms=terms) as one:
        one.server.faults = [fault]
        answer = await one.ask()
        assert len(one.server.requests) == 2
    assert answer.output["category"] == "fraud"
    assert answer.usage is not None
    assert answer.usage.requests == 2
    assert answer.evidence.get("estimated_requests", 0) == estimated
    if estimated:  # 50 tokens of an answer, and more bytes of a prompt than it has tokens
        assert answer.usage.output == 50 + 14


async def test_attempts_are_bounded(tmp_path: Path) -> None:
    async with desk(tmp_path, terms={"attempts": 2}) as one:
        one.server.faults = [Fault(kind=LlmFault.STATUS, status=500) for _ in range(9)]
        with pytest.raises(ComponentFailed, match=r"answered 500 .*in attempt 2 of 2"):
            await one.ask()
        assert len(one.server.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=LlmFault.LATE, seconds=30),
        Fault(kind=LlmFault.DRIP, seconds=0.2),
        Fault(kind=LlmFault.STATUS, status=429, retry_after="60"),
        Fault(kind=LlmFault.STATUS, status=503, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
    ],
)
async def test_the_deadline_holds_and_what_was_sent_is_paid(tmp_path: Path, fault: Fault) -> None:
    loop = asyncio.get_running_loop()
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.faults = [fault]
        began = loop.time()
        with pytest.raises(ComponentLate) as late:
            await one.ask(within=0.4)
        assert loop.time() - began < 1
    assert late.value.usage is not None
    assert late.value.usage.requests == 1
    assert late.value.cost == one.tally.cost
    assert (late.value.cost > 0) == (fault.kind is not LlmFault.STATUS)


async def test_without_time_nothing_is_sent(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        with pytest.raises(ComponentLate):
            await one.ask(within=-1)
        assert not one.server.requests
    assert one.tally.cost == 0


async def test_an_asking_that_is_cut_off_is_counted(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more=PRICED)) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=30)]
        task = asyncio.create_task(one.ask())
        while not one.server.requests:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert one.tally.usage.requests == 1
    assert one.tally.cost > 0


async def test_nobody_there_costs_nothing_and_is_left_alone_after_some_failures(tmp_path: Path) -> None:
    async with desk(tmp_path, manifest(more=PRICED), terms={"attempts": 1, "circuit_failures": 2}) as one:
        one.server.shut()
        for _ in range(2):
            with pytest.raises(ComponentFailed, match="no connection"):
                await one.ask()
        with pytest.raises(ComponentFailed, match="is left alone: it failed 2 times in a row"):
            await one.ask()
    assert one.tally.usage == Usage()
    assert one.tally.cost == 0


async def test_a_provider_that_hangs_beyond_the_deadline_is_left_alone(tmp_path: Path) -> None:
    """The settings would wait for five seconds; the decision ends the request, and it is no less unanswered."""
    async with desk(tmp_path, terms={"attempts": 1, "circuit_failures": 3}) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=30) for _ in range(9)]
        for _ in range(3):
            with pytest.raises((ComponentLate, TimeoutError)):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + 0.1):
                    await one.ask(within=0.1)
        with pytest.raises(ComponentFailed, match=r"is left alone: it failed 3 times in a row.*no answer in time"):
            await one.ask(within=0.1)
        assert len(one.server.requests) == 3


async def test_who_is_cut_off_before_the_deadline_says_nothing_of_the_provider(tmp_path: Path) -> None:
    async with desk(tmp_path, terms={"attempts": 1, "circuit_failures": 1}) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=30)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.ask(within=30), 0.1)
        assert (await one.ask()).output


async def test_the_circuit_closes_by_one_request(tmp_path: Path) -> None:
    terms = {"attempts": 1, "circuit_failures": 1, "circuit_pause": timedelta(seconds=0.2)}
    async with desk(tmp_path, terms=terms) as one:
        one.server.faults = [Fault(kind=LlmFault.STATUS, status=500)]
        with pytest.raises(ComponentFailed, match="answered 500"):
            await one.ask()
        with pytest.raises(ComponentFailed, match="left alone"):
            await one.ask()
        await asyncio.sleep(0.25)
        assert (await one.ask()).output
        assert (await one.ask()).output
        assert len(one.server.requests) == 3


async def test_no_more_at_once_than_the_settings_say(tmp_path: Path) -> None:
    async with desk(tmp_path, terms={"concurrency": 3}) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=0.05) for _ in range(12)]
        answers = await asyncio.gather(*(one.ask() for _ in range(12)))
        assert one.server.at_once == 3
    assert len(answers) == 12


async def test_a_new_secret_counts_at_once_and_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key"
    async with desk(tmp_path, secret=SecretRef("file", str(file))) as one:
        with pytest.raises(ComponentFailed, match="cannot be read"):
            await one.ask()
        file.write_text("first-key\n")
        one.server.key = "first-key"
        assert (await one.ask()).output
        one.server.key = "second-key"
        with pytest.raises(ComponentFailed, match="answered 401") as refused:
            await one.ask()
        assert "first-key" not in str(refused.value)
        file.write_text("second-key\n")
        assert (await one.ask()).output
        file.write_text("two words")
        with pytest.raises(ComponentFailed, match="is no key") as odd:
            await one.ask()
        assert "two words" not in str(odd.value)


async def test_a_key_can_have_a_header_of_its_own(tmp_path: Path) -> None:
    terms = {"secret_header": "api-key"}
    async with desk(tmp_path, secret=SecretRef("env", "K"), environ={"K": "abc"}, terms=terms) as one:
        await one.ask()
        assert one.server.requests[0].headers["api-key"] == "abc"
        assert "authorization" not in one.server.requests[0].headers


async def test_cookies_and_redirects_are_not_followed(tmp_path: Path) -> None:
    async with SimulatedModel(lambda _asked: RIGHT) as other, desk(tmp_path) as one:
        one.server.faults = [Fault(kind=LlmFault.REDIRECT, content=f"{other.url}/chat/completions")]
        with pytest.raises(ComponentFailed, match="answered 302"):
            await one.ask()
        assert not other.requests


@pytest.mark.parametrize("cut", ["deadline", "cancel"])
async def test_what_was_cut_off_holds_no_place_and_no_connection(tmp_path: Path, cut: str) -> None:
    async with desk(tmp_path, terms={"concurrency": 1, "circuit_failures": 99}) as one:
        one.server.faults = [Fault(kind=LlmFault.LATE, seconds=30) for _ in range(5)]
        for number in range(5):
            task = asyncio.create_task(one.ask(within=0.1 if cut == "deadline" else 30))
            while len(one.server.requests) == number:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.005)
            if cut == "cancel":
                task.cancel()
            with pytest.raises((ComponentLate, asyncio.CancelledError)):
                await task
        assert (await one.ask()).output
    assert one.tally.usage.requests == 6
