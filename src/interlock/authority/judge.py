"""Judging: may this actor do that act on this? Cedar decides, from policies in files.

Source: the Cedar policy language, https://docs.cedarpolicy.com.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import cedarpy
import msgspec
from cedarpy import PolicySet, Schema, policies_to_json_str

from interlock.authority.actor import Actor, ActorKind
from interlock.errors import ConfigInvalid, Forbidden

log = logging.getLogger("interlock.authority")
_SHIPPED = files("interlock.authority") / "policies"
_LARGEST = 1_000_000
_cedar: Any = cedarpy
"""Its functions say less of their types than they have."""
_TYPES: Mapping[ActorKind, str] = MappingProxyType(
    {ActorKind.PERSON: "Person", ActorKind.PROGRAM: "Program", ActorKind.OPERATOR: "Operator"}
)
Fact = str | int | bool | Iterable[str]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What is acted on.

    Attributes:
        kind: The name of its type in the schema.
        id: Which one.
        tenant: Whose it is.
        facts: What policies may ask of it, as the schema has them; what is None is absent.
    """

    kind: str
    id: str
    tenant: UUID
    facts: Mapping[str, Fact | None] = MappingProxyType({})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What policies say.

    Attributes:
        allowed: Whether it may be done.
        because: The ids of the policies that decided it; empty: no policy permits it.
        policies: The digest of all policies that were asked, in hexadecimal.
        failed: Policies that could not be evaluated; with one of them nothing is allowed.
    """

    allowed: bool
    because: tuple[str, ...]
    policies: str
    failed: tuple[str, ...] = ()


class Authority:
    """The policies in force in a process.

    Args:
        text: All policies.
        schema: What they may speak of.

    Raises:
        ConfigInvalid: a policy cannot be read, has no id, or speaks of what the schema does not have.
    """

    def __init__(self, text: str, schema: str) -> None:
        self.text = text
        self.digest = hashlib.sha256(schema.encode() + b"\0" + text.encode()).hexdigest()
        try:
            told = _cedar.validate_policies(text, schema)
            self._schema = Schema.from_str(schema)
            self._set = _named(text)
        except ValueError as cause:
            raise ConfigInvalid(f"a policy cannot be read: {cause}", where="policies") from cause
        if not told:
            wrong = "; ".join(str(error) for error in told.errors)
            raise ConfigInvalid(f"policies speak of what is not there: {wrong}", where="policies")

    def judge(self, actor: Actor, act: str, resource: Resource) -> Verdict:
        """Whether somebody may do something. What cannot be evaluated is refused, and told in the log."""
        kind = _TYPES[actor.kind]
        request: dict[str, Any] = {
            "principal": f"{kind}::{_quoted(actor.name)}",
            "action": f"Action::{_quoted(act)}",
            "resource": f"{resource.kind}::{_quoted(resource.id)}",
            "context": {},
        }
        answer = _cedar.is_authorized(request, self._set, [_principal(actor, kind), _resource(resource)], self._schema)
        failed = tuple(answer.diagnostics.errors)
        if failed:
            log.error("policies could not judge %s of %s: %s", act, actor.name, "; ".join(failed))
        because = tuple(sorted(answer.diagnostics.reasons))
        return Verdict(allowed=answer.allowed and not failed, because=because, policies=self.digest, failed=failed)

    def require(self, actor: Actor, act: str, resource: Resource) -> Verdict:
        """The verdict, if it may be done.

        Raises:
            Forbidden: it may not; the policy that forbids it is named, if one does.
        """
        verdict = self.judge(actor, act, resource)
        if not verdict.allowed:
            named = ", ".join(verdict.because)
            what = f"{actor.name} may not {act}: " + (
                f"the policy {named} forbids it" if named else "no policy permits it"
            )
            raise Forbidden(what, todo="ask somebody who may; `interlock policies` shows who that is")
        return verdict


def everything(tenant: UUID) -> Resource:
    """What a tenant has as a whole: for acts that are on nothing in particular."""
    return Resource(kind="Everything", id=str(tenant), tenant=tenant)


def load_authority(folder: Path | None = None) -> Authority:
    """The policies that are shipped, or those of a folder: every ``*.cedar`` in it, by name.

    Args:
        folder: It may hold a ``schema.cedarschema`` of its own.

    Raises:
        ConfigInvalid: there are none, or they cannot be used.
    """
    if folder is None:
        return Authority((_SHIPPED / "interlock.cedar").read_text(), (_SHIPPED / "schema.cedarschema").read_text())
    found = sorted(folder.glob("*.cedar"))
    if not found:
        raise ConfigInvalid(f"{folder} holds no *.cedar", where="policies", todo="name a folder that holds policies")
    if sum(file.stat().st_size for file in found) > _LARGEST:
        raise ConfigInvalid(f"the policies in {folder} are larger than {_LARGEST} bytes", where="policies")
    own = folder / "schema.cedarschema"
    schema = own.read_text() if own.exists() else (_SHIPPED / "schema.cedarschema").read_text()
    return Authority("\n".join(file.read_text() for file in found), schema)


def _named(text: str) -> PolicySet:
    """The policies under the ids that their files give them: parsed from text they would lose them."""
    parsed: dict[str, Any] = msgspec.json.decode(policies_to_json_str(text))
    named: dict[str, Any] = {}
    for place, policy in parsed["staticPolicies"].items():
        given = policy.get("annotations", {}).get("id")
        if not given:
            raise ConfigInvalid(f"{place} has no id", where="policies", todo='write @id("a-name") before each policy')
        if given in named:
            raise ConfigInvalid(f"two policies are named {given}", where="policies", todo="give each a name of its own")
        named[given] = policy
    return PolicySet.from_json_str(msgspec.json.encode({**parsed, "staticPolicies": named}).decode())


def _principal(actor: Actor, kind: str) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": actor.name},
        "attrs": {"name": actor.name, "tenant": str(actor.tenant), "teams": list(actor.teams)},
        "parents": [{"type": "Role", "id": role} for role in actor.roles],
    }


def _resource(resource: Resource) -> dict[str, Any]:
    facts = {
        name: list(fact) if isinstance(fact, Iterable) and not isinstance(fact, str) else fact
        for name, fact in resource.facts.items()
        if fact is not None
    }
    return {
        "uid": {"type": resource.kind, "id": resource.id},
        "attrs": {"tenant": str(resource.tenant), **facts},
        "parents": [],
    }


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
