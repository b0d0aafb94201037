"""Taking back: the order, the key, the payload, and what stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from interlock.actions.action import Action, ActionState, outside_key
from interlock.actions.terms import ActionTerms
from interlock.cases.undo import left_as_they_are, undo_fields, undo_key, undo_order
from interlock.guards.limits import Limits

TENANT = UUID(int=7)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG = "k" * 300


def terms(name: str, *, undo: str = "", no_undo: str = "") -> ActionTerms:
    return ActionTerms(name=name, connector="bank", domain="bank.x", limits=Limits(), undo=undo, no_undo=no_undo)


DECLARED = {
    "pay": terms("pay", undo="refund"),
    "refund": terms("refund"),
    "tell": terms("tell", no_undo="what was said is said"),
}


def action(
    number: int,
    name: str = "pay",
    *,
    state: ActionState = ActionState.DONE,
    ended: int | None = None,
    key: str = "k",
    undo_of: UUID | None = None,
) -> Action:
    return Action(
        id=UUID(int=number), case_id=UUID(int=1), decision_id=None, workflow="flow", name=name, connector="bank",
        domain="bank.x", key=outside_key(TENANT, f"flow/{name}", key), payload=b'{"to":"ana"}', exposure_minor=1230,
        currency="EUR", state=state, fence=1, attempt=1, not_before=None, valid_until=NOW, deadline=NOW,
        first_sent_at=None, sent_at=None, send_deadline=None, response=b'{"id":"pay-1"}', error=None, created_at=NOW,
        ended_at=NOW + timedelta(seconds=number if ended is None else ended), undo_of=undo_of, caller="shop",
    )  # fmt: skip


def ids(actions: tuple[Action, ...]) -> list[int]:
    return [one.id.int for one in actions]


def test_what_finished_last_is_taken_back_first_whatever_was_intended_first() -> None:
    actions = [action(1, ended=30), action(2, ended=10), action(3, ended=20), action(4, ended=30)]
    assert ids(undo_order(actions, DECLARED)) == [4, 1, 3, 2]


def test_only_what_took_effect_and_has_an_undo_is_taken_back() -> None:
    states = [state for state in ActionState if state not in (ActionState.DONE, ActionState.UNDOING)]
    others = [action(number, state=state) for number, state in enumerate(states, start=10)]
    actions = [
        action(1), action(2, "tell"), action(3, state=ActionState.UNDOING), action(4, "refund", undo_of=UUID(int=3)),
        *others,
    ]  # fmt: skip
    assert ids(undo_order(actions, DECLARED)) == [3, 1]
    assert [(left.action.id.int, left.why) for left in left_as_they_are(actions, DECLARED)] == [
        (2, "what was said is said")
    ]


def test_what_the_file_no_longer_declares_is_for_a_person() -> None:
    assert ids(undo_order([action(1, "gone")], DECLARED)) == [1]
    assert left_as_they_are([action(1, "gone")], DECLARED) == ()


def test_what_a_workflow_itself_took_back_stays() -> None:
    (left,) = left_as_they_are([action(1, "refund")], DECLARED)
    assert left.why == "it takes back what another action did"


@pytest.mark.parametrize("key", ["k", "a/b", LONG, "ö"])
def test_an_undo_has_a_key_that_no_other_action_can_have(key: str) -> None:
    found = undo_key(TENANT, action(1, key=key), "refund")
    assert found.startswith(f"{TENANT.hex}/flow/refund~pay/")
    assert len(found) <= 255
    assert found == undo_key(TENANT, action(2, key=key), "refund")
    assert found != undo_key(TENANT, action(1, key=f"{key}2"), "refund")
    assert found != outside_key(TENANT, "flow/refund", key)
    assert "~" not in outside_key(TENANT, "flow/refund", "pay/k").rpartition("/flow/")[2]


def test_an_undo_takes_the_original_s_payload_and_amount_with_what_was_answered() -> None:
    original = msgspec.structs.replace(action(1), generation=2)
    fields = undo_fields(TENANT, original, DECLARED["refund"])
    payload = msgspec.json.decode(fields["payload"])
    undoes = {"key": f"{original.key}~2", "response": {"id": "pay-1"}}
    assert payload == {"to": "ana", "undoes": undoes}
    assert (fields["exposure_minor"], fields["currency"], fields["undo_of"]) == (1230, "EUR", original.id)
    assert (fields["valid_until"], fields["decision_id"], fields["caller"]) == (None, None, "shop")
    unknown = undo_fields(TENANT, msgspec.structs.replace(original, response=None), DECLARED["refund"])
    assert msgspec.json.decode(unknown["payload"])["undoes"]["response"] == {}
