"""What people are shown of where a point stands."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import place

from interlock.autonomy.betting import needed_outcomes
from interlock.autonomy.certificate import Certificate, Certified, Data, Step
from interlock.autonomy.certificate import Tested as GridStep
from interlock.autonomy.issuing.evidence import FIT_SHARE
from interlock.autonomy.issuing.promise import evidence_said
from interlock.autonomy.issuing.show import PointStands, stand_of
from interlock.autonomy.issuing.store import Stands
from interlock.autonomy.store import AutonomyState
from interlock.cli.autonomy_certificates import Try

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PLACE = place(UUID(int=1))


def grid_step(threshold: str, automation: float) -> GridStep:
    return GridStep(
        threshold=threshold, p_value=0.01, automation=automation, loss=5.0, high=9.0, cost=50.0, passed=True
    )


def certificate() -> Certificate:
    digest = next(iter(PLACE.components))
    return Certificate(
        tenant=PLACE.tenant, workflow=PLACE.workflow, point=PLACE.point, goal="loss", terms={},
        terms_digest=PLACE.terms.digest.hex(), currency="EUR", threshold="200", cap=1000, budget="10", risk="1/20",
        components=(
            Certified(
                component="c@1", digest=digest, segment="", method="isotonic", steps=(Step(0.9, 0.01),),
                decisions=4000, wrong=40,
            ),
        ),
        data=Data(
            since=NOW - timedelta(90), until=NOW, decisions=8000, fitted=4000, outcomes=8000, missing=0, drawn=0,
            digest="00" * 32,
        ),
        grid=(grid_step("50", 0.4), grid_step("90", 0.6), grid_step("120", 0.7), grid_step("200", 0.8)),
        automation=0.8, loss=9.5, method="", assumptions=(), issued_at=NOW, issued_by="x",
        valid_until=NOW + timedelta(20), point_digest=PLACE.digest,
    )  # fmt: skip


def shown(state: AutonomyState, threshold: str) -> PointStands:
    stands = Stands(
        id=UUID(int=3), workflow=PLACE.workflow, point=PLACE.point, turn=1, state=state, certificate=UUID(int=2),
        threshold=threshold, valid_until=NOW + timedelta(20), why="more was lost", who="monitor", changed_at=NOW,
        tried_at=NOW, refused=None, content=certificate().content, counted=500, lost_minor=90000,
        evidence=25.0, crossed_at=None, ended_at=None,
    )  # fmt: skip
    return stand_of((PLACE.workflow, PLACE.point), PLACE, stands, NOW)


def test_what_was_narrowed_promises_nothing_and_tells_no_more_than_what_is_left() -> None:
    whole = shown(AutonomyState.CERTIFIED, "200")
    assert whole.promise.startswith("With 95 % certainty")
    assert (whole.automation, whole.expected_loss) == (0.8, "0.095 EUR")
    half = shown(AutonomyState.NARROWED, "100")
    assert half.lets_go
    assert half.promise.startswith("What was certified is promised no more")
    assert "1.00 EUR" in half.promise
    assert (half.automation, half.expected_loss) == (0.6, "")  # of the loosest that was tested and is not looser
    assert shown(AutonomyState.NARROWED, "40").automation is None


def test_of_what_lets_nothing_go_nothing_is_expected() -> None:
    taken = shown(AutonomyState.WITHDRAWN, "200")
    assert not taken.lets_go
    assert (taken.automation, taken.expected_loss, taken.threshold, taken.cap, taken.promise) == (None, "", "", "", "")
    assert (taken.counted, taken.lost) == (500, "900.00 EUR")


@pytest.mark.parametrize("page", ["howto/let-more-go-by-itself.md", "explanation/autonomy.md"])
def test_the_docs_tell_as_many_decisions_as_the_product_asks_for(page: str) -> None:
    """Of their example, a cap of 1,000 and 0.40 of budget at 95 %: with those that calibrate."""
    needed = math.ceil(needed_outcomes(0.40 / 1000, 0.05) / (1 - FIT_SHARE))
    assert f"{needed:,}" in (Path(__file__).parents[3] / "docs" / page).read_text()


def test_the_help_says_that_a_try_is_on_record() -> None:
    assert get_args(Try)[1].help == "Say what would come out; nothing is issued. That it was tried is on record."


@pytest.mark.parametrize(
    ("factor", "said"),
    [(0.0, "under 0.01"), (0.5, "0.50"), (19.996, "20.00"), (1234.5, "1,234"), (1e160, "over 1,000,000"),
     (math.inf, "over 1,000,000")],
)  # fmt: skip
def test_overwhelming_evidence_is_told_in_few_digits(factor: float, said: str) -> None:
    assert evidence_said(factor) == said
