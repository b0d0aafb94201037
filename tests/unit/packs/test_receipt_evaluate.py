"""Measuring the reader."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from interlock.errors import NotFound, Refused
from interlock.packs.receipts.corpus import Truth, folds, labelled, load, vendor_groups
from interlock.packs.receipts.evaluate import Evaluation, Judged, evaluate, judged_now, main, summarise
from interlock.packs.receipts.generate import Kind, generate
from interlock.packs.receipts.models import Threshold, load_models, load_thresholds

TODAY = date(2026, 3, 10)
THRESHOLDS = (Threshold("50", 0.8), Threshold("100", 0.9))


def one(
    total: str | None, *, true: str | None = None, confidence: float = 0.95, findings: tuple[str, ...] = ()
) -> Judged:
    """A judged receipt whose date and vendor are right."""
    amount = None if total is None else Decimal(total)
    return Judged(
        key=f"{total}-{true}",
        truth=Truth("SHOP", TODAY, Decimal(true) if true else amount),
        total=amount,
        date=TODAY,
        company="SHOP",
        confidence=confidence,
        sureness={"total": confidence},
        findings=findings,
        seconds=0.001,
    )


def test_automatic_needs_a_small_total_confidence_and_no_finding() -> None:
    assert one("49.99", confidence=0.8).automatic(THRESHOLDS)
    assert not one("49.99", confidence=0.79).automatic(THRESHOLDS)
    assert not one("50.00", confidence=0.89).automatic(THRESHOLDS)
    assert one("99.99", confidence=0.9).automatic(THRESHOLDS)
    assert not one("100.00", confidence=1.0).automatic(THRESHOLDS)
    assert not one("1.00", confidence=1.0, findings=("truncated",)).automatic(THRESHOLDS)
    assert not one(None, true="1.00").automatic(THRESHOLDS)


def test_shares_are_counted_over_what_they_say() -> None:
    judged = [
        one("10.00"),
        one("20.00", true="15.50"),
        one("30.00", confidence=0.1),
        one("200.00"),
        one(None, true="5.00"),
    ]
    result = summarise(judged, THRESHOLDS)
    assert result.receipts == 5
    assert result.total == pytest.approx(3 / 5)
    assert result.small == 3
    assert result.large == pytest.approx(2 / 5)
    assert result.automatic == pytest.approx(2 / 3)
    assert result.wrong_total == pytest.approx(1 / 2)
    assert result.wrong_by_more == pytest.approx(1 / 2)
    assert result.overpaid == "4.50"
    assert result.wrong_keys == ("20.00-15.50",)


def test_a_matter_of_rounding_is_wrong_but_not_by_more() -> None:
    result = summarise([one("10.02", true="10.00")], THRESHOLDS)
    assert result.wrong_total == 1
    assert result.wrong_by_more == 0


def test_nothing_cannot_be_evaluated() -> None:
    with pytest.raises(Refused, match="no receipt"):
        summarise([], THRESHOLDS)


def written(path: Path, count: int = 20) -> Path:
    made = generate(2, count, today=TODAY, mix={Kind.CLEAN: 1})
    path.write_bytes(b"\n".join(msgspec.json.encode(receipt) for receipt in made))
    return path


def test_a_file_is_evaluated_with_the_models_of_the_pack(tmp_path: Path) -> None:
    result = evaluate(written(tmp_path / "made.jsonl"))
    assert result.receipts == 20
    assert result.total >= 0.95
    assert result.thresholds == load_thresholds()


def test_the_command_prints_for_people_and_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "made.jsonl", 3)
    assert main(["--data", str(path)]) == 0
    assert "total exactly right   100.00%" in capsys.readouterr().out
    assert main(["--data", str(path), "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Evaluation).receipts == 3


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "none.jsonl")]) == 4
    assert "there is no file" in capsys.readouterr().err


def test_models_or_thresholds_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model total"):
        load_models(tmp_path)
    with pytest.raises(Refused, match="no thresholds"):
        load_thresholds(tmp_path)


def test_a_line_that_is_no_receipt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"words": [], "bboxes": [], "truth": {}}\n', encoding="utf-8")
    with pytest.raises(Refused, match="words, bboxes, and truth") as refusal:
        load(path)
    assert refusal.value.where == "bad.jsonl:1"
    path.write_text("{}\n{", encoding="utf-8")
    with pytest.raises(Refused):
        load(path)


def test_the_reader_never_gets_the_truth() -> None:
    made = generate(2, 1, today=TODAY, mix={Kind.CLEAN: 1})[0]
    assert set(labelled(made).receipt) == {"words", "bboxes", "image_size"}


def test_receipts_are_judged_on_the_day_after_the_latest() -> None:
    made = [labelled(receipt) for receipt in generate(2, 30, today=TODAY, mix={Kind.CLEAN: 1})]
    latest = max(receipt.truth.date for receipt in made if receipt.truth.date)
    assert (judged_now(made) - datetime(latest.year, latest.month, latest.day, tzinfo=UTC)).days == 1


def test_a_vendor_is_never_in_two_folds() -> None:
    names = ["UNICORN SHOP", "UNICORN SH0P", "DRAGON EGG", "YETI ICE", "DRAGON EGG CAFE"] * 4
    receipts = [
        labelled({"words": [], "bboxes": [], "truth": {"company": name, "date": "", "total": ""}}) for name in names
    ]
    groups = vendor_groups(receipts)
    assert groups[:5] == [0, 0, 1, 2, 1]
    assigned = folds(groups, 3)
    assert sorted(set(assigned)) == [0, 1, 2]
    for group in set(groups):
        assert len({fold for fold, other in zip(assigned, groups, strict=True) if other == group}) == 1
