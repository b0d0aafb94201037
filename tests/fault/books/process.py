"""One process of the test: the real command line, which ends when the test does, however the test ends.

python process.py PARENT up --workers 1 ...
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading

from interlock.cli import main


def end_with(parent: int) -> None:
    """Wait for the end of the test's process, which the kernel tells whatever ended it; then end this one."""
    descriptor = os.pidfd_open(parent)
    select.select([descriptor], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(int(sys.argv.pop(1)),), daemon=True).start()
    main()
