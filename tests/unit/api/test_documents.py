from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from interlock.actions.action import Action, ActionState
from interlock.actions.store import Attempt
from interlock.api.call import encode
from interlock.api.cases import record_document
from interlock.cases.record import CaseRecord
from interlock.cases.store import CaseRow, CaseState

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE = UUID(int=1)


def test_actions_stand_in_a_case_with_their_attempts() -> None:
    case = CaseRow(
        id=ONE,
        workflow="claims",
        version="1",
        code=UUID(int=2),
        key="k",
        input=b'{"who":"ana"}',
        run=1,
        state=CaseState.DONE,
        conclusion="paid",
        waiting_for=None,
        wake_at=None,
        worker=None,
        fence=1,
        exposure_minor=1230,
        currency="MYR",
        created_at=NOW,
        changed_at=NOW,
    )
    action = Action(
        id=UUID(int=3),
        case_id=ONE,
        decision_id=UUID(int=4),
        workflow="claims",
        name="pay",
        connector="payments",
        domain="payments.pay",
        key="k",
        payload=b'{"amount":{"amount":"12.30","currency":"MYR"}}',
        exposure_minor=1230,
        currency="MYR",
        state=ActionState.DONE,
        fence=1,
        attempt=1,
        not_before=None,
        valid_until=None,
        deadline=NOW,
        first_sent_at=NOW,
        sent_at=NOW,
        send_deadline=NOW,
        response=b'{"id":"p-1"}',
        error=None,
        created_at=NOW,
        ended_at=NOW,
    )
    attempt = Attempt(number=1, worker=1, sent_at=NOW, ended_at=NOW, outcome="done", detail=None)
    record = CaseRecord(
        case=case,
        steps=(),
        decisions=(),
        reviews=(),
        actions=(action,),
        attempts={action.id: (attempt,)},
        exceptions=(),
        quarantines=(),
        events=(),
        entries=(),
    )
    told = msgspec.json.decode(encode(record_document(record)))

    assert (told["exposure"], told["created_at"], told["input"]) == (
        "12.30 MYR",
        "2026-01-02T03:04:05Z",
        {"who": "ana"},
    )
    (acted,) = told["actions"]
    assert (acted["exposure"], acted["state"], acted["response"]) == ("12.30 MYR", "done", {"id": "p-1"})
    assert acted["payload"] == {"amount": {"amount": "12.30", "currency": "MYR"}}
    assert [(sent["number"], sent["outcome"]) for sent in acted["attempts"]] == [(1, "done")]
