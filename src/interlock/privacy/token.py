"""Tokens: what stands in the place of a personal value wherever it is stored. Pure.

A token is ``{personal:v1:KEY:DATA}``: the id of its subject's key, and under that key the field's place, the purposes
for which it may be read, and its value. It is made without chance: the nonce is a keyed hash of what is encrypted (as
in SIV, RFC 5297), so the same value in the same field of the same subject is the same token, and two share a nonce
only by a chance of 2**-48 at 16 million values of one subject. docs/decisions/0012 says why, and what that shows.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from typing import Any, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.contracts import canonical
from interlock.privacy.keys import NONCE_BYTES, derive

MARKER = "{personal:v1:"
"""With what every token begins."""
MARKER_BYTES = MARKER.encode()
HIDDEN = "(personal)"
"""What is shown instead of a personal value."""
TOKEN = re.compile(r"\{personal:v1:([A-Za-z0-9_-]{22}):([A-Za-z0-9_-]{80,})\}")
TOKEN_BYTES = re.compile(TOKEN.pattern.encode())
_BLOCK = 32
"""Values are padded to a multiple of it, so that a token tells little about how long its value is."""


class TokenUnusable(Exception):
    """A token does not open under its key: it is another tenant's, was changed, or never was one."""


class Opened(msgspec.Struct, frozen=True):
    """What a token holds.

    Attributes:
        place: The field's path as a JSON Pointer, ``*`` for the items of an array.
        purposes: For what it may be read.
        value: The field's value, JSON.
    """

    place: str
    purposes: tuple[str, ...]
    value: Any


class SubjectKey:
    """The key of one person.

    Args:
        key_id: Its id.
        tenant: Whose data.
        key: 32 random bytes.
    """

    def __init__(self, key_id: UUID, tenant: UUID, key: bytes) -> None:
        self.id = key_id
        self._cipher = AESGCM(derive(key, b"encrypt"))
        self._nonces = derive(key, b"nonce")
        self._about = tenant.bytes + key_id.bytes
        self._begins = f"{MARKER}{_text(key_id.bytes)}:"

    def token(self, place: str, purposes: tuple[str, ...], value: object) -> str:
        """The token of a value: the same for the same."""
        clear = canonical([place, list(purposes), value])
        clear = clear.ljust(-(-len(clear) // _BLOCK) * _BLOCK)
        nonce = hmac.digest(self._nonces, clear, "sha256")[:NONCE_BYTES]
        return f"{self._begins}{_text(nonce + self._cipher.encrypt(nonce, clear, self._about))}}}"

    def open(self, data: str) -> Opened:
        """What stands behind the second colon of a token.

        Raises:
            TokenUnusable: it was not made under this key.
        """
        try:
            sealed = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
            clear = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._about)
        except (InvalidTag, ValueError, binascii.Error) as cause:
            raise TokenUnusable("it does not open under its key") from cause
        place, purposes, value = cast("tuple[str, list[str], Any]", json.loads(clear))
        return Opened(place, tuple(purposes), value)


def key_id_of(text: str) -> UUID:
    """The id of the key that a token names: its first group."""
    return UUID(bytes=base64.urlsafe_b64decode(text + "=="))


def keys_in(data: bytes) -> frozenset[UUID]:
    """The keys that the tokens within some bytes name."""
    if MARKER_BYTES not in data:
        return frozenset()
    return frozenset(key_id_of(found[1].decode()) for found in TOKEN_BYTES.finditer(data))


def hide(data: bytes) -> bytes:
    """Bytes to be shown, without tokens: ``(personal)`` stands where they stood."""
    return TOKEN_BYTES.sub(HIDDEN.encode(), data) if MARKER_BYTES in data else data


def hide_in(text: str) -> str:
    """The same of a text."""
    return TOKEN.sub(HIDDEN, text) if MARKER in text else text


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
