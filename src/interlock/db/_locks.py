"""The two lock files of an embedded PostgreSQL, as its clients handle them; `_supervisor.py` says what they mean."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from interlock.db._cluster import Layout


class Lock:
    """An attempt to take a lock file exclusively; ``taken`` says whether it succeeded. Closing frees it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.taken = False

    def __enter__(self) -> Self:
        with suppress(BlockingIOError):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.taken = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Never LOCK_UN: it would unlock for the supervisor too, which inherited this open file.
        os.close(self.descriptor)


def has_users(layout: Layout) -> bool:
    """Whether another client uses the server: the lock can be shared but not taken alone."""
    with Lock(layout.users_lock) as lock:
        if lock.taken:
            return False
        with suppress(BlockingIOError):
            fcntl.flock(lock.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    return False
