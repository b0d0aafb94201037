"""Schemathesis, wrapped: many requests made from the OpenAPI document, and everything in the answers that is wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import schemathesis
from schemathesis import Config
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
_SEED = 20260301
_UNUSUAL = ["0", "-0", "1e400", "null", "true", "é", "\u202e", "a" * 201, "../..", "%00", "' or 1=1 --", "{{7*7}}"]
"""Beside the names of things that exist: texts that are something else to some reader."""
_OF_MANY = ["submit_batch", "load_feature", "take_cloudevents", "take_outcome_events", "say_outcomes"]
_ALWAYS = 3
_MAY_BE_503 = frozenset({"queue-full", "stopped", "overloaded"})
"""A refusal for now is no failure."""


@dataclass
class Findings:
    """What came of a run.

    Attributes:
        answered: How often each operation gave each status.
        wrong: What is wrong with the API or with its document, each with a request that shows it.
    """

    answered: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    wrong: list[str] = field(default_factory=list[str])

    def statuses(self, operation: str) -> set[int]:
        """Every status that an operation gave."""
        return {status for label, status in self.answered if label == operation}


@schemathesis.serializer(NDJSON)
def _as_line(_context: object, value: Any) -> bytes:
    return value if isinstance(value, bytes) else msgspec.json.encode(value) + b"\n"


def run(
    url: str,
    headers: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
    *,
    inputs: Sequence[Any],
    phase: str,
    examples: int = 1,
    every: int = 1,
) -> Findings:
    """Ask every operation of the document what it should and should not be asked, and look at each answer.

    Args:
        url: Where the API listens; its document is asked there.
        headers: Of every request.
        known: What exists, by the name of the parameter or field that names it: most values are taken from here, so
            that requests get past the first look-up.
        inputs: What can be decided on; half of all inputs are taken from here.
        phase: Of Schemathesis: ``coverage`` tries every boundary of the document, ``fuzzing`` draws at random.
        examples: How many random requests each operation gets in the latter.
        every: Of each operation's boundaries one in so many is tried, beside the first few of what the document allows
            and of what it does not.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=_config(headers, known, examples, phase))
    turn = itertools.count()

    def map_body(_context: object, body: Any) -> Any:
        if isinstance(body, dict) and "input" in body and next(turn) % 2:
            body["input"] = inputs[next(turn) // 2 % len(inputs)]
        return cast("Any", body)

    cast("Any", schema).hook(map_body)
    if phase == "coverage":
        made = Counter[tuple[str, str]]()

        def filter_case(_context: object, case: Any) -> bool:
            kind = case.operation.label, str(case.meta.generation.mode)
            made[kind] += 1
            return made[kind] <= _ALWAYS or made[kind] % every == 0

        cast("Any", schema).hook(filter_case)
    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _look(event.recorder, findings)
        elif isinstance(event, events.NonFatalError):
            findings.wrong.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return findings


def _config(headers: Mapping[str, str], known: Mapping[str, Sequence[str]], examples: int, phase: str) -> Config:
    every = [*dict.fromkeys(one for values in known.values() for one in values), *_UNUSUAL]
    dictionaries = {name: {"values": list(values)} for name, values in known.items()}
    return cast("Any", Config).from_dict(
        {
            "seed": _SEED,
            "headers": dict(headers),
            "request-timeout": 30,
            "continue-on-failure": True,
            "dictionaries": {**dictionaries, "every": {"values": every}},
            "parameters": _parameters(known, random=phase == "fuzzing"),
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "no-shrink": True,
                "dictionaries": {"string": {"dictionary": "every", "probability": 0.3}},
            },
            "phases": {
                "examples": {"enabled": False},
                "coverage": {"enabled": phase == "coverage", "unexpected-methods": ["DELETE"]},
                "fuzzing": {"enabled": phase == "fuzzing"},
                "stateful": {"enabled": False},
            },
            "operations": [
                # what is one of many has its own refusal, in an answer of status 200
                {"include-operation-id": _OF_MANY, "checks": {"negative_data_rejection": {"enabled": False}}}
            ],
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},  # looked at below
                # what a valid text must say, such as the scope of a stop, is more than a schema can hold
                "positive_data_acceptance": {"enabled": False},
                "ensure_resource_availability": {"enabled": False},
                "use_after_free": {"enabled": False},
            },
        }
    )


def _parameters(known: Mapping[str, Sequence[str]], *, random: bool) -> dict[str, Any]:
    """Where what exists is named: in every path where each boundary is tried, most often where requests are drawn."""
    if not random:
        return {f"path.{name}": values[0] for name, values in known.items()}
    return {
        f"{place}.{name}": {"dictionary": name, "probability": 0.7}
        for name in known
        for place in ("path", "query", "body")
    }


def _look(recorder: ScenarioRecorder, findings: Findings) -> None:
    for checks in recorder.checks.values():
        findings.wrong += [
            f"{recorder.label}: {one.name}: {one.failure_info.failure.message}\n{one.failure_info.code_sample[:2000]}"
            for one in checks
            if one.failure_info
        ]
    for interaction in recorder.interactions.values():
        request, response = interaction.request, interaction.response
        asked = f"{recorder.label}: {request.method} {request.uri}"
        if response is None:
            findings.wrong.append(f"{asked}: no answer")
            continue
        findings.answered[recorder.label, response.status_code] += 1
        wrong = _wrong_with(response.status_code, response.headers.get("content-type", [""])[0], response.content)
        if wrong:
            findings.wrong.append(f"{asked}: {wrong}")


def _wrong_with(status: int, media: str, content: bytes) -> str:
    """What no schema says: each refusal is a problem that names a kind, and 503 has one of the reasons for it."""
    if status < 400:
        return ""
    if media != PROBLEM:
        return f"{status} comes as {media}"
    problem = msgspec.json.decode(content, type=dict[str, Any])
    if problem["status"] != status or not problem["detail"] or not problem["trace"]:
        return f"{status} comes as {problem}"
    if status >= 500 and problem["code"] not in _MAY_BE_503:
        return f"{status}: {problem}"
    return ""
