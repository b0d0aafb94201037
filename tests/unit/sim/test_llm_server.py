"""The simulated server of a language model says what it is told, and refuses as real ones do."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from interlock.sim.llm import ChatRequest, Fault, LlmFault, Said, Scripted, SimulatedModel, main, scripted


def request(text: str) -> ChatRequest:
    """A request with one message."""
    return ChatRequest(body={"messages": [{"role": "user", "content": text}]}, headers={})


def test_the_first_answer_that_fits_is_said() -> None:
    says = scripted([Scripted(contains="a", answer={"x": 1}, logprob=-0.5), Scripted(answer="plain")])
    assert says(request("cat")) == Said(content='{"x":1}', tokens=(('{"x"', -0.5), (":1}", -0.5)))
    assert says(request("dog")) == Said(content="plain", tokens=(("plai", -0.01), ("n", -0.01)))
    nothing = scripted([])(request("x"))
    assert isinstance(nothing, Said)
    assert nothing.content == "{}"


async def test_it_speaks_the_protocol() -> None:
    async with SimulatedModel(lambda asked: asked.prompt.upper()) as model, httpx.AsyncClient() as client:
        model.key = "k"
        url, body = f"{model.url}/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        assert (await client.post(url, json=body)).status_code == 401
        allowed = {"Authorization": "Bearer k"}
        told = (await client.post(url, json={**body, "logprobs": True}, headers=allowed)).json()
        assert (await client.get(url)).status_code == 404
        assert (await client.post(url, content=b"{", headers=allowed)).status_code == 400
        model.faults = [Fault(kind=LlmFault.STATUS, status=429, retry_after="7")]
        limited = await client.post(url, json=body, headers=allowed)
    assert told["choices"][0]["message"]["content"] == "HI"
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["choices"][0]["logprobs"]["content"] == [{"token": "HI", "logprob": -0.01, "bytes": [72, 73]}]
    assert told["usage"]["completion_tokens"] == 1
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("text", ["", "{}", '[{"answers": 1}]', '[{"contains": 1, "answer": 2}]'])
def test_a_file_that_is_no_list_of_answers_is_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.json"
    file.write_text(text)
    assert main(["--answers", str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--answers", str(tmp_path / "gone.json")]) == 1
    assert "gone.json" in capsys.readouterr().err
