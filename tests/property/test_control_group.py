"""The control group: the declared share is kept, a case's group never changes, and nothing is automated by it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.autonomy.control.terms import ControlStep, ControlTerms, lot_of

START = datetime(2026, 1, 1, tzinfo=UTC)
SHARES = st.fractions(min_value=Fraction(1, 100), max_value=1, max_denominator=100)
KEYS = st.binary(min_size=32, max_size=32)
TRIES = 1000


def steps(*shares: Fraction) -> ControlTerms:
    return ControlTerms(steps=tuple(ControlStep(START + timedelta(days=at), one) for at, one in enumerate(shares)))


@given(key=KEYS, share=SHARES, salt=st.integers(0, 1 << 100))
def test_the_share_is_kept(key: bytes, share: Fraction, salt: int) -> None:
    terms = steps(share)
    lots = [lot_of(terms, key, UUID(int=salt + at), START) for at in range(TRIES)]
    drawn = sum(lot is not None and lot.is_control for lot in lots)
    assert abs(drawn - TRIES * share) <= 7 * math.sqrt(TRIES * share * (1 - share)) + 1


@given(key=KEYS, subject=st.uuids(), shares=st.lists(SHARES, min_size=1, max_size=4), days=st.integers(-2, 6))
def test_a_case_keeps_the_group_of_the_day_on_which_it_began(
    key: bytes, subject: UUID, shares: list[Fraction], days: int
) -> None:
    began = START + timedelta(days=days)
    lot = lot_of(steps(*shares), key, subject, began)
    if days < 0:
        assert lot is None
        return
    assert lot is not None
    place = min(days, len(shares) - 1)
    assert (lot.share, lot.step) == (shares[place], START + timedelta(days=place))
    # whatever follows in the file later says nothing of it
    assert lot == lot_of(steps(*shares[: place + 1]), key, subject, began)
    later = lot_of(steps(*shares, Fraction(1, 100)), key, subject, began)
    assert later == lot or days >= len(shares)
    smaller = lot_of(steps(lot.share / 2), key, subject, START)
    assert smaller is not None
    assert lot.is_control or not smaller.is_control  # a smaller share draws nobody who was not drawn
    ended = ControlTerms(steps=(ControlStep(START, Fraction(1)),), until=began)
    assert lot_of(ended, key, subject, began) is None
