"""What asking a language model used up, in tokens. Pure."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and requests, added over every attempt, repair and sample of one asking.

    Where a request's answer was lost, or told no usage, its part is the most that it can have used.

    Attributes:
        input: Tokens of the prompts, those from the provider's cache included.
        cached_input: Those of them that came from its cache.
        output: Tokens of the answers, those of reasoning included.
        reasoning: Those of them that were reasoning, which nobody sees.
        requests: How many requests were sent.
    """

    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            cached_input=self.cached_input + other.cached_input,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            requests=self.requests + other.requests,
        )
