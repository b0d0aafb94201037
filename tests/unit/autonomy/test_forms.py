"""Certificates of other forms: an older one counts for what it says, a newer one is refused."""

from __future__ import annotations

import hashlib
import sys
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import certificate, certified
from tests.pg.deciding import place, terms

from interlock.autonomy.certificate import FORMAT, Begins, Certificate, read_certificate
from interlock.autonomy.issuing.derive import stated_terms
from interlock.autonomy.issuing.show import stand_of
from interlock.autonomy.issuing.store import Stands
from interlock.autonomy.issuing.verify import place_then
from interlock.autonomy.standing import Standing
from interlock.autonomy.store import AutonomyState, StoredCertificate
from interlock.autonomy.watch import held_to, opened
from interlock.errors import StateConflict

OLDER = Path(__file__).with_name("certificate_form_1.json").read_bytes()
"""As the first version that issued certificates wrote it, byte for byte."""
OLDER_DIGEST = "48dc7b791d5b716608f9001f3627a3cb44c1622c3287da1f7bec060a68b6f353"
TENANT = UUID(int=7)


def found(content: bytes) -> Certificate | str:
    stored = StoredCertificate(id=UUID(int=1), digest=hashlib.sha256(content).digest(), content=content)
    return opened(stored, TENANT, "approve", "approve")


def newer(content: bytes) -> bytes:
    said = msgspec.json.decode(content) | {"format": "interlock-certificate/3", "only_before_noon": True}
    return msgspec.json.encode(said, order="sorted")


def test_one_of_the_first_form_counts_for_what_it_says_under_the_address_of_then() -> None:
    read = found(OLDER)
    assert isinstance(read, Certificate)
    assert (read.content, read.digest.hex()) == (OLDER, OLDER_DIGEST)
    assert (read.threshold, read.tries, read.begins) == ("275/2", 2, None)
    then = place_then(read, None)
    assert then.terms.digest.hex() == read.terms_digest
    counts = held_to(then.terms, read.point_digest, read, UUID(int=1), 1, read.threshold)
    assert isinstance(counts, Standing)
    assert counts.threshold == Fraction(275, 2)


def test_what_the_form_of_then_could_not_say_is_told_from_what_was_issued() -> None:
    added = msgspec.json.encode(msgspec.json.decode(OLDER) | {"begins": None}, order="sorted")
    assert "another version of Interlock" in str(found(added))
    read = read_certificate(OLDER)
    begins = Begins(at=read.issued_at, why="it was taken back", who="monitor")
    now = msgspec.structs.replace(read, format=FORMAT, begins=begins)
    assert read_certificate(now.content) == now
    assert found(now.content) == now


def test_one_of_a_newer_form_is_refused_and_named() -> None:
    made = certificate(TENANT, terms(), [certified("ab" * 32)])
    with pytest.raises(StateConflict, match=r"of the form 'interlock-certificate/3', and this version of Interlock"):
        read_certificate(newer(made.content))
    assert "interlock-certificate/3" in str(found(newer(made.content)))
    stands = Stands(
        id=UUID(int=3), workflow="approve", point="approve", turn=1, state=AutonomyState.CERTIFIED,
        certificate=UUID(int=2), threshold="275", valid_until=made.valid_until, why="certified", who="olga",
        changed_at=made.issued_at, tried_at=None, refused=None, content=newer(made.content), counted=0, lost_minor=0,
        evidence=1.0, crossed_at=None, ended_at=None,
    )  # fmt: skip
    shown = stand_of(("approve", "approve"), place(TENANT), stands, made.issued_at)
    assert (shown.state, shown.lets_go) == ("unread", False)
    assert "interlock-certificate/3" in shown.why


@pytest.mark.parametrize("risk", [0.05, "1/0", "half", None])
def test_terms_that_are_none_are_refused_as_such(risk: object) -> None:
    held = read_certificate(OLDER).terms
    with pytest.raises(msgspec.ValidationError):
        stated_terms(held | {"risk": risk})
