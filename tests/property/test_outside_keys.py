"""Keys as the other side sees them: no key that an action ever bears is one of another action's."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from interlock.actions.action import Action, ActionState, outside_key, succeeding_key
from interlock.cases.undo import undo_key

TENANT = UUID(int=7)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
_KEYS = st.text(alphabet="ab1~+/ ö", min_size=1, max_size=5) | st.sampled_from(
    ["k", "k~1", "k+2", "k+2~1", "~k", "k/~1"]
)


def action(key: str, generation: int = 0) -> Action:
    return Action(
        id=UUID(int=1), case_id=UUID(int=1), decision_id=None, workflow="flow", name="pay", connector="bank",
        domain="bank.x", key=key, payload=b"{}", exposure_minor=None, currency=None, state=ActionState.DONE, fence=1,
        attempt=1, not_before=None, valid_until=None, deadline=NOW, first_sent_at=None, sent_at=None,
        send_deadline=None, response=None, error=None, created_at=NOW, ended_at=NOW, generation=generation,
    )  # fmt: skip


def borne(key: str) -> list[str]:
    """Every key that actions of a workflow's own key can ever be sent under, and those of their undos."""
    chain = [succeeding_key(outside_key(TENANT, "flow/pay", key), number) for number in (1, 2, 3)]
    originals = [action(one) for one in chain]
    undos = [undo_key(TENANT, original, undo) for original in originals for undo in ("refund", "pay")]
    return [action(one, generation).outside_key for one in (*chain, *undos) for generation in (0, 1, 2)]


@given(_KEYS, _KEYS)
def test_no_key_of_one_action_is_ever_one_of_another_s(one: str, other: str) -> None:
    mine = borne(one)
    assert len(set(mine)) == len(mine)
    if one != other:
        assert not set(mine) & set(borne(other))


@given(_KEYS)
def test_an_undo_bears_no_key_that_an_action_of_its_name_can_have(key: str) -> None:
    undo = undo_key(TENANT, action(outside_key(TENANT, "flow/pay", key)), "refund")
    assert undo.startswith(f"{TENANT.hex}/flow/refund~pay/")
    assert not outside_key(TENANT, "flow/refund", key).startswith(f"{TENANT.hex}/flow/refund~")
