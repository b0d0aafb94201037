"""How sure an answer is, by the method that its component declares. Pure.

Of an answer's values (strings, numbers, true, false, null, empty containers; of the fields that count) these are
measured, the logarithms being natural:

    joint_logprob   the sum of the log-probabilities of all tokens that wrote the values
    mean_logprob    their mean
    least_logprob   the least of them
    agreement       the share of all samples that were asked for whose values in the fields that count are all the same
                    as the answer's; one that failed agrees with none

`logprobs` takes exp(joint_logprob), the probability that the model itself gave to these values after what stands before
them: by the chain rule, the product over the tokens. `self_consistency` takes agreement (Wang et al., "Self-consistency
improves chain of thought reasoning in language models", 2023, section 3.5, unweighted). Both are the model's own
opinion; only `scorer` is calibrated on answers of which it is known whether they were right.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from interlock.components.llm.chat import Completion, Token
from interlock.components.llm.manifest import ConfidenceTerms, Method
from interlock.components.llm.scorer import Scorer
from interlock.components.llm.spans import logprobs_of, value_spans

_DIGITS = 6


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that keeps its contract.

    Attributes:
        value: The answer.
        text: Its JSON text, as the model wrote it.
        completion: The completion that it is part of.
        repairs: How often the model was asked again for it.
    """

    value: dict[str, Any]
    text: str
    completion: Completion
    repairs: int = 0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that is taken, and how sure it is.

    Attributes:
        sample: The answer.
        confidence: From 0 to 1.
        evidence: What it rests on, as JSON.
    """

    sample: Sample
    confidence: float
    evidence: dict[str, Any]


def measure(terms: ConfidenceTerms, samples: Sequence[Sample], scorer: Scorer | None) -> Measured:
    """Choose among samples the answer that most agree on, the first of equals, and measure how sure it is.

    Args:
        terms: The method.
        samples: Those that came about, in the order in which they were asked for; at least one.
        scorer: The scorer, for the method that has one.

    Raises:
        ComponentFailed: the scorer gives no probability.
    """
    keys = [_key(sample.value, terms.fields) for sample in samples]
    most, votes = Counter(keys).most_common(1)[0]  # of equals the one that came first
    chosen = samples[keys.index(most)]
    evidence: dict[str, Any] = {"method": str(terms.method)}
    features = {"agreement": votes / terms.samples}
    if terms.samples > 1:
        evidence |= {"samples": terms.samples, "agreement": features["agreement"]}
        evidence["fields"] = _agreement(chosen, samples, terms)
    if terms.needs_logprobs:
        scores = field_logprobs(chosen, terms.fields)
        flat = [score for one in scores.values() for score in one]
        if not flat:
            why = "the provider gave no log-probabilities that spell the answer"
            return Measured(sample=chosen, confidence=0.0, evidence={**evidence, "why": why})
        features |= {
            "joint_logprob": math.fsum(flat),
            "mean_logprob": math.fsum(flat) / len(flat),
            "least_logprob": min(flat),
        }
        evidence["probabilities"] = {name: _rounded(math.exp(math.fsum(one))) for name, one in scores.items()}
    if terms.method is Method.SCORER:
        evidence["features"] = {name: _rounded(features[name]) for name in terms.features}
    return Measured(sample=chosen, confidence=_confidence(terms, features, scorer), evidence=evidence)


def field_logprobs(sample: Sample, fields: Sequence[str]) -> dict[str, list[float]]:
    """The log-probabilities of the tokens that wrote the values of an answer, by field; empty if they are not known."""
    tokens = sample.completion.tokens
    if tokens is None:
        return {}
    written = b"".join(token.text for token in tokens)
    # Some servers list tokens that are not part of the text: one that ends it, or a space that they cut off.
    content, text = sample.completion.content.encode(), sample.text.encode()
    start = written.find(content)
    if start < 0:
        return {}
    start += content.index(text)
    scores = logprobs_of(value_spans(text), _placed(tokens, start))
    return {name: one for name, one in scores.items() if not fields or name in fields}


def _placed(tokens: Sequence[Token], start: int) -> list[tuple[int, float]]:
    placed: list[tuple[int, float]] = []
    end = -start
    for token in tokens:
        end += len(token.text)
        placed.append((end, token.logprob))
    return placed


def _confidence(terms: ConfidenceTerms, features: dict[str, float], scorer: Scorer | None) -> float:
    if terms.method is Method.LOGPROBS:
        return min(math.exp(features["joint_logprob"]), 1.0)
    if terms.method is Method.SELF_CONSISTENCY:
        return features["agreement"]
    if terms.method is Method.SCORER and scorer is not None:
        return scorer.probability(features)
    return 0.0


def _agreement(chosen: Sample, samples: Sequence[Sample], terms: ConfidenceTerms) -> dict[str, float]:
    names = terms.fields or tuple(chosen.value)
    wanted = {name: _key(chosen.value, (name,)) for name in names}
    return {
        name: sum(_key(sample.value, (name,)) == wanted[name] for sample in samples) / terms.samples for name in names
    }


def _key(value: dict[str, Any], fields: Sequence[str]) -> str:
    """The same text for the same values; a field that is absent counts as null, as contracts take it."""
    counted = {name: value.get(name) for name in fields} if fields else value
    present = {name: one for name, one in counted.items() if one is not None}
    return json.dumps(present, sort_keys=True)


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
