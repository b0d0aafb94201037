"""A small file system of its own, to be filled and freed: a tmpfs, where this user may mount one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self


class SmallDisk:
    """A mounted tmpfs, as a context manager.

    Args:
        folder: Where it is mounted; made if it is not there.
        megabytes: Its size.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._megabytes = megabytes

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        size = f"size={self._megabytes}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "interlock-chaos", self.folder], check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self) -> None:
        """Take all that is left."""
        descriptor = os.open(self._filler, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            end = os.fstat(descriptor).st_size
            for step in (1 << 24, 1 << 20, 1 << 12):
                while _reserve(descriptor, end, step):
                    end += step
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


def cannot_mount(folder: Path) -> str:
    """Why this user cannot have a small file system, or nothing if it can."""
    try:
        with SmallDisk(folder, 1):
            return ""
    except (OSError, subprocess.CalledProcessError) as cause:
        return f"no small file system: {cause}"


def _reserve(descriptor: int, start: int, size: int) -> bool:
    try:
        os.posix_fallocate(descriptor, start, size)
    except OSError:
        return False
    return True
