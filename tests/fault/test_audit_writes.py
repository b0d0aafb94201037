"""Each write of the audit sample fails once, and succeeds once with its answer lost: it is drawn and said once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.autonomy.test_audit_sample import DECLARED, answer, approve, decided, sampled
from tests.pg.stage import declared, stage
from writes.cut import Cut, Moment

KINDS = ("audit.begun", "audit.drawn", "audit.answered")


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
async def test_a_write_of_the_sample_that_is_cut_draws_and_says_it_once(
    database_url: str, tmp_path: Path, moment: Moment
) -> None:
    flow = declared(approve, tmp_path, point=DECLARED)
    begun, drawn, answered = (Cut(kind, moment) for kind in KINDS)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, "one")
        with begun, drawn:
            assert await sampled(on) == (1, 1)
        assert await sampled(on) == (0, 0)
        (review,) = await on.reviews()
        with answered:
            await on.resolve(review, answer(approved=True, reason="so"), who="bea")
    assert [cut.struck for cut in (begun, drawn, answered)] == [True] * 3
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        kinds: list[tuple[Any, ...]] = admin.execute(
            "select kind, count(*) from ledger_entry where kind = any(%s) or kind = 'outcome.recorded' group by 1",
            (list(KINDS),),
        ).fetchall()
        said = admin.execute("select decision, source, is_right from outcome").fetchall()
        draws = admin.execute("select decision, was_right from audit_draw").fetchall()
    assert dict(kinds) == {**dict.fromkeys(KINDS, 1), "outcome.recorded": 1}
    assert said == [(decision.id, "audit", True)]
    assert draws == [(decision.id, True)]
