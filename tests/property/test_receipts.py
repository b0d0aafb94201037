"""What holds for every receipt, however odd."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.components.component import Answer
from interlock.errors import ComponentFailed
from interlock.packs.receipts.amounts import amounts_of
from interlock.packs.receipts.checks import check
from interlock.packs.receipts.dates import date_of, find_dates
from interlock.packs.receipts.duplicates import fingerprint, near, near_keys, words_fingerprint
from interlock.packs.receipts.generate import generate
from interlock.packs.receipts.models import load_models
from interlock.packs.receipts.normalise import amount_of, amount_text, company_key, company_text
from interlock.packs.receipts.page import page_of
from interlock.packs.receipts.reading import read

RUN = load_models()
NOW = datetime(2026, 3, 10, tzinfo=UTC)

PIECES = st.sampled_from(
    [
        *(
            "TOTAL",
            "TOTAL :",
            "CASH",
            "CHANGE",
            "SUB TOTAL",
            "GST 6%",
            "ROUNDING",
            "RM",
            "$",
            "-",
            ":",
            "1",
            "7",
            "12.00",
        ),
        *(
            "0.00",
            ".40",
            "99.95",
            "100.00",
            "-5.09",
            "1.2.3",
            "01/02/2026",
            "31/02/2026",
            "20260201",
            "2 FEB 26",
            "12:30",
        ),
        *(
            "UNICORN SDN BHD",
            "(999199-V)",
            "NO.1 JALAN",
            "S$ 4.00",
            "&",
            "(",
            "\u0661\u0662.\u0663\u0664",
            "合計",
            "مجموع",
        ),
    ]
)
WORDS = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map(" ".join),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30),
)
EDGES = st.integers(0, 100_000)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES).map(
    lambda box: [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]
)
RECEIPTS = st.lists(st.tuples(WORDS, BOXES), min_size=1, max_size=60).map(
    lambda pairs: {
        "words": [word for word, _ in pairs],
        "bboxes": [box for _, box in pairs],
        "image_size": {"width": 900, "height": 2000},
    }
)
AMOUNTS = st.decimals(-99999, 99999, places=2)
DAYS = st.dates(date(2000, 1, 1), date(2079, 12, 31))
NAMES = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .&()-/", max_size=40)


@settings(max_examples=150, deadline=None)
@given(RECEIPTS)
def test_reading_answers_within_its_contract_or_fails_as_a_component(receipt: dict[str, Any]) -> None:
    try:
        answer = read(receipt, RUN)
    except ComponentFailed:
        return
    assert 0 <= answer.confidence <= 1
    assert amount_text(Decimal(answer.output["total"])) == answer.output["total"]
    assert date.fromisoformat(answer.output["date"])
    assert 0 < len(answer.output["company"]) <= 120
    assert answer.output["currency"] == "MYR"
    assert answer == read(receipt, RUN), "the same receipt, the same answer"
    for finding in check(receipt, answer, NOW):
        assert finding.what


@settings(max_examples=100, deadline=None)
@given(RECEIPTS, st.dictionaries(st.sampled_from(["company", "date", "total", "currency"]), st.text(max_size=12)))
def test_checks_are_total_whatever_a_component_answered(receipt: dict[str, Any], output: dict[str, Any]) -> None:
    try:
        page_of(receipt)
    except ComponentFailed:
        return
    for finding in check(receipt, Answer(output=output, confidence=0.5), NOW):
        assert finding.code


@given(AMOUNTS)
def test_amounts_survive_printing_and_reading(value: Decimal) -> None:
    assert amount_of(amount_text(value)) == value
    assert amount_of(f"RM {value:,.2f}") == value


@given(AMOUNTS.filter(lambda value: value >= 0))
def test_an_amount_on_a_page_is_found_exactly(value: Decimal) -> None:
    page = page_of({"words": ["TOTAL", f"{value:.2f}"], "bboxes": [[0, 0, 90, 30], [300, 0, 400, 30]]})
    assert [amount.value for amount in amounts_of(page)] == [value]


@given(DAYS, st.sampled_from(["%d/%m/%Y", "%d-%m-%Y", "%Y-%m-%d", "%d %b %Y", "%d/%b/%Y", "%Y%m%d", "%d.%m.%y"]))
def test_days_survive_printing_and_reading(day: date, form: str) -> None:
    assert date_of(day.strftime(form)) == day


@given(st.text(max_size=60))
def test_dates_lie_where_they_were_found(text: str) -> None:
    for found in find_dates(text):
        assert 0 <= found.start < found.end <= len(text)


@given(st.one_of(NAMES, st.text(max_size=40)))
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert company_text(company_text(name)) == company_text(name)
    assert company_key(company_key(name)) == company_key(name)
    assert company_key(company_text(name)) == company_key(name)


@given(st.lists(st.text(max_size=12), max_size=20), st.randoms(use_true_random=False))
def test_a_fingerprint_of_words_knows_no_order(words: list[str], random: Any) -> None:
    turned = list(words)
    random.shuffle(turned)
    assert words_fingerprint(turned) == words_fingerprint(words)


FIELDS = st.fixed_dictionaries({"company": NAMES, "date": DAYS.map(date.isoformat), "total": AMOUNTS.map(amount_text)})


@given(FIELDS, FIELDS)
def test_near_is_symmetric_and_holds_for_equals(first: dict[str, str], second: dict[str, str]) -> None:
    assert near(first, second) == near(second, first)
    if company_key(first["company"]):
        assert near(first, first)[0]
    assert fingerprint(first) == fingerprint(dict(first))


@given(FIELDS, st.integers(-1, 1), st.data())
def test_keys_meet_for_a_day_and_a_letter_of_difference(fields: dict[str, str], days: int, data: st.DataObject) -> None:
    name = company_key(fields["company"])
    if not name.isalpha():
        return
    place = data.draw(st.integers(0, len(name) - 1))
    misread = f"{name[:place]}{data.draw(st.sampled_from('HNQ'))}{name[place + 1 :]}"
    day = date.fromisoformat(fields["date"]) + timedelta(days=days)
    if not 2000 <= day.year <= 2079 or len(name) < 2:
        return
    other = {"company": misread, "date": day.isoformat(), "total": fields["total"]}
    assert set(near_keys({**fields, "company": name})) & set(near_keys(other))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 12))
def test_the_generator_repeats_itself(seed: int, count: int) -> None:
    today = date(2026, 3, 10)
    made = generate(seed, count, today=today)
    assert made == generate(seed, count, today=today)
    assert len({one["key"] for one in made}) == count
    assert made[: count // 2] == generate(seed, count // 2, today=today), "more receipts change none of the first"
