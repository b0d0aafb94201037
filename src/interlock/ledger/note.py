"""Signed notes, the form in which a checkpoint is signed, and the keys that sign them. Pure.

Source: C2SP signed-note (c2sp.org/signed-note), with Ed25519 signatures (RFC 8032). A note is a text that ends with a
new line, an empty line, and one line a signature: ``— NAME BASE64(key id || signature)``. A key's id is the first four
bytes of SHA-256(NAME, new line, 0x01, public key). A verifier's key is written ``NAME+KEYID+BASE64(0x01 || public
key)``, a signer's ``PRIVATE+KEY+NAME+KEYID+BASE64(0x01 || seed)``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.errors import Refused

ED25519 = b"\x01"
DASH = "\u2014 "
_SIGNER = "PRIVATE+KEY+"
_KEY_BYTES = 33
_LONGEST_NAME = 200
_MOST_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key, by which anybody checks a note.

    Attributes:
        name: Whose it is: the origin of the log.
        public: 32 bytes.
    """

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes, which stand before its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature, 64 bytes, of a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class SignerKey:
    """A key that signs. Its seed is in no message and in no representation."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.verifier = VerifierKey(name, self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"<signer {self.verifier}>"

    def written(self) -> str:
        """The key as it is kept: a secret."""
        verifier = self.verifier
        return f"{_SIGNER}{verifier.name}+{verifier.id.hex()}+{base64.b64encode(ED25519 + self._seed).decode()}"

    def line(self, text: str) -> str:
        """The line that signs a text."""
        signed = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{DASH}{self.verifier.name} {signed}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note.

    Attributes:
        name: Whose.
        key: The key's id, 4 bytes.
        signature: What it signed with.
    """

    name: str
    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A signed text.

    Attributes:
        text: What is signed; ends with a new line.
        signatures: The lines under it, whoever they are of.
    """

    text: str
    signatures: tuple[Signature, ...]

    def signers(self, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Those of the keys that signed it. A line of a known key that does not verify is nobody's."""
        return tuple(
            key
            for key in keys
            if any(
                one.name == key.name and one.key == key.id and key.verifies(self.text, one.signature)
                for one in self.signatures
            )
        )


def check_origin(name: str) -> str:
    """See that a name can be a key's: one word without a plus.

    Raises:
        Refused: it cannot.
    """
    if not name or len(name) > _LONGEST_NAME or "+" in name or not name.isprintable() or " " in name:
        raise Refused(f"{name[:80]!r} is no name of a log", todo="write one word without +, as ledger.example.com/prod")
    return name


def sign_note(text: str, signers: Sequence[SignerKey]) -> str:
    """A note with a signature of each key, in their order."""
    return f"{text}\n{''.join(signer.line(text) for signer in signers)}"


def read_note(note: str) -> Note:
    """A note's text and signatures; nothing is verified.

    Raises:
        Refused: it is no signed note.
    """
    text, found, lines = note.rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise Refused("it is no signed note", todo="it ends with an empty line and lines that begin with a dash")
    signed = lines.split("\n")[:-1]
    if not 0 < len(signed) <= _MOST_SIGNATURES:
        raise Refused("a note has one to a hundred signatures")
    return Note(f"{text}\n", tuple(map(_signature, signed)))


def read_verifier(text: str) -> VerifierKey:
    """A verifier's key as it is written.

    Raises:
        Refused: it is none, or its id is another key's.
    """
    name, key_id, public = _read_key(text.strip())
    key = VerifierKey(name, public)
    if key.id.hex() != key_id:
        raise Refused("the key's id is another key's", todo="take the whole key from where it was published")
    return key


def read_signer(text: str) -> SignerKey:
    """A signer's key as it is kept; its text is in no message.

    Raises:
        Refused: it is none, or its id is another key's.
    """
    written = text.strip()
    if not written.startswith(_SIGNER):
        raise Refused("it is no signer's key", todo=f"it begins with {_SIGNER}; `interlock ledger keygen` makes one")
    name, key_id, seed = _read_key(written.removeprefix(_SIGNER))
    key = SignerKey(name, seed)
    if key.verifier.id.hex() != key_id:
        raise Refused("the key's id is another key's", todo="take the whole key from where it is kept")
    return key


def _read_key(text: str) -> tuple[str, str, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError as cause:  # no base64, or no ASCII
        raise Refused("it is no key", todo="write NAME+ID+BASE64, as it was printed") from cause
    if len(data) != _KEY_BYTES or data[:1] != ED25519:
        raise Refused("it is no Ed25519 key", todo="write NAME+ID+BASE64, as it was printed")
    return check_origin(name), key_id, data[1:]


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError as cause:
        raise Refused("a line under the note is no signature") from cause
    if not line.startswith(DASH) or not name or len(data) <= 4:  # noqa: PLR2004 - the key's id
        raise Refused("a line under the note is no signature")
    return Signature(name, data[:4], data[4:])
