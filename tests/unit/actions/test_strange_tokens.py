"""What another system answers, as it is kept: no token in it is anybody's whose data were not sent."""

from __future__ import annotations

from uuid import UUID

import msgspec
from tests.unit.actions.test_doubt import ACTION

from interlock.actions.action import ActionState
from interlock.actions.outcome import Holder, finish
from interlock.privacy.token import HIDDEN, SubjectKey


def test_a_token_that_was_not_sent_is_not_kept() -> None:
    sent, other = (SubjectKey(UUID(int=one), UUID(int=9), b"k" * 32).token("/a", ("b",), "c") for one in (1, 2))
    action = msgspec.structs.replace(ACTION, payload=msgspec.json.encode({"who": sent}))
    ended = finish(action, Holder(UUID(int=9), 1, 1), ActionState.DONE, response={"note": f"{sent} {other}", other: 1})
    kept = {"note": f"{sent} {HIDDEN}", HIDDEN: 1}
    assert ended.response == kept
    assert msgspec.json.decode(ended.ended.response or b"") == kept
