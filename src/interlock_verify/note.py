"""Signed notes and verifier keys as in C2SP signed-note (https://c2sp.org/signed-note).

Ed25519 signatures only (type 0x01). A signature by a key that is not trusted says nothing and is passed over; one by a
trusted key must be right.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from interlock_verify import ed25519
from interlock_verify.refusal import Unproved, Unreadable, plain

MOST_NOTE_BYTES = 1 << 20
MOST_SIGNATURES = 100
_ED25519 = b"\x01"
_SIGNED = "\u2014 "
_ID_BYTES = 4
_KEY_PARTS = 3
_ID = re.compile(r"[0-9a-f]{8}\Z")


@dataclass(frozen=True)
class Key:
    """A verifier key: its name, which is the log's, its id of four bytes, and the Ed25519 public key of 32."""

    name: str
    id: bytes
    public: bytes

    def __str__(self) -> str:
        return f"{plain(self.name)}+{self.id.hex()}"


Keys = Mapping[tuple[str, bytes], Key]
"""Keys by name and id, as signatures name them."""


@dataclass(frozen=True)
class Signature:
    """One signature line of a note: who says to have signed, with which key, and the signature's bytes."""

    name: str
    id: bytes
    data: bytes


@dataclass(frozen=True)
class Note:
    """A signed text with its last newline, and its signatures, not verified yet; there is at least one."""

    text: str
    signatures: tuple[Signature, ...]

    def signers(self, keys: Keys) -> tuple[Key, ...]:
        """The trusted keys that have signed.

        Raises:
            Unproved: None has, or one of them has not signed this text.
        """
        found: dict[tuple[str, bytes], Key] = {}
        for one in self.signatures:
            key = keys.get((one.name, one.id))
            if key is None:
                continue
            if not ed25519.verify(key.public, self.text.encode(), one.data):
                raise Unproved(f"the signature of {key} is not one of this text: it was changed", "signature")
            found[one.name, one.id] = key
        if not found:
            names = ", ".join(f"{plain(one.name)}+{one.id.hex()}" for one in self.signatures[:4])
            raise Unproved(f"no key that you trust has signed it; it bears the names {names}", "signature")
        return tuple(found.values())


def read_key(text: str) -> Key:
    """A verifier key from its text: name, id in hexadecimal, and type and key in base64, joined by ``+``.

    Raises:
        Unreadable: It is none, or its id is not that of its key.
    """
    parts = text.strip().split("+", _KEY_PARTS - 1)
    if len(parts) != _KEY_PARTS or not _is_name(parts[0]) or not _ID.match(parts[1]):
        raise Unreadable(f"'{plain(text)}' is no verifier key: NAME+8 hexadecimal digits+base64")
    name, key_id, data = parts[0], bytes.fromhex(parts[1]), exact_base64(parts[2])
    if data[:1] != _ED25519 or not ed25519.is_key(data[1:]):
        raise Unreadable(f"'{plain(text)}' holds no usable Ed25519 key (type 01 and a point of full order)")
    if sha256(name.encode() + b"\n" + data).digest()[:_ID_BYTES] != key_id:
        raise Unreadable(f"'{plain(text)}' is damaged: its id is not that of its name and key")
    return Key(name, key_id, data[1:])


def read_note(text: str) -> Note:
    """A note from its text.

    Raises:
        Unreadable: It is no signed note.
    """
    if len(text) > MOST_NOTE_BYTES:
        raise Unreadable(f"a note of more than {MOST_NOTE_BYTES} characters")
    if any(c < " " and c != "\n" for c in text) or not is_unicode(text):
        raise Unreadable("a note holds a control character or half a character")
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not body or not tail.endswith("\n"):
        raise Unreadable("a note is text, an empty line, and signature lines, each with its newline")
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise Unreadable(f"a note of more than {MOST_SIGNATURES} signatures")
    return Note(body + "\n", tuple(_read_signature(line) for line in lines))


def exact_base64(text: str) -> bytes:
    """Bytes from base64 (RFC 4648, section 4), if they are written in the only way; else ``Unreadable``."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(f"'{plain(text)}' is no base64") from None
    if binascii.b2a_base64(data, newline=False).decode() != text:  # bits that do not count, set
        raise Unreadable(f"'{plain(text)}' is base64 that could be written otherwise")
    return data


def is_unicode(text: str) -> bool:
    """Whether text can be written in UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_signature(line: str) -> Signature:
    if not line.startswith(_SIGNED):
        raise Unreadable(f"'{plain(line)}' is no signature line")
    name, space, data = line[len(_SIGNED) :].partition(" ")
    if not space or not _is_name(name):
        raise Unreadable(f"'{plain(line)}' is no signature line")
    signature = exact_base64(data)
    if len(signature) <= _ID_BYTES:
        raise Unreadable(f"'{plain(line)}' is no signature line: its signature is empty")
    return Signature(name, signature[:_ID_BYTES], signature[_ID_BYTES:])


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(c.isspace() for c in text) and is_unicode(text)
