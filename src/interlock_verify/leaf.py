"""A leaf: one entry of the ledger, and the record that it vouches for."""

import re
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from interlock_verify.note import exact_base64
from interlock_verify.refusal import Unproved, Unreadable, plain
from interlock_verify.strict_json import a_moment, a_text, an_object, read_json

_KEYS = ("at", "body", "case", "id", "kind", "subject", "tenant", "v")
_VERSION = 1
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_HEX_HASH = re.compile(r"[0-9a-f]{64}\Z")
_BASE64_HASH = re.compile(r"[A-Za-z0-9+/]{43}=\Z")
_RECORD = "record"
_HASH = "_hash"
_ALIKE = ("build", "component", "component_digest", "declaration", "route")
_HASHED = ("input", "output", "facts")


@dataclass(frozen=True)
class Leaf:
    """One entry, as it was sealed: whose it is, what happened to what, in which case if any, when, and the facts."""

    id: str
    tenant: str
    kind: str
    subject: str
    case: str | None
    at: str
    body: dict[str, object]


def read_leaf(text: str) -> Leaf:
    """An entry from its leaf's exact text.

    Raises:
        Unreadable: It is none of the form that this verifier knows.
    """
    held = an_object(read_json(text), "the leaf", _KEYS)
    if held["v"] != _VERSION or isinstance(held["v"], bool):
        raise Unreadable(f"the leaf is of version {plain(str(held['v']))}; this verifier knows {_VERSION}")
    if not isinstance(held["body"], dict):
        raise Unreadable("the leaf's body is not an object")
    at = a_text(held["at"], "the leaf's time")
    a_moment(at, "the leaf's time")
    return Leaf(
        id=_uuid(held["id"], "the leaf's id"),
        tenant=_uuid(held["tenant"], "the leaf's tenant"),
        kind=a_text(held["kind"], "the leaf's kind"),
        subject=_uuid(held["subject"], "the leaf's subject"),
        case=None if held["case"] is None else _uuid(held["case"], "the leaf's case"),
        at=at,
        body=cast("dict[str, object]", held["body"]),
    )


def check_record(leaf: Leaf, record: str) -> None:
    """Check that a record, its exact text, is the one that a leaf vouches for: by its hash, and by what both say.

    Raises:
        Unproved: It is another.
    """
    vouched = _hash(leaf.body.get(_RECORD))
    if vouched is None:
        raise Unproved("the entry vouches for no record, so that nothing proves the one beside it", "record")
    if sha256(record.encode()).digest() != vouched:
        raise Unproved("the record is not the one that was sealed: its hash is another", "record")
    try:
        value = read_json(record)
    except Unreadable as refused:
        raise Unproved(f"the record cannot be read: {refused}", "record") from None
    if not isinstance(value, dict):
        raise Unproved("the record is not an object", "record")
    _check_agreement(leaf, value)


def _check_agreement(leaf: Leaf, record: dict[str, object]) -> None:
    """Check that entry and record say the same of what both of them say."""
    for name, said in (("id", leaf.subject), ("tenant", leaf.tenant), ("case_id", leaf.case), ("case", leaf.case)):
        if name in record and record[name] != said:
            raise Unproved(
                f"the record's {name} is {plain(str(record[name]))}, the entry says {plain(str(said))}", "record"
            )
    if "decided_at" in record and a_moment(record["decided_at"], "the record's decided_at") != a_moment(leaf.at, "at"):
        raise Unproved(
            f"the record was decided at {plain(str(record['decided_at']))}, its entry at {leaf.at}", "record"
        )
    for name, said in leaf.body.items():
        alike = name in record and (name.endswith(_HASH) or name in _ALIKE)
        if alike and (_hash(record[name]) or record[name]) != (_hash(said) or said):
            raise Unproved(f"the record's {plain(name)} is not that of its entry", "record")
    for name in _HASHED:
        content, hashed = record.get(name), _hash(record.get(name + _HASH) or leaf.body.get(name + _HASH))
        if isinstance(content, str) and hashed and sha256(exact_base64(content)).digest() != hashed:
            raise Unproved(f"the record's {name} is not the one that its hash says", "record")


def _uuid(value: object, what: str) -> str:
    text = a_text(value, what)
    if not _UUID.match(text):
        raise Unreadable(f"{what} is '{plain(text)}', no UUID")
    return text


def _hash(value: object) -> bytes | None:
    """A SHA-256 from hexadecimal or base64; none where it is neither."""
    if not isinstance(value, str):
        return None
    if _HEX_HASH.match(value):
        return bytes.fromhex(value)
    return b64decode(value) if _BASE64_HASH.match(value) else None
