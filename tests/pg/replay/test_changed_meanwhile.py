"""Files that change while a process starts: what decides is what is kept, or nothing is decided."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from scene import OTHER_RULES, RULES, decide, project, replayed, running

from interlock.archive.store import Manifest
from interlock.cases.build import build_of
from interlock.cases.registry import Registered, Registry
from interlock.errors import ArchiveRefused
from interlock.replay.result import Status

CONTRACT = "contracts/refund-request@1.odcs.yaml"


def change(folder: Path, name: str) -> None:
    """Copy the next version of a file into place."""
    file = folder / name
    old = file.read_text()
    new = OTHER_RULES if name == RULES else old.replace("maximum: 100000", "maximum: 10")
    assert new != old
    file.write_text(new)


async def test_a_process_whose_files_changed_since_it_loaded_them_does_not_start(
    database_url: str, tmp_path: Path
) -> None:
    for name in (CONTRACT, RULES):
        folder = tmp_path / name.replace("/", "-")
        loaded = project(folder)
        change(folder, name)
        with pytest.raises(ArchiveRefused, match="changed while"):
            async with running(database_url, loaded):
                pass
        async with running(database_url, project(folder)) as node:  # started again
            assert (await replayed(node, await decide(node, name, amount="5.00"))).status is Status.EQUAL


def test_what_is_loaded_after_the_files_were_kept_is_what_was_kept(tmp_path: Path) -> None:
    checked = project(tmp_path)
    flow = Registered(checked.workflow, checked.declaration, type(checked.library)(checked.library.roots))
    flow.library.keep(Manifest.of(build_of(flow)[0]))
    change(tmp_path, CONTRACT)
    with pytest.raises(ArchiveRefused, match=r"refund-request@1\.0\.0"):
        flow.library.contract("refund-request@1")
    with pytest.raises(ArchiveRefused):
        Registry((flow,)).check(UUID(int=1))
    (tmp_path / CONTRACT).unlink()
    with pytest.raises(ArchiveRefused, match="changed while"):
        flow.library.contract("refund@1")
