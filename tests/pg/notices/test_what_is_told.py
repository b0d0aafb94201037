"""What is told: of all that waits, what happened on the last day, to whose work it is, however much of it there is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.pg.acting import acts
from tests.pg.notices.test_notices import Admin, node, person, review

from interlock.authority.actor import ActorKind
from interlock.node import Node
from interlock.notices import duty
from interlock.notices.duty import forget, gather
from interlock.notify_settings import ChannelKind, Event, NotifySettings
from interlock.oversight.handing import assign

__all__ = ["node"]


def chat(name: str, *events: Event, **more: Any) -> NotifySettings:
    return NotifySettings(name=name, kind=ChannelKind.CHAT, url="http://x", events=events, **more)


def trouble(admin: Admin, node: Node, **more: object) -> UUID:
    """An exception that is open."""
    row = {
        "id": node.database.clock.next_id(), "tenant": node.tenant, "workflow": "refunds", "kind": "undo-failed",
        "fingerprint": uuid4(), "state": "open", "priority": 1, "what": "x", "detail": b"{}", "owner": "payables",
        "created_at": node.database.clock.now(), "urgency": 1, **more,
    }  # fmt: skip
    values = ", ".join(f"%({name})s" for name in row)
    admin.execute(f"insert into exception ({', '.join(row)}) values ({values})".encode(), row)
    return UUID(str(row["id"]))


def told(admin: Admin, channel: str) -> list[tuple[str, UUID, str]]:
    """Of what a channel tells, in the order of the kinds."""
    return admin.execute(
        "select kind, subject, recipient from notice where channel = %s order by kind, created_at, id", (channel,)
    ).fetchall()


async def test_the_work_of_a_team_is_told_to_it_exceptions_too_and_nothing_old(node: Node, admin: Admin) -> None:
    await person(node, "ana", ["payables"])
    now = node.database.clock.now()
    open_ = trouble(admin, node, priority=0)
    dear = trouble(admin, node, exposure_minor=10**8, currency="EUR", urgency=10**8, team="legal")
    late = trouble(admin, node, created_at=now - timedelta(hours=20), due_at=now - timedelta(minutes=1))
    review(admin, node.tenant, node, created_at=now - timedelta(hours=9), due_at=now - timedelta(hours=1))
    old = now - timedelta(days=10)
    review(admin, node.tenant, node, assigned_to="ana", assigned_at=old, created_at=old)
    review(admin, node.tenant, node, asked_to="a", asked_by="b", asked_at=old, asked_question="?", created_at=old)
    review(admin, node.tenant, node, needed=2, decided_by=["ana"], created_at=old)
    review(admin, node.tenant, node, created_at=old, due_at=now + timedelta(days=8))  # half of it: a day ago and more
    channels = [
        NotifySettings(name="mail", kind=ChannelKind.MAIL, url="smtp://x", sender="i@example.com"),
        chat("payables", teams=("payables",)),
        chat("legal", teams=("legal",), above=Decimal(5000)),
        chat("refunds", teams=("refunds",)),
    ]
    await gather(node.database, node.tenant, channels, {})
    mine = [("deadline", late), ("exception", open_)]
    assert [one[:2] for one in told(admin, "payables")] == mine
    assert told(admin, "mail") == [(*one, "ana@example.com") for one in mine]
    assert told(admin, "legal") == [("urgent", dear, "")]
    assert [kind for kind, _, _ in told(admin, "refunds")] == ["deadline"]  # of the queue of that name


async def test_what_was_told_hides_nothing_and_who_gets_it_again_is_told_again(
    node: Node, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "MOST_FACTS", 3)
    monkeypatch.setattr(duty, "MOST_FORGOTTEN", 2)
    for name in ("ana", "ben"):
        await person(node, name)
    now, channels = node.database.clock.now(), [chat("chat", Event.DEADLINE, Event.ASSIGNED)]
    for minutes in range(5):
        review(admin, node.tenant, node, created_at=now - timedelta(hours=9), due_at=now - timedelta(hours=1 + minutes))
    for waiting in (3, 5):
        await gather(node.database, node.tenant, channels, {})
        assert len(told(admin, "chat")) == waiting
    one = review(admin, node.tenant, node, created_at=now - timedelta(hours=9), due_at=now - timedelta(hours=8))
    lead = acts(node.tenant, "lea", kind=ActorKind.PERSON, roles=("lead",))
    for name in ("ana", "ben", "ana", "ana"):
        await assign(node.desk, lead, one, to=name)
        await gather(node.database, node.tenant, channels, {})
    found = told(admin, "chat")
    assert [kind for kind, subject, _ in found if subject == one] == ["assigned"] * 3 + ["deadline"]

    admin.execute("update notice set created_at = created_at - interval '31 days' where kind = 'deadline'")
    assert [await forget(node.database, node.tenant) for _ in range(4)] == [2, 2, 2, 0]
    assert {kind for kind, _, _ in told(admin, "chat")} == {"assigned"}


async def test_the_owner_and_who_stands_in_are_told_what_became_of_a_certificate(node: Node, admin: Admin) -> None:
    await person(node, "olga", [])
    now = node.database.clock.now()
    ids = [node.database.clock.new_id() for _ in range(3)]
    for at, one in enumerate(ids):
        values = (one, node.tenant, f"p{at}", now, now - timedelta(minutes=1))
        admin.execute(
            "insert into certificate (id, tenant, workflow, point, digest, content, issued_at, issued_by, valid_until)"
            " values (%s, %s, 'refunds', %s, sha256('x'), 'x', %s, 'a', %s)", values,
        )  # fmt: skip
        admin.execute(
            "insert into autonomy (id, tenant, workflow, point, turn, state, certificate, threshold, valid_until, why,"
            " who, changed_at)"
            " values (%s, %s, 'refunds', %s, 1, 'certified', %s, '1', now() + interval '1 day', '', 'a', now())",
            (one, node.tenant, f"p{at}", one),
        )
    admin.execute("update autonomy set valid_until = now() - interval '1 minute' where point = 'p0'")
    admin.execute("update autonomy set refused = 'too few', tried_at = now() where point = 'p1'")
    admin.execute(
        "insert into certificate_monitor values (%s, %s, '', 1, 1, 20, now(), %s, now(), now())",
        (ids[2], node.tenant, ids[2]),
    )
    for minutes in (3, 2):  # two on one day are told once
        then = now.replace(hour=12) - timedelta(days=now.hour < 12) - timedelta(minutes=minutes)
        values = (node.database.clock.new_id(), node.tenant, ids[0], now, now, then)
        admin.execute(
            "insert into decision_outcome (decision, tenant, workflow, point, standing, outcome, is_right, decided_at,"
            " first_at, changed_at, words) values (%s, %s, 'refunds', 'p2', 'contradictory', %s, false, %s, %s, %s, 2)",
            values,
        )
    mail = NotifySettings(name="mail", kind=ChannelKind.MAIL, url="smtp://x", sender="i@example.com")
    stand_ins, owners = {"refunds": "finance@example.com"}, {"refunds": "Olga"}
    for _ in range(2):
        await gather(node.database, node.tenant, [mail], stand_ins, owners=owners)
    found = admin.execute(
        "select line, path from notice where recipient = 'finance@example.com' order by line"
    ).fetchall()
    assert found == [
        (f"What is certified of refunds at {what}", "/console/autonomy")
        for what in ("p0 counts no more", "p1 could not be derived anew", "p2 lost more than it allows",
                     "p2 rests on outcomes that contradict one another")
    ]  # fmt: skip
    assert admin.execute("select count(*), count(distinct recipient) from notice").fetchone() == (8, 2)
