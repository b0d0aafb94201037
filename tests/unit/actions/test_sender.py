"""The kernel timer: it ends a process that did not let go, stopped or not, and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from interlock.actions import sender
from interlock.actions.sender import SenderTimer

SPAN_S = 0.3
PREPARE = f"""
import os, signal, time
from datetime import timedelta
from interlock.actions import sender
sender.GRACE = timedelta(0)
timer = sender.SenderTimer()
token = timer.arm(timedelta(seconds={SPAN_S}))
"""


def ended(code: str, *, wait_s: float) -> int | None:
    """How a process that runs this ended within a time; None: it still runs, and is then killed."""
    process = subprocess.Popen([sys.executable, "-c", PREPARE + code], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"armed\n"
        until = time.monotonic() + wait_s
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        return process.poll()
    finally:
        process.kill()
        process.communicate()


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no such timer on this platform")


@linux
@pytest.mark.parametrize(
    "held_up",
    ["os.kill(os.getpid(), signal.SIGSTOP)", "time.sleep(60)", "signal.pause()", "sum(range(10**12))"],
    ids=["stopped", "asleep", "waiting", "in one C call"],
)
def test_who_does_not_let_go_is_killed(held_up: str) -> None:
    assert ended(f"print('armed', flush=True)\n{held_up}", wait_s=SPAN_S + 5) == -signal.SIGKILL


@linux
def test_who_lets_go_lives() -> None:
    assert ended("timer.let_go(token)\nprint('armed', flush=True)\ntime.sleep(60)", wait_s=SPAN_S + 0.7) is None


@linux
def test_the_earliest_of_several_counts_and_the_next_one_after_it_is_let_go() -> None:
    code = """
later = timer.arm(timedelta(seconds=1.2))
timer.let_go(token)
print('armed', flush=True)
time.sleep(60)
"""
    begun = time.monotonic()
    assert ended(code, wait_s=5) == -signal.SIGKILL
    assert time.monotonic() - begun > 1.0


@linux
def test_a_child_has_a_timer_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers are not inherited (timer_create(2)); what the parent armed does not end the child, and its own does."""
    monkeypatch.setattr(sender, "GRACE", timedelta(0))
    timer = SenderTimer()
    token = timer.arm(timedelta(seconds=30))
    pid = os.fork()
    if pid == 0:  # nothing of pytest may run in here
        timer.arm(timedelta(seconds=0.1))
        time.sleep(10)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    timer.let_go(token)
    assert os.WTERMSIG(status) == signal.SIGKILL
