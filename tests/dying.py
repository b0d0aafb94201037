"""Processes that tests start end with them, however those end: a run that is killed leaves nothing that goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_BEGIN = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def dying(*command: str) -> Sequence[str]:
    """A command that the kernel kills when the thread that started it has ended, as it does when its process is killed.

    It becomes the command given, under the same process id. Elsewhere than on Linux it only becomes it.

    Source: prctl(2), PR_SET_PDEATHSIG, which an execve(2) keeps.
    """
    return [sys.executable, "-I", "-S", "-c", _BEGIN, str(os.getpid()), *command]
