"""Under which key an action is asked for again: see ``key_in_turn``."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from interlock.actions.action import Action, ActionState
from interlock.actions.stale import STALE
from interlock.cases.ending_store import CORRECTED
from interlock.cases.rewind import key_in_turn

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STALE_NOW = f"{STALE}: a fact is another"


def action(key: str, state: ActionState = ActionState.FAILED, *, attempt: int = 1, error: str = STALE_NOW) -> Action:
    return Action(
        id=UUID(int=1), case_id=UUID(int=1), decision_id=None, workflow="flow", name="pay", connector="bank",
        domain="bank.x", key=key, payload=b"{}", exposure_minor=None, currency=None, state=state, fence=1,
        attempt=attempt, not_before=None, valid_until=None, deadline=NOW, first_sent_at=None, sent_at=None,
        send_deadline=None, response=None, error=error, created_at=NOW, ended_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "key"),
    [
        ([], "k"),
        ([action("other")], "k"),
        ([action("k", attempt=0)], "k"),
        ([action("k")], "k+2"),
        ([action("k", attempt=0), action("k")], "k+2"),
        ([action("k", error=f"{CORRECTED}; it was declined")], "k+2"),
        ([action("k"), action("k+2")], "k+3"),
        ([action("k"), action("k+2", attempt=0)], "k+2"),
        ([action("k"), action("k+2", ActionState.DONE)], "k+2"),
        ([action("k"), action("k+2", ActionState.UNDONE)], "k+2"),
        ([action("k"), action("k+2", error="it was declined")], "k+2"),
        ([action("k", ActionState.DONE)], "k"),
        ([action("k", error="it was declined")], "k"),
        ([action("k", ActionState.READY)], "k"),
    ],
)
def test_only_what_was_sent_and_given_up_is_succeeded(before: list[Action], key: str) -> None:
    assert key_in_turn(before, "k") == key
