"""What judged a decision, brought back by its hash: from the archive, or from what is published.

INVARIANT: nothing is taken from a file of today. What is kept under the hash that the decision names is what judged it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from interlock.archive.store import FIND_ARTIFACT, read_build
from interlock.cases.declaration import Declaration, read_declaration
from interlock.components.component import ComponentRef, Kind
from interlock.contracts import Contract, parse_contract
from interlock.db.database import Database
from interlock.decisions.counterfactual.kept import Kept, KeptTable, read_table
from interlock.decisions.decision import Decision
from interlock.decisions.readable import recorded_evidence, unreadable
from interlock.errors import InterlockError
from interlock.publications.publication import Kind as Published
from interlock.publications.store import FIND_CONTENT, LIST_PUBLISHED

_CONTRACT_SUFFIX = ".odcs.yaml"


@dataclass(frozen=True, slots=True)
class Contents:
    """The bytes of what judged a decision, as far as they are kept.

    Attributes:
        declaration: The workflow's file.
        tables: By the exact reference that the decision names.
        contracts: By whole name; what may hold it, of which the one that does is taken.
    """

    declaration: bytes | None
    tables: dict[str, bytes]
    contracts: dict[str, list[bytes]]


def digests_of_tables(decision: Decision) -> dict[str, bytes]:
    """The SHA-256 of each decision table that answered or judged, by the exact reference."""
    found = {
        asked.component: asked.digest
        for asked in decision.asked
        if asked.component.startswith(f"{Kind.RULES}:") and asked.digest
    }
    policy = recorded_evidence(decision).policy
    if policy is not None and policy.digest:
        found[policy.rules] = policy.digest
    return {name: bytes.fromhex(digest) for name, digest in found.items()}


async def read_contents(database: Database, tenant: UUID, decision: Decision) -> Contents:
    """Bring back what a decision names; of one whose row cannot be read only the workflow's file and the contracts."""
    tables: dict[str, bytes] = {}
    named = {} if unreadable(decision) else digests_of_tables(decision)
    for name, digest in named.items():
        reference = ComponentRef.parse(name)
        content = await content_of(database, tenant, digest, Published.RULES, reference.name)
        if content is not None:
            tables[name] = content
    contracts: dict[str, list[bytes]] = {}
    for name in {one for one in (decision.input_contract, decision.output_contract) if one}:
        contracts[name] = await _contract_contents(database, tenant, decision, name)
    return Contents(
        declaration=await content_of(database, tenant, decision.declaration), tables=tables, contracts=contracts
    )


async def content_of(
    database: Database, tenant: UUID, digest: bytes, kind: Published | None = None, name: str = ""
) -> bytes | None:
    """The content of a hash; None: it is not kept, or what is kept is not of that hash.

    Args:
        database: Where.
        tenant: Whose.
        digest: SHA-256 of the content.
        kind: What it may be published as; None: it is never published.
        name: Under which name.
    """
    async with database.tenant(tenant) as connection:
        content = await FIND_ARTIFACT.one(connection, {"digest": digest})
        if content is None and kind is not None:
            versions = await LIST_PUBLISHED.all(connection, {"kind": kind, "name": name})
            same = next((one for one in versions if one.digest == digest), None)
            content = await FIND_CONTENT.one(connection, {"id": same.id}) if same is not None else None
    return content if content is not None and hashlib.sha256(content).digest() == digest else None


async def _contract_contents(database: Database, tenant: UUID, decision: Decision, name: str) -> list[bytes]:
    """What the build holds of a contract, files and publications; without a build what is published under its name."""
    bare, _, version = name.partition("@")
    digests: list[bytes] = []
    if decision.build is not None:
        try:
            build = await read_build(database, tenant, decision.build)
        except InterlockError:
            return []
        digests = [bytes.fromhex(one.sha256) for one in build.published if (one.name, one.version) == (bare, version)]
        digests += [
            bytes.fromhex(file.sha256)
            for path, file in build.files.items()
            if path.endswith(_CONTRACT_SUFFIX) and path.rpartition("/")[2].startswith(f"{bare}@")
        ]
    else:
        async with database.tenant(tenant) as connection:
            versions = await LIST_PUBLISHED.all(connection, {"kind": Published.CONTRACT, "name": bare})
        digests = [one.digest for one in versions if one.version == version]
    found = [await content_of(database, tenant, digest, Published.CONTRACT, bare) for digest in digests]
    return [one for one in found if one is not None]


def kept_of(decision: Decision, contents: Contents) -> tuple[Kept, Declaration | None]:
    """What judged a decision, read; what is not at hand is said. Pure."""
    lacking: list[str] = []
    declaration = _declaration(contents.declaration)
    point = declaration.decisions.get(decision.point) if declaration is not None else None
    if point is None:
        sha = decision.declaration.hex()
        lacking.append(f"The workflow's file with the SHA-256 {sha} is not at hand, so its terms cannot be tried.")
    tables: dict[str, KeptTable] = {}
    for name, content in contents.tables.items():
        try:
            tables[name] = read_table(content, name)
        except InterlockError as cause:
            lacking.append(f"The table {name} cannot be loaded by this release: {cause.what}.")
    contracts: dict[str, Contract] = {}
    for name, candidates in contents.contracts.items():
        found = _contract(name, candidates)
        if found is not None:
            contracts[name] = found
    return Kept(point=point, tables=tables, contracts=contracts, lacking=tuple(lacking)), declaration


def _declaration(content: bytes | None) -> Declaration | None:
    if content is None:
        return None
    try:
        return read_declaration(content, "the workflow's file")
    except InterlockError:
        return None


def _contract(name: str, candidates: Iterable[bytes]) -> Contract | None:
    for content in candidates:
        try:
            contract = parse_contract(content, name)
        except InterlockError:
            continue
        if contract.reference == name:
            return contract
    return None
