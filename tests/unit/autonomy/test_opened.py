"""A certificate that was changed is told from one that another version wrote; neither lets anything go."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from uuid import UUID

import msgspec

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import certificate, certified
from tests.pg.deciding import terms

from interlock.autonomy.certificate import Certificate
from interlock.autonomy.store import StoredCertificate
from interlock.autonomy.watch import opened

TENANT = UUID(int=7)


def test_what_another_version_wrote_is_not_called_changed() -> None:
    made = certificate(TENANT, terms(), [certified("ab" * 32)])

    def found(content: bytes, digest: bytes) -> Certificate | str:
        stored = StoredCertificate(id=UUID(int=1), digest=digest, content=content)
        return opened(stored, TENANT, made.workflow, made.point)

    assert found(made.content, made.digest) == made
    older = msgspec.json.encode(msgspec.json.decode(made.content) | {"of_then": 1}, order="sorted")
    other = found(older, hashlib.sha256(older).digest())
    assert "another version of Interlock" in str(other)
    assert found(older, made.digest) == "its content is not what its digest says"
