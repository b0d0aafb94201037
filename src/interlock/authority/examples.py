"""Examples of policies: who may do what, written down and held against the policies that are to say so. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import Authority, Resource, everything
from interlock.errors import ManyRefused, Violation
from interlock.plain_yaml import Kind, Node, Scalar, Sequence, parse_yaml
from interlock.spelling import meant

HERE = UUID("00000000-0000-7000-8000-000000000001")
ELSEWHERE = UUID("00000000-0000-7000-8000-000000000002")
_ASSUMED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Everything": {},
        "Task": {"kind": "review", "workflow": "refunds", "point": "approve", "queue": "refunds", "team": "refunds"},
        "Scope": {"scope": "workflow:refunds", "owners": (), "answered": False, "installation": False},
        "Account": {"name": "somebody"},
    }
)
"""What is assumed of a resource where an example does not say it."""


class Who(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who acts in an example.

    Attributes:
        kind: person, program or operator.
        name: Their name.
        roles: A person's roles, a program's scopes.
        teams: A person's teams.
        elsewhere: Whether they are of another tenant than what they act on.
    """

    kind: ActorKind = ActorKind.PERSON
    name: str = "ana"
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    elsewhere: bool = False


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a table of examples.

    Attributes:
        who: Who acts.
        acts: What they would do; the example holds for each.
        allowed: Whether they may.
        on: The type of what is acted on.
        facts: What is known of it; what is not said is assumed as harmless.
        because: The policies that decide, if the example is to say so.
        why: What it shows, for whoever reads it.
    """

    who: Who
    acts: tuple[str, ...]
    allowed: bool
    on: str = "Everything"
    facts: dict[str, Any] = {}
    because: tuple[str, ...] | None = None
    why: str = ""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    examples: tuple[Example, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An example that the policies do not keep.

    Attributes:
        place: Its place in the table, from 1.
        why: What it shows.
        act: Which of its acts.
        what: How the verdict differs.
    """

    place: int
    why: str
    act: str
    what: str


def read_examples(data: bytes, file: str) -> tuple[Example, ...]:
    """The examples of a file: YAML, or JSON, which is a part of it.

    Args:
        data: Its bytes.
        file: Its name, for messages.

    Raises:
        ManyRefused: it cannot be read, or a line is not of the form of an example.
    """
    root, wrong = parse_yaml(data, file)
    if wrong:
        raise ManyRefused(f"{file} cannot be read", wrong)
    try:
        return msgspec.convert(_plain(root), _Table).examples
    except msgspec.ValidationError as cause:
        violation = Violation(where=file, what=str(cause), rule="form", todo="see docs/reference/policies.md")
        raise ManyRefused(f"{file} holds no examples", (violation,)) from cause


def resource_of(kind: str, facts: Mapping[str, Any]) -> Resource:
    """Something to act on, with what is said of it and what is assumed where nothing is."""
    if kind == "Everything" and not facts:
        return everything(HERE)
    return Resource(kind=kind, id="example", tenant=HERE, facts={**_ASSUMED.get(kind, {}), **facts})


def actor_of(who: Who) -> Actor:
    """Somebody who acts in an example."""
    tenant = ELSEWHERE if who.elsewhere else HERE
    return Actor(kind=who.kind, name=who.name, tenant=tenant, roles=who.roles, teams=who.teams)


def differences(authority: Authority, examples: tuple[Example, ...]) -> Iterator[Difference]:
    """The examples that policies do not keep; those of acts that nobody knows, too."""
    for place, example in enumerate(examples, 1):
        for act in example.acts:
            what = _difference(authority, example, act)
            if what:
                yield Difference(place=place, why=example.why, act=act, what=what)


def _difference(authority: Authority, example: Example, act: str) -> str:
    if act not in authority.acts:
        return f"no act is called {act!r}: {meant(act, authority.acts)}"
    verdict = authority.judge(actor_of(example.who), act, resource_of(example.on, example.facts))
    if verdict.failed:
        return f"it cannot be judged: {verdict.failed[0]}"
    decided = ", ".join(verdict.because) or "no policy permits it"
    if verdict.allowed != example.allowed:
        return f"it is {'allowed' if verdict.allowed else 'refused'}: {decided}"
    if example.because is not None and set(example.because) != set(verdict.because):
        return f"it is decided by {decided}"
    return ""


def _plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return _scalar(node)
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return {entry.key.text: _plain(entry.value) for entry in node.entries}


def _scalar(node: Scalar) -> Any:
    match node.kind:
        case Kind.BOOLEAN:
            return node.text.lower() == "true"
        case Kind.INTEGER:
            return int(node.text.lstrip("+"), 0) if node.text.startswith(("0x", "0o")) else int(node.text)
        case Kind.NULL:
            return None
        case _:
            return node.text
