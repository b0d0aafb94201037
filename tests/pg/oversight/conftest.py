"""What tests of oversight share: a stage on which approvals wait for people."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.pg.oversight.approvals import POINT, flow
from tests.pg.stage import Stage, declared, stage


@pytest.fixture
async def on(database_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    """The workflow of approvals, with a worker."""
    async with stage(database_url, [declared(flow, tmp_path, point=POINT)]) as on:
        yield on
