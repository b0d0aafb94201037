"""Who may do what: every role of people and every scope of keys, judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from interlock.api.keys import Scope
from interlock.authority.actor import ActorKind
from interlock.authority.examples import Who, actor_of, resource_of
from interlock.authority.judge import Authority
from interlock.errors import Refused
from interlock.identity.person import Role

ASKED = "who-asks"
"""The name of whoever is asked about; a fact may name them."""
OPERATOR = "command line"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one part may do something.

    Attributes:
        kind: person, program or operator.
        part: The role, or the scope.
        may: Whether it alone permits it.
        because: The policies that decide.
    """

    kind: ActorKind
    part: str
    may: bool
    because: tuple[str, ...]


def who_may(
    authority: Authority, act: str, on: str = "Everything", facts: Mapping[str, Any] | None = None
) -> Iterator[Part]:
    """Which parts may do something, each alone.

    Args:
        authority: The policies.
        act: The act.
        on: The type of what is acted on.
        facts: What is known of it.

    Raises:
        Refused: it cannot be judged: a fact is not of the schema, or the act is not on that type.
    """
    parts = [(ActorKind.PERSON, str(role)) for role in Role] + [(ActorKind.PROGRAM, str(scope)) for scope in Scope]
    resource = resource_of(on, facts or {})
    for kind, part in [*parts, (ActorKind.OPERATOR, "")]:
        verdict = authority.judge(actor_of(Who(kind=kind, name=ASKED, roles=(part,) if part else ())), act, resource)
        if verdict.failed:
            what = f"{act} on {on[:40]} cannot be judged: {verdict.failed[0]}"
            raise Refused(what, todo="the schema says what there is: `interlock policies show --json`")
        yield Part(kind=kind, part=part or OPERATOR, may=verdict.allowed, because=verdict.because)
