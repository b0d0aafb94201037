"""Files as drafts, and published content as what decides. Pure: the bytes are given."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from interlock.components.rules import Rules, load_rules
from interlock.contracts import Contract, Status, parse_contract
from interlock.errors import ContractInvalid, PublicationUnusable, Refused, RulesInvalid, Violation
from interlock.publications.publication import LARGEST_FILE, Draft, Kind, Publication, check_name, check_version

Loaded: TypeAlias = Rules | Contract
RULES_SUFFIX = ".rules.json"
CONTRACT_SUFFIX = ".odcs.yaml"
_USABLE = (Status.ACTIVE, Status.DEPRECATED)


def draft_rules(data: bytes, file: str) -> tuple[Draft, Rules]:
    """Rules that may be published: they load, they have examples, every example passes, name and version are usable.

    Args:
        data: The file's bytes.
        file: Its name; one like ``approve@1.1.rules.json`` must say what the file itself says.

    Raises:
        RulesInvalid: everything that is wrong with the tables and their examples.
        Refused: the version or the name cannot be published.
    """
    _check_size(data, file)
    rules = load_rules(data, file)
    if not rules.header.examples:
        wrong = Violation(
            where=f"{file}: interlock.examples",
            what="there is no example",
            rule="example",
            todo="add inputs with the outputs that they must give",
        )
        raise RulesInvalid("rules without an example are not published", (wrong,), where=file)
    name = check_name(rules.ref.name, f"{file}: interlock.name")
    version = check_version(rules.ref.version, f"{file}: interlock.version")
    _check_file_name(file, RULES_SUFFIX, name, version)
    return Draft(kind=Kind.RULES, name=name, version=version, content=data, file=file), rules


def draft_contract(data: bytes, file: str) -> tuple[Draft, Contract]:
    """A contract that may be published: it is valid, and active or deprecated.

    Args:
        data: The file's bytes.
        file: Its name; one like ``receipt@1.odcs.yaml`` must say what the file itself says.

    Raises:
        ContractInvalid: everything that is wrong with it.
        Refused: the name cannot be published.
    """
    _check_size(data, file)
    contract = parse_contract(data, file)
    if contract.status not in _USABLE:
        wrong = Violation(where=file, what=f"its status is {contract.status}", rule="status", todo="make it active")
        raise ContractInvalid(f"{contract.reference} may not be used yet, or any more", (wrong,), where=file)
    name, version = check_name(contract.name, file), str(contract.version)
    _check_file_name(file, CONTRACT_SUFFIX, name, version)
    return Draft(kind=Kind.CONTRACT, name=name, version=version, content=data, file=file), contract


def load_published(kind: Kind, name: str, version: str, digest: bytes, content: bytes) -> Loaded:
    """What was published, ready to decide.

    Raises:
        PublicationUnusable: it is not what was published, or this program cannot load it.
    """
    what = f"{kind} {name}@{version}, which is published,"
    if hashlib.sha256(content).digest() != digest:
        raise PublicationUnusable(f"{what} is not the content that was published", todo="restore the database")
    try:
        loaded: Loaded = (
            load_rules(content, f"{name}@{version}{RULES_SUFFIX}")
            if kind is Kind.RULES
            else parse_contract(content, f"{name}@{version}{CONTRACT_SUFFIX}")
        )
    except Exception as cause:
        raise PublicationUnusable(
            f"{what} cannot be loaded by this process: {type(cause).__name__}: {str(cause)[:2000]}",
            todo="bring this process to the release that published it, or revert the line",
        ) from cause
    found = (loaded.ref.name, loaded.ref.version) if isinstance(loaded, Rules) else (loaded.name, str(loaded.version))
    if found != (name, version):
        raise PublicationUnusable(f"{what} says of itself that it is {'@'.join(found)}", todo="publish it again")
    return loaded


def load_published_rules(publication: Publication, content: bytes) -> Rules:
    """Published rules, ready to decide.

    Raises:
        PublicationUnusable: it is not what was published, or this program cannot load it.
    """
    loaded = load_published(publication.kind, publication.name, publication.version, publication.digest, content)
    if not isinstance(loaded, Rules):
        raise PublicationUnusable(f"{publication.reference} is a contract, not rules")
    return loaded


def _check_size(data: bytes, file: str) -> None:
    if len(data) > LARGEST_FILE:
        raise Refused(
            f"the file has {len(data):,} bytes", where=file, todo=f"at most {LARGEST_FILE:,} bytes are published"
        )


def _check_file_name(file: str, suffix: str, name: str, version: str) -> None:
    """A file that is named like a version holds that version, or is of that line."""
    stem = file.rpartition("/")[2].removesuffix(suffix)
    said, mark, whole = stem.partition("@")
    if mark and file.endswith(suffix) and (said != name or not f"{version}.".startswith(f"{whole}.")):
        raise Refused(
            f"the file is named {stem[:100]!r} and holds {name}@{version}",
            where=file,
            todo=f"name it {name}@{version}{suffix}, or mend what it says",
        )
