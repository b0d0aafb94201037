"""What conditions mean: spans of terms, bounds of ids; what cannot be meant is refused with what would be right."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from interlock.clock import first_id
from interlock.contracts.searchable import Searchable
from interlock.errors import InterlockError, Refused
from interlock.search.entry import SearchField, digests_of, terms_of
from interlock.search.term import PERSONAL_BYTE, key_of, kind_of, value_bytes
from interlock.search.wanted import LAST_ID, Wanted, wanted_of
from interlock.search.where import read_where

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def field(point: str, name: str, shape: str, *, personal: bool = False) -> SearchField:
    one = Searchable(name, tuple(name.split(".")), shape, personal)
    kind = kind_of(shape, personal=personal)
    return SearchField(name, one.path, shape, kind, key_of(point, name, kind))


def keyed(name: str, value: bytes) -> bytes:
    return hmac.digest(b"key", name.encode() + b"\0" + value, "sha256")


FIELDS = (
    field("w.p", "vendor", "string"),
    field("w.p", "total", "decimal"),
    field("w.p", "on", "date"),
    field("w.p", "at", "timestamp"),
    field("w.p", "paid", "boolean"),
    field("w.p", "who.email", "string", personal=True),
    field("w.p", "opens", "time"),
)
CATALOG = {"w.p": FIELDS, "w.q": (field("w.q", "vendor", "string"), field("w.q", "paid", "string"))}
VALUE: dict[str, Any] = {
    "vendor": "Äcme SDN", "total": "100.50", "on": "2026-11-01", "at": "2026-11-01T10:00:00+02:00", "paid": True,
    "who": {"email": "Ana@Example.com"}, "opens": "09:30:00",
}  # fmt: skip


def wanted(text: str, name: str | None = "w.p") -> Wanted:
    return wanted_of(read_where(text), name, CATALOG, now=NOW, keyed=keyed)


def holds(text: str) -> bool:
    """Whether a decision on VALUE has a term in one of the spans of every field."""
    terms = [*terms_of(FIELDS, VALUE, None, digests_of(FIELDS, VALUE, None, keyed)).values()]
    assert len(terms) == len(FIELDS)
    found = wanted(text)
    return all(any(s.low <= term < s.high for s in one.spans for term in terms) for one in found.fields)  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType, reportUnknownArgumentType]


@pytest.mark.parametrize(
    "text",
    [
        'vendor="äcme sdn"', 'vendor="A\u0308CME SDN"', "vendor^=äc", 'input.vendor="Äcme SDN"', "total=100.5",
        "total=100.500", "total>=100.50", "total<=100.50", "total>100.49 total<100.51", "total>-1", "on=2026-11-01",
        "on>=2026-11-01 on<=2026-11-01", "at=2026-11-01", "at=2026-11-01T08:00:00Z", "at>2026-10-31", "paid=true",
        "who.email=ana@example.com", "opens<=09:30:00", "total>=100 vendor^=Ä paid=true",
    ],
)  # fmt: skip
def test_what_holds_is_within(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "vendor=äcme", "vendor=%cme", "vendor^=cme", "total>100.50", "total<100.50", "total=100.51", "on>2026-11-01",
        "on<2026-11-01", "at=2026-11-02", "at<2026-11-01", "paid=false", "who.email=bob@example.com",
        "opens>09:30:00", "total>=100 total<100", "total>=100 vendor=other",
    ],
)  # fmt: skip
def test_what_does_not_hold_is_outside(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vendr=x", 'did you mean "vendor"'),
        ("nothing_like_it=x", "searchable fields: at, on, opens, paid, total, vendor, who.email"),
        ("total=ten", "is no number"),
        ("total=1e5", "is no number"),
        ("total^=1", "cannot be compared"),
        ("vendor>a", "cannot be compared"),
        ("on=2026-02-30", "is no time"),
        ("since=0001-01-01T00:00:00+10:00", "is no time"),
        ("paid=yes", "is no boolean"),
        ("who.email^=ana", "cannot be compared"),
        ("exposure>=50", "is no amount"),
        ("exposure>=50 exposure<=1e3", "is no amount"),
        ("confidence>=2", "is no confidence"),
        ("confidence=nan", "is no confidence"),
        ("route=revew", 'did you mean "review"'),
        ("since=yesterday", "is no time"),
        ("case=7", "is no id"),
        ("by=a by=b", "twice"),
        ("by>a", "cannot be compared"),
        (f"vendor^={'x' * 97}", "at most 96"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(InterlockError) as caught:
        wanted(text)
    assert told in f"{caught.value.what} {caught.value.todo}"


def test_a_field_is_looked_for_at_every_point_that_has_it() -> None:
    (one,) = wanted("vendor=x", None).fields
    assert [span.low[:8] for span in one.spans] == [FIELDS[0].key, CATALOG["w.q"][0].key]
    with pytest.raises(Refused, match="different kinds"):
        wanted("paid=true", None)
    assert wanted("", "w").workflow == "w"
    with pytest.raises(Refused, match="no workflow or decision point"):
        wanted("", "w.r")


def test_times_become_bounds_of_ids() -> None:
    found = wanted("since=7d until=2026-11-20 since=2026-11-18T12:00:00Z")
    assert (found.since, found.before) == (first_id(NOW - timedelta(days=2.5)), first_id(NOW - timedelta(days=1)))
    assert (wanted("").since, wanted("").before) == (UUID(int=0), LAST_ID)
    for long_ago in ("0001-01-01", "36500d", "1969-12-31T23:59:59Z"):
        assert wanted(f"since={long_ago}").since == UUID(int=0)
    assert wanted("until=9999-12-31").before == first_id(datetime(9999, 12, 31, tzinfo=UTC))


def test_the_last_day_of_all_is_a_day_like_others() -> None:
    (last,) = terms_of((FIELDS[2],), {"on": "9999-12-31"}, None).values()
    assert isinstance(last, bytes)
    for where, holding in (("on=9999-12-31", True), ("on<=9999-12-31", True), ("on>9999-12-31", False)):
        (one,) = wanted(where).fields
        assert (one.spans[0].low <= last < one.spans[0].high) is holding


def test_ranges_of_amounts_and_confidences_are_exact() -> None:
    found = wanted('exposure>"50 MYR" exposure<"100.00 MYR" confidence>0.5 confidence<=0.85')
    assert (found.currency, found.exposure) == ("MYR", (5001, 9999))
    assert found.confidence == (0.5000000000000001, 0.85)
    with pytest.raises(Refused, match="MYR and in EUR"):
        wanted('exposure>"50 MYR" exposure<"100.00 EUR"')


def test_a_personal_value_stands_nowhere_but_in_a_keyed_digest() -> None:
    found = wanted("who.email=ana@example.com")
    digest = keyed("who.email", value_bytes("string", "Ana@Example.com") or b"")
    assert found.digests == (digest,)
    assert found.fields[0].spans[0].low == FIELDS[5].key + digest
    assert FIELDS[5].key[0] == PERSONAL_BYTE
    assert all(one.key[0] < PERSONAL_BYTE for one in FIELDS if one is not FIELDS[5])
    assert "s6" not in terms_of(FIELDS, VALUE, None)  # without its digest it has no term at all
    with pytest.raises(Refused, match="no key"):
        wanted_of(read_where("who.email=a"), "w.p", CATALOG, now=NOW)
