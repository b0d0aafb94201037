"""The OpenAI-compatible chat protocol, ``POST /chat/completions`` without streaming: what is read of an answer. Pure.

Source: the API reference of OpenAI, "Create chat completion"; where servers differ, what they have in common counts.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from interlock.usage import Usage

FINISHED = frozenset({"stop", "eos", "end_turn", ""})
"""By which words servers say that an answer is whole."""
_MOST_TOKENS = 1_000_000_000
_LEAST_LOGPROB = -1e6

_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST_TOKENS)]


class Unreadable(ValueError):
    """What came is no chat completion."""


class Token(msgspec.Struct, frozen=True):
    """One token of an answer.

    Attributes:
        text: Its bytes.
        logprob: The natural logarithm of the probability that the model gave it; at most 0.
    """

    text: bytes
    logprob: float


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of a model.

    Attributes:
        content: Its text; empty if there is none.
        refusal: Why the model refuses, if it says so in the place for that.
        finish: Why it ended, as the provider calls it; empty if it does not say.
        tokens: The tokens of the text, if they were asked for and came.
        usage: What it used up; None: the provider does not say, or contradicts itself. Whether the request can have
            used so much, ``Bill`` knows.
        model: Which model answered, as the provider calls it.
        fingerprint: The provider's name for its own configuration, if it tells one.
    """

    content: str
    refusal: str
    finish: str
    tokens: tuple[Token, ...] | None
    usage: Usage | None
    model: str
    fingerprint: str


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw(b"null")


class _Body(msgspec.Struct):
    choices: list[_Choice]
    model: str = ""
    system_fingerprint: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Count | None = None


class _Scored(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[Annotated[int, msgspec.Meta(ge=0, le=255)]] | None = None


class _Scores(msgspec.Struct):
    content: list[_Scored] | None = None


class _Error(msgspec.Struct):
    message: str = ""
    code: str | int | None = None


class _Refused(msgspec.Struct):
    error: _Error | str = ""


_BODY = msgspec.json.Decoder(_Body)
_USAGE = msgspec.json.Decoder(_Usage)
_SCORES = msgspec.json.Decoder(_Scores | None)
_REFUSED = msgspec.json.Decoder(_Refused)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_completion(body: bytes) -> Completion:
    """Read the body of an answer with status 200.

    Raises:
        Unreadable: it is no chat completion with one choice or more.
    """
    try:
        read = _BODY.decode(body)
    except _UNREADABLE as cause:
        raise Unreadable(str(cause)[:200]) from cause
    if not read.choices:
        raise Unreadable("it holds no choice")
    choice = read.choices[0]
    return Completion(
        content=choice.message.content or "",
        refusal=choice.message.refusal or "",
        finish=choice.finish_reason or "",
        tokens=_tokens(choice.logprobs),
        usage=_usage(read.usage),
        model=read.model[:200],
        fingerprint=(read.system_fingerprint or "")[:200],
    )


def read_usage(body: bytes) -> Usage | None:
    """What an answer used up, also one that is otherwise no use; None if it does not say."""
    try:
        return _usage(_BODY.decode(body).usage)
    except _UNREADABLE:
        return None


def read_refusal(body: bytes) -> str:
    """What the body of an answer with an error's status says, cut to one line; empty if nothing that can be read."""
    try:
        error = _REFUSED.decode(body).error
    except _UNREADABLE:
        return ""
    said = error if isinstance(error, str) else f"{error.code or ''} {error.message}"
    return " ".join("".join(one if one.isprintable() else " " for one in said[:400]).split())[:200]


def _usage(raw: msgspec.Raw) -> Usage | None:
    try:
        said = _USAGE.decode(raw)
    except _UNREADABLE:
        return None
    cached = said.prompt_cache_hit_tokens or 0
    if said.prompt_tokens_details and said.prompt_tokens_details.cached_tokens is not None:
        cached = said.prompt_tokens_details.cached_tokens
    details = said.completion_tokens_details
    reasoning = (details.reasoning_tokens if details else None) or 0
    output = said.completion_tokens
    if reasoning and said.total_tokens == said.prompt_tokens + output + reasoning:
        output += reasoning  # some count reasoning beside the answer and not within it
    if cached > said.prompt_tokens or reasoning > output:
        return None
    return Usage(input=said.prompt_tokens, cached_input=cached, output=output, reasoning=reasoning, requests=1)


def _tokens(raw: msgspec.Raw) -> tuple[Token, ...] | None:
    try:
        scores = _SCORES.decode(raw)
    except _UNREADABLE:
        return None
    if scores is None or scores.content is None:
        return None
    return tuple(
        Token(
            bytes(one.bytes) if one.bytes is not None else one.token.encode(),
            min(max(one.logprob, _LEAST_LOGPROB), 0.0),
        )
        for one in scores.content
    )
