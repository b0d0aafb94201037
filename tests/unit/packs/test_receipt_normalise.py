"""One form for what is printed in many."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from interlock.packs.receipts.dates import Style, date_of, find_dates
from interlock.packs.receipts.normalise import amount_of, amount_text, company_key, company_text


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("31.00", "31.00"),
        ("RM 13.30", "13.30"),
        ("$8.20", "8.20"),
        ("1,007.50", "1007.50"),
        ("43.7", "43.70"),
        ("-1.73", "-1.73"),
        ("RM-0.20", "-0.20"),
        ("7", "7.00"),
    ],
)
def test_amounts_are_exact_whatever_sign_or_separator_they_bear(text: str, amount: str) -> None:
    assert amount_of(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "RM", "1.2.3", "1e5", "31.000", "NaN", "٣١.00", "1" * 13])
def test_what_is_no_amount_is_none(text: str) -> None:
    assert amount_of(text) is None


def test_amounts_are_shown_with_two_decimals() -> None:
    assert amount_text(Decimal(31)) == "31.00"
    assert amount_text(Decimal("-0.5")) == "-0.50"


@pytest.mark.parametrize(
    "text",
    [
        *("09/01/2019", "9-1-2019", "09 JAN 2019", "09/JAN/2019", "9 January 19", "2019-01-09", "20190109", "09012019"),
        *("09.01.19", "JAN 9, 2019", "(09/01/2019)", "09/01/2019-13:30:10", "09/01/201913:30", "09 JAN'19"),
    ],
)
def test_every_printed_form_of_a_day_is_that_day(text: str) -> None:
    assert date_of(text) == date(2019, 1, 9)


@pytest.mark.parametrize("text", ["", "31/02/2018", "12:30:45", "03-6280 1198", "1.2.3.4", "99/99/9999", "10/2018"])
def test_what_the_calendar_does_not_have_is_no_date(text: str) -> None:
    assert date_of(text) is None


def test_the_month_comes_first_only_where_the_day_cannot() -> None:
    assert date_of("04/28/2018") == date(2018, 4, 28)
    assert [found.style for found in find_dates("04/05/2018")] == [Style.DAY_FIRST]


def test_a_short_date_has_a_second_reading_with_the_year_first() -> None:
    assert {(found.value, found.style) for found in find_dates("18/03/25")} == {
        (date(2025, 3, 18), Style.SHORT),
        (date(2018, 3, 25), Style.SHORT_YEAR_FIRST),
    }


@pytest.mark.parametrize(
    "printed",
    [
        *("UNICORN SHOP SDN BHD (999199-V)", "Unicorn  Shop Sdn. Bhd.", "UNICORN SHOP SDN BHD 992725-U"),
        *("UNICORN SHOP SDN.BHD.(CO. NO. 993825-W)", "UNICORN SHOP SDN BHD (JM0961170-K)", "ÚNICORN SHOP SDN BHD"),
    ],
)
def test_one_vendor_has_one_key_however_it_is_printed(printed: str) -> None:
    assert company_key(printed) == "UNICORNSHOPSDNBHD"


def test_numbers_that_belong_to_a_name_stay() -> None:
    assert company_text("98 FAST SHOP S/B") == "98 FAST SHOP S/B"
    assert company_text("UNICORN HARDWARE (M) SDN BHD") == "UNICORN HARDWARE (M) SDN BHD"
    assert company_text("(999199-V)") == "(999199-V)", "a number alone is not cut to nothing"


def test_a_misread_letter_differs() -> None:
    assert company_key("UNICORN SHOP") != company_key("UNIC0RN SHOP")
