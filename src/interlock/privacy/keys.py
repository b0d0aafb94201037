"""The keys: one master key of the installation, from it one a tenant, and one a person that is wrapped by it. Pure.

Sources: RFC 5869 (HKDF), NIST SP 800-38D (AES-GCM).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from interlock.errors import ConfigInvalid

KEY_BYTES = 32
NONCE_BYTES = 12
_ID_BYTES = 8


class KeyUnusable(Exception):
    """A wrapped key does not open: another master key wrapped it, or it is not what it was."""


def derive(key: bytes, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose, from another of 32 random bytes (RFC 5869, expand)."""
    return HKDFExpand(hashes.SHA256(), KEY_BYTES, b"interlock.privacy.1/" + purpose).derive(key)


class MasterKey:
    """The key of the installation.

    Args:
        key: 32 random bytes.

    Attributes:
        id: 8 bytes that tell it from others and say nothing of it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id = derive(key, b"id")[:_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Read one as ``written`` gives it.

        Raises:
            ConfigInvalid: it is none; it is not repeated in the message.
        """
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            todo = "make one: head -c 32 /dev/urandom | base64"
            raise ConfigInvalid("the master key of personal data is not 32 bytes in Base64", todo=todo)
        return cls(key)

    def for_tenant(self, tenant: UUID) -> TenantKey:
        """The key of a tenant."""
        return TenantKey(derive(self._key, b"tenant/" + tenant.bytes), tenant)


def written(key: bytes) -> str:
    """A master key as its file holds it."""
    return base64.b64encode(key).decode() + "\n"


class TenantKey:
    """Wraps the keys of one tenant.

    Args:
        key: 32 bytes.
        tenant: Whose.
    """

    def __init__(self, key: bytes, tenant: UUID) -> None:
        self._cipher = AESGCM(key)
        self._tenant = tenant

    def wrap(self, key: bytes, *, about: bytes, nonce: bytes) -> bytes:
        """A key, encrypted.

        Args:
            key: What to wrap.
            about: What it is the key of; the same must be said to unwrap it.
            nonce: 12 random bytes.
        """
        return nonce + self._cipher.encrypt(nonce, key, self._tenant.bytes + about)

    def unwrap(self, wrapped: bytes, *, about: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            KeyUnusable: it was wrapped under another key, for something else, or was changed.
        """
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._tenant.bytes + about)
        except (InvalidTag, ValueError) as cause:
            raise KeyUnusable("it does not open") from cause


def about_key(key_id: UUID, subject: bytes) -> bytes:
    """What a subject's key is bound to."""
    return b"subject/" + key_id.bytes + subject


ABOUT_SECRET = b"secret"
"""What a tenant's secret is bound to."""


class Secret:
    """The secret of a tenant: it makes digests that nobody can make without it.

    Args:
        key: 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._subjects = derive(key, b"subjects")
        self._values = derive(key, b"values")

    def subject(self, value: bytes) -> bytes:
        """The digest of a subject: 32 bytes.

        Args:
            value: The subject's value as canonical JSON.
        """
        return hmac.digest(self._subjects, value, "sha256")

    def value(self, field: str, value: bytes) -> bytes:
        """The digest by which a searchable personal value is found: 32 bytes.

        Args:
            field: Which field, in words that never change.
            value: The value as canonical JSON.
        """
        return hmac.digest(self._values, field.encode() + b"\0" + value, "sha256")
