"""What a test starts ends with the test's process, whatever kills that one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
from tests.dying import dying

STARTS_ONE = """
import subprocess, sys
from tests.dying import dying
print(subprocess.Popen(dying("sleep", "60"), start_new_session=True).pid, flush=True)
sys.stdin.read()
"""


def test_what_was_started_dies_with_who_started_it_and_was_the_command_itself() -> None:
    with subprocess.Popen(
        dying(sys.executable, "-c", STARTS_ONE),
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        started = psutil.Process(int(starter.stdout.readline()))
        assert started.ppid() == starter.pid
        starter.kill()
    assert psutil.wait_procs([started], timeout=10)[1] == []
