"""The figures of the business view: exact money, intervals of shares, and "not known" instead of 0."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import msgspec
import pytest

from interlock.autonomy.terms import LossTerms
from interlock.business.figures import Figure
from interlock.business.report import NO_PROOF, Report, report_of
from interlock.business.tally import STEP, Counted, LossOf, Sort, Tallies, quantile, step_of
from interlock.business.terms import BusinessTerms
from interlock.cases.dossier import Baseline, Success
from interlock.cases.worth import Measured, Worth
from interlock.money import Money
from interlock.rate_settings import RATES, RateSettings
from interlock.setting_forms import Raw

UNTIL = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
SINCE = UNTIL - dt.timedelta(days=30)
DATED = RateSettings("EUR", MappingProxyType({"MYR": Decimal("0.20"), "USD": Decimal("0.90")}), dt.date(2026, 10, 31))


def row(sort: Sort, number: int, amount: str = "0", part: str = "", currency: str = "") -> Counted:
    return Counted(sort=sort, part=part, currency=currency, number=number, amount=Decimal(amount))


ROWS = (
    row(Sort.DECIDED, 100, "0.30", "approve"), row(Sort.UNDECIDED, 1, "0.02", "approve"),
    row(Sort.ALONE, 80, part="approve"), row(Sort.PROCESSOR, 100, "7200000000", "approve"),
    row(Sort.DONE, 90, "900000", "paid", "MYR"), row(Sort.DONE, 10, "0", "refused"), row(Sort.STRAIGHT, 80),
    row(Sort.EXCEPTED, 2), row(Sort.ANSWERED, 20, part="approve"), row(Sort.TIMED, 18, "1080000", "approve"),
    row(Sort.SPAN, 60, part=str(step_of(60))), row(Sort.SPAN, 40, part=str(step_of(3600))),
)  # fmt: skip
LOSSES = (
    LossOf(point="approve", currency="MYR", realised=True, exposure_minor=None, number=1, lost_minor=Decimal(1250)),
    LossOf(point="approve", currency="MYR", realised=False, exposure_minor=10_000, number=2, lost_minor=Decimal(0)),
)


def terms(**changed: object) -> BusinessTerms:
    """What is declared: every case that is paid is worth 14.00 MYR, a wrong one loses what is at stake and 5.00 MYR."""
    stated = BusinessTerms(
        workflow="receipts", points=("approve",),
        worth=Worth(
            each=Money("14.00", "MYR"), conclusions=("paid",), source="finance, 2025", before=Money("9.80", "MYR")
        ),
        success=Success(), losses={"approve": (LossTerms(share=Fraction(1), plus=500), "MYR")},
        processor_hour=Decimal("0.04"), person_hour=Decimal(45), rates=DATED,
    )  # fmt: skip
    return msgspec.structs.replace(stated, **changed)


def view(stated: BusinessTerms, rows: tuple[Counted, ...] = ROWS, known: int = 60) -> tuple[Report, dict[str, Figure]]:
    """The report, and its figures by name."""
    report = report_of(Tallies(rows), LOSSES if known else (), known, stated, SINCE, UNTIL)
    return report, {one.name: one for one in report.figures}


def test_money_is_exact_and_every_figure_says_of_what() -> None:
    report, of = view(terms())
    assert of["value"].value == "1,260.00 MYR"  # 90 paid ones at 14.00; the refused ones bring nothing
    assert of["losses"].value == "at least 222.50 MYR"  # 12.50 on record, and two of 100.00 + 5.00 as declared
    assert of["losses"].note.startswith(
        "outcomes of 60 of 100 decisions are known; 1 losses are on record; 2 are as the"
    )
    assert (of["model"].value, of["model"].each) == ("0.32 USD", "0.0032 USD a decision")
    assert of["machine"].value == "0.08 USD"  # two hours at 0.04
    assert of["people"].value == "at least 13.5 USD"  # 18 minutes at 45.00 an hour
    assert "18.0 minutes for 18 of 20 reviews" in of["people"].note
    # (0.32 + 0.08 + 13.50) USD at 4.5 MYR are 62.55 MYR: 1,260.00 - 222.50 - 62.55
    assert of["margin"].value == "at most 974.95 MYR"
    assert of["margin"].each == "at most 9.7495 MYR a case"
    assert report.rates == "amounts in MYR are converted by the rates of 2026-10-31"


def test_what_is_not_known_is_never_nothing() -> None:
    report, of = view(
        terms(worth=None, processor_hour=Decimal(0), person_hour=Decimal(0), rates=RateSettings()), known=0
    )
    for name in ("value", "margin", "losses", "machine", "people"):
        assert of[name].value is None, name
        assert of[name].note, name
    assert of["losses"].note == "losses: no outcome is recorded"
    assert "states no value" in of["margin"].note
    assert view(terms(), rows=())[1]["straight_through"].value is None
    assert report.baselines == ()


def test_two_currencies_are_never_added_without_a_rate_that_has_a_date() -> None:
    undated = RateSettings("EUR", DATED.rates)
    report, of = view(terms(rates=undated))
    assert of["margin"].value is None
    assert "no rate to MYR is declared with its date" in of["margin"].note
    assert of["model"].value == "0.32 USD"
    assert "declare no rates with their date" in report.rates
    read = RATES.parse(Raw("rates", "EUR, MYR=0.20, date=2026-10-31", "settings"), {})
    assert read.date == dt.date(2026, 10, 31)
    assert read.convert(Decimal(10), "MYR", "EUR") == 2
    assert read.convert(Decimal(10), "MYR", "JPY") is None


def test_shares_and_times_have_intervals() -> None:
    _, of = view(terms())
    assert (of["straight_through"].value, of["straight_through"].low, of["straight_through"].high) == (
        "80.0 %",
        "70.8 %",
        "87.3 %",
    )
    span = quantile({step_of(60): 60, step_of(3600): 40}, 0.95)
    assert span is not None
    assert 3600 / STEP <= span.seconds <= 3600 * STEP
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize(("sample", "low", "high"), [(200, "+0.1837", "+0.4023"), (0, "+0.2082", "+0.3733")])
def test_a_change_against_the_baseline_has_an_interval_and_is_no_proof(sample: int, low: str, high: str) -> None:
    success = Success(
        measure="share of receipts that nobody touches", figure=Measured.STRAIGHT, target=Decimal("0.9"),
        baseline=Baseline(value=Decimal("0.5"), source="a count by hand", sample=sample, window="2025"),
    )  # fmt: skip
    report, _ = view(terms(success=success))
    mine, before = report.baselines
    assert mine.change == "+0.3000"
    assert (mine.low, mine.high) == (low, high)
    assert before.now == "at least 2.85 MYR"  # (222.50 + 62.55) / 100
    assert before.change == "at best -6.95 MYR"
    assert report.warning == NO_PROOF
    silent = view(terms(success=msgspec.structs.replace(success, figure=None)))[0].baselines[0]
    assert silent.change is None
    assert "success.figure" in silent.note
