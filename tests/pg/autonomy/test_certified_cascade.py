"""A cascade under one certificate: its loss is bounded as a whole, whoever of it answered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, Made, known_truth, place, put

from interlock.autonomy.certificate import share_allowed
from interlock.autonomy.issuing.duty import derive_now
from interlock.db.database import Database

LARGE = bytes(31) + b"\1"
LOSS = 2000
"""Of each wrong answer, in cents; the budget of a decision is 40."""
PASSED = msgspec.json.encode([{"digest": DIGEST.hex(), "became": "unsure", "confidence": 0.6}])


def asked_in_turn(number: int, hard: int) -> Iterator[Made]:
    """Decisions of a light component, 1 in 1000 wrong, but each so manieth of a capable one, 5 in 100 wrong."""
    for at, one in enumerate(known_truth(datetime.now(UTC), number, wrong=0.0)):
        light = Made(at=one.at, confidence=0.99, right=at % 1000 != 1)
        capable = Made(at=one.at, confidence=0.97, right=at // hard % 100 >= 5, digest=LARGE, attempts=PASSED)
        yield capable if at % hard == 0 else light


@pytest.mark.parametrize(("hard", "both"), [(10, True), (2, False)])
async def test_what_all_of_it_lose_together_stays_within_the_budget(
    database_url: str, database: Database, tenant: UUID, hard: int, *, both: bool
) -> None:
    """A capable component that is within the budget for few of the decisions is not for half of them."""
    it = place(tenant, components={DIGEST.hex(): "onnx:light@1", LARGE.hex(): "onnx:capable@1"})
    made = list(asked_in_turn(4000, hard))
    put(database_url, it, made)
    derived = await derive_now(database, it, None, who="olga")
    certificate = derived.certificate
    assert certificate is not None
    allowed = share_allowed(Fraction(certificate.threshold), LOSS)
    needed = {bytes.fromhex(one.digest): one.needed(allowed) for one in certificate.components}
    alone = [one for one in made if (least := needed.get(one.digest)) is not None and one.confidence >= least]
    assert {one.digest for one in alone} == ({DIGEST, LARGE} if both else {DIGEST})
    assert sum(LOSS for one in alone if not one.right) / len(made) <= 40
    assert sum(LOSS for one in made if not one.right) / len(made) <= 40 or not both
    assert certificate.automation == pytest.approx(len(alone) / len(made), abs=0.02)
