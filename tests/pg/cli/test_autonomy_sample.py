"""The audit sample on the command line: refused where a point declares none."""

from __future__ import annotations

from .conftest import Run


def test_a_point_without_a_sample_says_what_its_file_would_say(run: Run) -> None:
    told = run("autonomy", "sample", "desk.approve", code=2).err
    assert "declares no audit sample" in told
    assert "share: 0.02" in told
    assert run("autonomy", "sample", "desk.other", code=4).err
