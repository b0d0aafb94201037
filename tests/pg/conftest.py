"""What tests against the database share: an administrator's connection, and cases to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interlock.clock import Clock

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCases = Callable[..., list[UUID]]


@pytest.fixture
def admin(database_url: str) -> Iterator[Admin]:
    """An administrator's connection: row security does not bind it."""
    with psycopg.connect(
        database_url, autocommit=True, options="-c search_path=interlock -c timezone=UTC"
    ) as connection:
        yield connection


@pytest.fixture
def make_cases(admin: Admin) -> MakeCases:
    """Makes cases of a tenant, due one minute ago, in order of their ids."""

    def make(
        tenant: UUID, number: int = 1, *, state: str = "ready", worker: int | None = None, code: UUID | None = None
    ) -> list[UUID]:
        clock = Clock()
        ids = [clock.new_id() for _ in range(number)]
        now = datetime.now(UTC)
        with admin.cursor() as cursor:
            cursor.executemany(
                "insert into cases (id, tenant, workflow, version, code, key, input, state, worker, fence, wake_at, "
                "created_at, changed_at) values (%s, %s, 'test', '1', %s, %s, '', %s, %s, 1, %s, %s, %s)",
                [
                    (id_, tenant, code or UUID(int=1), str(id_), state, worker, now - timedelta(minutes=1), now, now)
                    for id_ in ids
                ],
            )
        return ids

    return make
