"""A process that gives a verdict, which is held, and dies as soon as it is written: ``URL REVIEW HOLD_MS``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.acting import acts
from tests.pg.stage import settings_for

from interlock.cases.registry import Registry
from interlock.node import open_node
from interlock.oversight.resolving import Answer, Terms, resolve
from interlock.oversight.review import Resolution


async def main(url: str, review: UUID, hold: timedelta) -> None:
    """Say yes, and die."""
    async with open_node(settings_for(url), registry=Registry(())) as node:
        answer = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
        await resolve(node.desk, acts(node.tenant), review, answer, Terms(check=lambda _c, _o: (), hold=hold))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], UUID(sys.argv[2]), timedelta(milliseconds=int(sys.argv[3]))))
