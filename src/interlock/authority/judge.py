"""Judging: may this actor do that act on this? Cedar decides, from policies in files.

Source: the Cedar policy language, https://docs.cedarpolicy.com.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import cedarpy
import msgspec
from cedarpy import PolicySet, Schema, policies_to_json_str

from interlock.authority.actor import Actor, ActorKind, known_as
from interlock.errors import ConfigInvalid, Forbidden

log = logging.getLogger("interlock.authority")
_SHIPPED = files("interlock.authority") / "policies"
_LARGEST = 1_000_000
_MOST_REMEMBERED = 4096
_NAMES = frozenset({"name", "handed_in_by", "written_by", "decided_by", "held_by", "set_by", "owners", "practised_by"})
"""Facts that name somebody: they are compared with who acts, so both are written alike."""
_BEGINS = re.compile(r"^[ \t]*@id\b", re.MULTILINE)
_COMMENT = re.compile(r"//.*")
_ACTION = re.compile(r"\baction\b([^;{]*)")
_QUOTED = re.compile(r"\"([^\"]+)\"")
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

    Attributes:
        text: All policies.
        schema: What they may speak of.
        content: Both, with NUL between them: what the archive keeps.
        digest: SHA-256 of that, in hexadecimal: by it a verdict says which policies it rests on.
        ids: The ids of the policies, sorted.
        acts: Every act that policies may speak of, as the schema names them.

    Raises:
        ConfigInvalid: a policy cannot be read, has no id, or speaks of what the schema does not have.
    """

    def __init__(self, text: str, schema: str) -> None:
        self.text, self.schema = text, schema
        self.content = schema.encode() + b"\0" + text.encode()
        self.digest = hashlib.sha256(self.content).hexdigest()
        try:
            told = _cedar.validate_policies(text, schema)
            self._schema = Schema.from_str(schema)
            named = _named(text)
            self._set = PolicySet.from_json_str(msgspec.json.encode(named).decode())
        except ValueError as cause:
            raise ConfigInvalid(f"a policy cannot be read: {cause}", where="policies") from cause
        if not told:
            wrong = "; ".join(str(error) for error in told.errors)
            raise ConfigInvalid(f"policies speak of what is not there: {wrong}", where="policies")
        self.ids = tuple(sorted(named["staticPolicies"]))
        acts = _ACTION.findall(_COMMENT.sub("", schema))
        self.acts = tuple(dict.fromkeys(act for line in acts for act in _QUOTED.findall(line)))
        self._recall = functools.lru_cache(_MOST_REMEMBERED)(self._evaluate_whole)

    def judge(self, actor: Actor, act: str, resource: Resource) -> Verdict:
        """Whether somebody may do something. What cannot be evaluated is refused, and told in the log."""
        if not resource.facts:  # it rests on these words alone, and every request asks it
            return self._recall(actor, act, resource.kind, resource.id, resource.tenant)
        return self._evaluate(actor, act, resource)

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

    def _evaluate_whole(self, actor: Actor, act: str, kind: str, identity: str, tenant: UUID) -> Verdict:
        return self._evaluate(actor, act, Resource(kind=kind, id=identity, tenant=tenant))

    def _evaluate(self, actor: Actor, act: str, resource: Resource) -> Verdict:
        try:
            request: dict[str, Any] = {
                "principal": {"type": _TYPES[actor.kind], "id": actor.name},
                "action": {"type": "Action", "id": act},
                "resource": {"type": resource.kind, "id": resource.id},
                "context": {},
            }
            told = msgspec.json.encode([_principal(actor, _TYPES[actor.kind]), _resource(resource)])
            entities = _cedar.Entities.from_json_str(told.decode(), self._schema)
            answer = _cedar.is_authorized(request, self._set, entities, self._schema)
        except (ValueError, TypeError) as cause:  # of another type than the schema has, or no text at all
            return self._failed(actor, act, (str(cause)[:500],))
        because = tuple(sorted(answer.diagnostics.reasons))
        if answer.diagnostics.errors:
            return self._failed(actor, act, tuple(answer.diagnostics.errors), because)
        return Verdict(allowed=answer.allowed, because=because, policies=self.digest)

    def _failed(self, actor: Actor, act: str, failed: tuple[str, ...], because: tuple[str, ...] = ()) -> Verdict:
        log.error("policies could not judge %r of %r: %s", act, actor.name, "; ".join(failed))
        return Verdict(allowed=False, because=because, policies=self.digest, failed=failed)


Ask = Callable[[Resource], Verdict]
"""Asks the policies about somebody's act on something; raises Forbidden if they do not permit it."""


def verdict_facts(verdict: Verdict | None) -> dict[str, Any]:
    """What an entry of the ledger says of a verdict: by which policies, and which of them decided.

    The text of the policies is in the archive under the whole digest, of which this is the beginning.

    Args:
        verdict: None: no policy was asked, because the program itself acts.
    """
    if verdict is None:
        return {}
    return {"policies": verdict.policies[:16], "because": verdict.because}


def account(tenant: UUID, name: str) -> Resource:
    """Somebody's account, where it is changed: nobody changes what they may do themselves."""
    return Resource(kind="Account", id=name, tenant=tenant, facts={"name": name})


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
        return _parsed((_SHIPPED / "interlock.cedar").read_text(), (_SHIPPED / "schema.cedarschema").read_text())
    found = sorted(folder.glob("*.cedar"))
    if not found:
        what = f"{folder} holds no *.cedar" if folder.is_dir() else f"there is no folder {folder}"
        todo = "name a folder that holds policies, or set none: then the shipped ones are in force"
        raise ConfigInvalid(what, where="policies", todo=todo)
    if sum(file.stat().st_size for file in found) > _LARGEST:
        raise ConfigInvalid(f"the policies in {folder} are larger than {_LARGEST} bytes", where="policies")
    own = folder / "schema.cedarschema"
    try:
        schema = own.read_text("utf-8") if own.exists() else (_SHIPPED / "schema.cedarschema").read_text()
        texts = {file: file.read_text("utf-8") for file in found}
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigInvalid(f"a file in {folder} cannot be read: {cause}", where="policies") from cause
    for file, one in texts.items():
        try:
            policies_to_json_str(one)
        except ValueError as cause:
            what = f"{file} cannot be read{_where_unread(one)}: {cause}"
            todo = f"mend it; `interlock policies check --folder {folder}` reads it again and starts nothing"
            raise ConfigInvalid(what, where="policies", todo=todo) from cause
    return _parsed("\n".join(texts.values()), schema)


def _where_unread(text: str) -> str:
    """In which policy of a file the fault is, since the parser does not tell; empty: in none by itself."""
    starts = [found.start() for found in _BEGINS.finditer(text)]
    for start, end in pairwise([*starts, len(text)]):
        try:
            policies_to_json_str(text[start:end])
        except ValueError:
            return f", in the policy that begins on line {text.count(chr(10), 0, start) + 1}"
    return ""


@functools.lru_cache(4)
def _parsed(text: str, schema: str) -> Authority:
    """Policies say the same as often as they are read, and reading them takes a twentieth of a second."""
    return Authority(text, schema)


def shipped_examples() -> bytes:
    """The examples that the shipped policies are held against."""
    return (_SHIPPED / "tests.yaml").read_bytes()


def _named(text: str) -> dict[str, Any]:
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
    return {**parsed, "staticPolicies": named}


def _principal(actor: Actor, kind: str) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": actor.name},
        "attrs": {
            "name": known_as(actor.name),
            "tenant": str(actor.tenant),
            "teams": sorted({known_as(team) for team in actor.teams}),
        },
        "parents": [{"type": "Role", "id": role} for role in actor.roles],
    }


def _resource(resource: Resource) -> dict[str, Any]:
    facts = {name: _fact(name, fact) for name, fact in resource.facts.items() if fact is not None}
    return {
        "uid": {"type": resource.kind, "id": resource.id},
        "attrs": {"tenant": str(resource.tenant), **facts},
        "parents": [],
    }


def _fact(name: str, fact: Fact) -> str | int | bool | list[str]:
    if isinstance(fact, str):
        return known_as(fact) if name in _NAMES else fact
    if isinstance(fact, Iterable):
        return sorted({known_as(one) if name in _NAMES else one for one in fact})
    return fact
