"""What tests of certificates share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.node import gates


@pytest.fixture
async def writer(database_url: str, database: Database, notifier: Notifier) -> AsyncIterator[Writer]:
    """A writer with every gate."""
    async with Writer(database_url, database.clock, gates(), notifier) as writer:
        yield writer
