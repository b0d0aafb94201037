"""The rows of notices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.notices.notice import Fact, NewNotice, Notice, Reader


class QueueStands(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue stands in one currency: what waits, since when, how much is at stake."""

    queue: str
    waiting: int
    oldest: datetime
    exposure_minor: int | None
    currency: str | None


class EndedLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a letter: sent, given up, or to go again at ``due_at``."""

    letter: UUID
    sent_at: datetime | None = None
    failed_at: datetime | None = None
    due_at: datetime | None = None
    error: str | None = None


class ListedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as people list it: fields as in the table."""

    id: UUID
    channel: str
    recipient: str
    kind: str
    line: str
    path: str
    created_at: datetime
    due_at: datetime
    attempts: int
    sent_at: datetime | None
    failed_at: datetime | None
    error: str | None


_SQL = load_queries(__file__)
NOTICE_FACTS = _SQL.rows("notice_facts", Fact)
NOTICE_DIGEST = _SQL.rows("notice_digest", QueueStands)
NOTICE_READERS = _SQL.rows("notice_readers", Reader)
ADD_NOTICES = _SQL.bulk("add_notices", NewNotice, distinct=("id",))
CLAIM_NOTICES = _SQL.rows("claim_notices", Notice)
END_NOTICES = _SQL.bulk("end_notices", EndedLetter, distinct=("letter",))
LIST_NOTICES = _SQL.rows("list_notices", ListedNotice)
RETRY_NOTICES = _SQL.rows("retry_notices", UUID)
FORGET_NOTICES = _SQL.rows("forget_notices", UUID)
