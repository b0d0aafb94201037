"""One sample of an answer: asked for, held against its contract, and asked for again a bounded number of times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from interlock.components.component import Wanted
from interlock.components.llm.chat import FINISHED, Completion
from interlock.components.llm.confidence import Sample
from interlock.components.llm.fence import NOTICE, fence
from interlock.components.llm.manifest import FORM, REPAIR, AnswerForm, LlmManifest
from interlock.components.llm.reading import NoObject, object_text, read_object
from interlock.components.llm.schema import answer_schema, schema_name
from interlock.errors import ComponentFailed, Violation

LARGEST_PROMPT = 1024 * 1024
"""Bytes of a request."""
_MOST_SHOWN = 10
_LONGEST_SHOWN = 300
"""Characters of one fault that the model is shown."""
_LONGEST_FAULTS = 4096
"""Bytes of all of them, as they stand in the prompt."""
_WHY = {
    "length": "the answer was cut off at the most tokens that it may have (length)",
    "content_filter": "the provider's filter cut the answer off (content_filter)",
    "tool_calls": "the model called a tool, and has none (tool_calls)",
}

Message = dict[str, str]


class Request(msgspec.Struct, frozen=True):
    """A request that is ready to be sent.

    Attributes:
        body: Its JSON.
        most_input: The most tokens that its prompt can have.
    """

    body: bytes
    most_input: int


Send = Callable[[Request], Awaitable[Completion]]


def first_messages(manifest: LlmManifest, wanted: Wanted, value: Mapping[str, Any]) -> list[Message]:
    """The system's and the user's message.

    Raises:
        ComponentFailed: the input has not what the prompt asks for.
    """
    system = f"{NOTICE}\n\n{manifest.system.strip()}"
    if manifest.answer is not AnswerForm.JSON_SCHEMA:
        schema = msgspec.json.encode(answer_schema(wanted.schema)).decode()
        system = f"{system}\n\n{FORM.replace('{schema}', schema)}"
    user = manifest.user.render(value)
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def request_of(manifest: LlmManifest, wanted: Wanted, messages: Sequence[Message], number: int = 0) -> Request:
    """The first request of a sample; ``number`` counts the samples from 0, and each has a seed of its own.

    A token of the prompt is at least one byte of it, and so of the request that holds it.

    Raises:
        ComponentFailed: it is too large.
    """
    request: dict[str, Any] = {"model": manifest.model, "messages": messages, "stream": False, **manifest.parameters}
    if number and "seed" in request:
        request["seed"] += number
    if manifest.answer is AnswerForm.JSON_SCHEMA:
        schema = answer_schema(wanted.schema)
        named = {"name": schema_name(wanted.contract), "strict": True, "schema": schema}
        request["response_format"] = {"type": "json_schema", "json_schema": named}
    elif manifest.answer is AnswerForm.JSON_OBJECT:
        request["response_format"] = {"type": "json_object"}
    if manifest.confidence.needs_logprobs:
        request["logprobs"] = True
    body = msgspec.json.encode(request)
    if len(body) > LARGEST_PROMPT:
        raise ComponentFailed(f"the request has {len(body):,} bytes, more than {LARGEST_PROMPT:,}")
    return Request(body, len(body))


def most_input_again(manifest: LlmManifest, first: Request) -> int:
    """The most tokens of a prompt that shows the last answer and its faults: that answer had at most so many itself."""
    return first.most_input + manifest.most_output + _LONGEST_FAULTS + len(REPAIR)


async def converse(
    manifest: LlmManifest, wanted: Wanted, messages: Sequence[Message], number: int, send: Send
) -> Sample:
    """Ask for one answer; again, with the faults shown, while it breaks its contract and repairs are left.

    Raises:
        ComponentFailed: there is none that keeps it, or the model gave none.
    """
    request = first = request_of(manifest, wanted, messages, number)
    for repairs in range(manifest.repairs + 1):
        completion = await send(request)
        _refuse_unfinished(completion)
        text = object_text(completion.content)
        try:
            value = read_object(text)
            faults = wanted.violations(value)
        except NoObject as cause:
            value, faults = {}, (Violation(where="", what=str(cause), rule="json", todo="write one JSON object"),)
        if not faults:
            return Sample(value=value, text=text, completion=completion, repairs=repairs)
        if repairs == manifest.repairs:
            listed = "; ".join(map(str, faults[:5]))
            times = f" after {repairs} repair{'s' * (repairs > 1)}" if repairs else ""
            raise ComponentFailed(f"its answer breaks {wanted.contract}{times}: {listed}")
        again = request_of(manifest, wanted, [*messages, *_again(completion.content, faults)], number)
        request = Request(again.body, most_input_again(manifest, first))
    raise AssertionError  # the loop always returns or raises


def _again(content: str, faults: Sequence[Violation]) -> list[Message]:
    """The last answer and what is wrong with it; earlier ones are left out, so that a request does not grow."""
    shown = [str(fault)[:_LONGEST_SHOWN] for fault in faults[:_MOST_SHOWN]]
    while len(fenced := fence("faults", shown).encode()) > _LONGEST_FAULTS:
        shown.pop()
    return [
        {"role": "assistant", "content": content},
        {"role": "user", "content": f"{REPAIR}\n{fenced.decode()}"},
    ]


def _refuse_unfinished(completion: Completion) -> None:
    if completion.refusal:
        raise ComponentFailed(f"the model refuses to answer (refusal): {completion.refusal[:200]!r}")
    if completion.finish not in FINISHED:
        why = _WHY.get(completion.finish, f"the answer ended as {completion.finish[:60]!r}")
        raise ComponentFailed(why)
