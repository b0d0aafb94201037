"""A simulated server of a language model: the OpenAI-compatible chat protocol, told answers, and injected faults.

In a test it runs within the test's own event loop, and answers what a function says. ``python -m interlock.sim.llm
--answers FILE`` serves on loopback until it is ended, and answers by a file. docs/reference/language-models.md has it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from interlock.errors import ConfigInvalid, InterlockError
from interlock.sim.problem import problem
from interlock.sim.wire import HOST, Answer, Dropped, Listener, Raw, Reply, Request, answer

_PIECE = re.compile(r".{1,4}", re.DOTALL)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class LlmFault(StrEnum):
    """What goes wrong with one request."""

    LATE = "late"
    """The answer comes after ``seconds``."""
    STATUS = "status"
    """An error: ``status``, with ``retry_after`` if it is given."""
    REDIRECT = "redirect"
    """302 to ``content``."""
    DROP = "drop"
    """The connection closes without an answer."""
    NOT_JSON = "not_json"
    """200 with a page of HTML."""
    TRUNCATED = "truncated"
    """The body ends in its middle, shorter than its Content-Length says."""
    CUT_JSON = "cut_json"
    """The body ends in its middle, with a Content-Length that agrees."""
    NO_CHOICES = "no_choices"
    """A completion without a choice."""
    CONTENT = "content"
    """The answer's text is ``content`` instead."""
    FINISH = "finish"
    """The answer ends as ``content`` says: ``length``, ``content_filter``, ``tool_calls``."""
    REFUSAL = "refusal"
    """The model refuses, in ``content``."""
    NO_USAGE = "no_usage"
    """The completion tells no usage."""
    USAGE = "usage"
    """The completion tells ``usage`` as its usage."""
    NO_LOGPROBS = "no_logprobs"
    """Log-probabilities are left out."""
    DRIP = "drip"
    """The body comes byte by byte, one every ``seconds``."""
    HUGE = "huge"
    """A body of ``size`` bytes."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault; each strikes one request, in their order.

    Attributes:
        kind: What goes wrong.
        status: The HTTP status.
        retry_after: The header Retry-After.
        seconds: How long.
        content: Text, by kind.
        usage: Told as the usage.
        size: Bytes.
    """

    kind: LlmFault
    status: int = 500
    retry_after: str = ""
    seconds: float = 0.0
    content: str = ""
    usage: Any = None
    size: int = 0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says.

    Attributes:
        content: The text.
        tokens: Its tokens with their log-probabilities; None: pieces of four characters, each -0.01.
    """

    content: str
    tokens: tuple[tuple[str, float], ...] | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came in.

    Attributes:
        body: Its JSON.
        headers: By name in lower case.
    """

    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages."""
        return self.body["messages"]

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        return "\n".join(message["content"] for message in self.messages)


Says = Callable[[ChatRequest], Said | str]


class SimulatedModel:
    """A server in this event loop; use it as an async context manager.

    Args:
        says: What it answers; the same for the same request, if the function is a pure one.
        port: The TCP port; 0 takes a free one.

    Attributes:
        faults: What goes wrong next, the first first.
        key: The key that it demands; empty: none.
        cached: Tokens of each prompt that it says came from its cache.
        reasoning: Tokens of reasoning that it says went into each answer.
        requests: What came in.
        at_once: How many requests it was answering at once, at most.
    """

    def __init__(self, says: Says, *, port: int = 0) -> None:
        self._says = says
        self._listener = Listener(port, self._handle)
        self._now = 0
        self._ended = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.faults: list[Fault] = []
        self.key = ""
        self.cached = 0
        self.reasoning = 0
        self.requests: list[ChatRequest] = []
        self.at_once = 0

    @property
    def url(self) -> str:
        """The base URL, as ``base_url`` in the settings has it."""
        return f"http://{HOST}:{self._listener.port}/v1"

    async def __aenter__(self) -> Self:
        await self._listener.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shut()
        self._ended.set()
        await self._idle.wait()  # what is being answered ends by itself, so that no task is left behind

    def shut(self) -> None:
        """Stop listening and cut every connection, as a server that dies."""
        self._listener.shut()

    async def _handle(self, request: Request) -> Reply:
        if request.path != ("v1", "chat", "completions") or request.method != "POST":
            return answer(problem(404, "no-such-route", f"{request.method} /{'/'.join(request.path)}"))
        if self.key and self.key not in (request.headers.get("authorization", "")[7:], request.headers.get("api-key")):
            return _error(401, "invalid_api_key", "the key is wrong")
        try:
            body = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError as cause:
            return _error(400, "invalid_json", str(cause))
        asked = ChatRequest(body=body, headers=request.headers)
        self.requests.append(asked)
        self._now += 1
        self._idle.clear()
        self.at_once = max(self.at_once, self._now)
        try:
            return await self._reply(asked, self.faults.pop(0) if self.faults else None)
        finally:
            self._now -= 1
            if not self._now:
                self._idle.set()

    async def _reply(self, asked: ChatRequest, fault: Fault | None) -> Reply:
        if fault is None:
            return _whole(self._completion(asked, None))
        if fault.kind is LlmFault.LATE:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    await self._ended.wait()
        if fault.kind in _WITHOUT_ANSWER:
            return _WITHOUT_ANSWER[fault.kind](fault)
        body = msgspec.json.encode(self._completion(asked, fault))
        length = f"Content-Length: {len(body)}\r\n\r\n".encode()
        match fault.kind:
            case LlmFault.TRUNCATED:
                return Raw((_HEAD + length + body[: len(body) // 2],))
            case LlmFault.CUT_JSON:
                return Answer(status=200, body=body[: len(body) // 2])
            case LlmFault.DRIP:
                return Raw((_HEAD + length, *(bytes([one]) for one in body)), fault.seconds)
            case _:
                return Answer(status=200, body=body)

    def _completion(self, asked: ChatRequest, fault: Fault | None) -> dict[str, Any]:
        kind = fault.kind if fault else None
        content = fault.content if fault else ""
        said = self._says(asked)
        said = Said(content=said) if isinstance(said, str) else said
        if kind is LlmFault.CONTENT:
            said = Said(content=content)
        tokens = said.tokens if said.tokens is not None else tuple((one, -0.01) for one in _PIECE.findall(said.content))
        refuses = kind is LlmFault.REFUSAL
        choice: dict[str, Any] = {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None if refuses else said.content,
                "refusal": content if refuses else None,
            },
            "finish_reason": content if kind is LlmFault.FINISH else "stop",
        }
        if asked.body.get("logprobs") and kind is not LlmFault.NO_LOGPROBS:
            scored = [{"token": text, "logprob": score, "bytes": list(text.encode())} for text, score in tokens]
            choice["logprobs"] = {"content": scored}
        completion: dict[str, Any] = {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": 0,
            "model": asked.body["model"],
            "system_fingerprint": "simulated",
            "choices": [] if kind is LlmFault.NO_CHOICES else [choice],
        }
        if kind is LlmFault.USAGE and fault is not None:
            completion["usage"] = fault.usage
        elif kind is not LlmFault.NO_USAGE:
            completion["usage"] = self._usage(asked, len(tokens))
        return completion

    def _usage(self, asked: ChatRequest, written: int) -> dict[str, Any]:
        prompt, output = max(len(asked.prompt) // 4, 1), written + self.reasoning
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": min(self.cached, prompt)},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def _whole(completion: Mapping[str, Any]) -> Answer:
    return Answer(status=200, body=msgspec.json.encode(completion))


def _error(status: int, code: str, message: str, retry_after: str = "") -> Answer:
    body = msgspec.json.encode({"error": {"message": message, "type": "error", "code": code}})
    return Answer(status=status, body=body, headers={"Retry-After": retry_after} if retry_after else {})


_WITHOUT_ANSWER: Mapping[LlmFault, Callable[[Fault], Reply]] = {
    LlmFault.STATUS: lambda fault: _error(fault.status, "injected", fault.content or "a fault", fault.retry_after),
    LlmFault.REDIRECT: lambda fault: Answer(status=302, body=b"", headers={"Location": fault.content}),
    LlmFault.DROP: lambda _fault: Dropped(),
    LlmFault.NOT_JSON: lambda _fault: Answer(status=200, body=b"<html>bad gateway</html>", content_type="text/html"),
    LlmFault.HUGE: lambda fault: Answer(status=200, body=b"[" + b" " * fault.size),
}


class Scripted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer of a file.

    Attributes:
        answer: The answer, as JSON; text is said as it is.
        contains: Given where the prompt contains this.
        logprob: Of each of its tokens.
    """

    answer: Any
    contains: str = ""
    logprob: float = -0.01


def scripted(answers: Sequence[Scripted]) -> Says:
    """What a file says: the first answer whose text the prompt contains.

    Args:
        answers: In order; one without ``contains`` fits every prompt.
    """

    def says(asked: ChatRequest) -> Said:
        found = next((one for one in answers if one.contains in asked.prompt), None)
        value: object = found.answer if found else "{}"
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        logprob = found.logprob if found else -1.0
        return Said(content=text, tokens=tuple((one, logprob) for one in _PIECE.findall(text)))

    return says


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="interlock.sim.llm", description="A simulated server of a language model.")
    parser.add_argument("--answers", type=Path, required=True, help='a JSON list of {"contains", "answer", "logprob"}')
    parser.add_argument("--port", type=int, default=0, help="the TCP port on 127.0.0.1; 0 takes a free one")
    given = parser.parse_args(arguments)
    try:
        answers = msgspec.json.decode(given.answers.read_bytes(), type=list[Scripted])
        asyncio.run(_serve(scripted(answers), given.port))
    except msgspec.DecodeError as cause:
        wrong = ConfigInvalid(str(cause), where=str(given.answers), todo='write [{"contains": "...", "answer": {...}}]')
        sys.stderr.write(f"{wrong}\n")
        return wrong.exit_code
    except (InterlockError, OSError) as cause:
        sys.stderr.write(f"{cause}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(says: Says, port: int) -> None:
    async with SimulatedModel(says, port=port) as model:
        sys.stdout.write(msgspec.json.encode({"url": model.url}).decode() + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
