"""A log to be verified, built from the definitions of RFC 9162 as they stand there, recursive and slow; its bundles.

It shares nothing with the server's tree nor with the verifier: where all three agree, all three are right.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock_verify.check import Findings, check_bundle
from interlock_verify.checkpoint import Trust
from interlock_verify.note import read_key

ORIGIN = "ledger.example.com/prod"
TENANT = str(UUID(int=7))


def mth(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) of section 2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) of section 2.1.4.1."""
    return _subproof(m, leaves, whole=True)


def _subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


class Signer:
    """A key that signs notes."""

    def __init__(self, seed: int = 1, name: str = ORIGIN) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]

    def __str__(self) -> str:
        typed = b"\x01" + self.public
        return f"{self.name}+{self.id.hex()}+{text(typed)}"

    def line(self, body: str) -> str:
        """A signature line."""
        return f"\u2014 {self.name} {text(self.id + self._key.sign(body.encode()))}\n"


def text(data: bytes) -> str:
    """Bytes in base64."""
    return b64encode(data).decode()


@dataclass
class Log:
    """A log of a few entries.

    Attributes:
        signers: Who signs its checkpoints.
        leaves: Their exact texts.
        records: The records by index.
    """

    signers: list[Signer] = field(default_factory=lambda: [Signer()])
    leaves: list[str] = field(default_factory=list[str])
    records: dict[int, str] = field(default_factory=dict[int, str])

    def grow(self, number: int) -> Log:
        """Take so many more decisions."""
        for _ in range(number):
            index = len(self.leaves)
            decision, case = str(UUID(int=1000 + index)), str(UUID(int=500 + index))
            said = {
                "case_id": case,
                "decided_at": f"2026-05-01T10:00:{index % 60:02}Z",
                "id": decision,
                "output": text(b"out"),
                "output_hash": hashlib.sha256(b"out").hexdigest(),
                "route": "automatic",
                "tenant": TENANT,
                "vendor": "Kedai Sè",
            }
            record = canonical(said)
            self.records[index] = record
            self.add(
                at=f"2026-05-01T10:00:{index % 60:02}.000000Z",
                case=case,
                id=str(UUID(int=9000 + index)),
                subject=decision,
                body={
                    "confidence": 0.97,
                    "exposure": "12.30 MYR",
                    "output_hash": text(hashlib.sha256(b"out").digest()),
                    "route": "automatic",
                    "record": self.digest(record),
                },
            )
        return self

    def add(self, **said: Any) -> None:
        """Add one leaf; what is not said is that of a decision."""
        self.leaves.append(canonical({"kind": "decision.taken", "tenant": TENANT, "v": 1, **said}))

    @staticmethod
    def digest(record: str) -> str:
        """A record's hash, as an entry holds it."""
        return hashlib.sha256(record.encode()).hexdigest()

    def data(self, size: int | None = None) -> list[bytes]:
        """The leaves' bytes."""
        return [leaf.encode() for leaf in self.leaves[:size]]

    def note(self, size: int | None = None, *extensions: str, signers: list[Signer] | None = None) -> str:
        """A signed checkpoint."""
        data = self.data(size)
        body = "".join(f"{line}\n" for line in (ORIGIN, len(data), text(mth(data)), *extensions))
        return body + "\n" + "".join(one.line(body) for one in signers or self.signers)

    def entry(self, index: int) -> dict[str, Any]:
        """An entry of a bundle."""
        return {
            "index": index,
            "leaf": self.leaves[index],
            "proof": [text(one) for one in path(index, self.data())],
            "record": self.records.get(index),
        }

    def bundle(self, *indexes: int, earlier: int | None = None, rotations: tuple[str, ...] = ()) -> dict[str, Any]:
        """A bundle of these entries, or of all."""
        return {
            "format": "interlock-bundle-1",
            "origin": ORIGIN,
            "checkpoint": self.note(),
            "entries": [self.entry(one) for one in indexes or range(len(self.leaves))],
            "earlier": None
            if earlier is None
            else {
                "checkpoint": self.note(earlier),
                "consistency": [text(one) for one in proof(earlier, self.data())] if earlier else [],
            },
            "rotations": list(rotations),
        }


def canonical(value: object) -> str:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def lines(bundle: dict[str, Any]) -> bytes:
    """A bundle as JSON lines."""
    header = {key: value for key, value in bundle.items() if key != "entries"}
    return b"".join(canonical(one).encode() + b"\n" for one in (header, *bundle["entries"]))


def trust(*signers: Signer) -> Trust:
    """Trust in these, or in the first signer."""
    return Trust.of(read_key(str(one)) for one in signers or (Signer(),))


def check(bundle: dict[str, Any] | bytes, *signers: Signer, **more: Any) -> Findings:
    """What the verifier finds in a bundle."""
    data = bundle if isinstance(bundle, bytes) else canonical(bundle).encode()
    return check_bundle(BytesIO(data), trust(*signers), **more)
