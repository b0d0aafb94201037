"""A version is the content of a workflow's code: its module, what that imports of the project, the lock file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from uuid import UUID

import pytest

from interlock.cases.code import code_of
from interlock.cases.workflow import Workflow

FLOW = """\
from interlock import Case, workflow
from rates import rate
from . import tables
from .sub.rounding import near
import sub.later


@workflow("one", version="1")
async def one(case: Case) -> None:
    pass


@workflow("two", version="1")
async def two(case: Case) -> None:
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "flow.py").write_text(FLOW)
    (folder / "rates.py").write_text("from limits import most\nrate = 1\n")
    (folder / "limits.py").write_text("most = 2\n")
    (folder / "tables.py").write_text("rows = []\n")
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "sub" / "rounding.py").write_text("from .digits import two\nnear = 3\n")
    (folder / "sub" / "digits.py").write_text("two = 2\n")
    (folder / "sub" / "later.py").write_text("at = 4\n")
    (folder / "unused.py").write_text("x = 1\n")
    (folder / "uv.lock").write_text("version = 1\n")
    return folder


@pytest.mark.parametrize(
    "name",
    ["flow.py", "rates.py", "limits.py", "tables.py", "sub/rounding.py", "sub/digits.py", "sub/later.py", "uv.lock"],
)
def test_the_version_changes_with_all_that_the_workflow_runs_on(project: Path, name: str) -> None:
    before = code_of(project / "flow.py")
    path = project / name
    path.write_text(path.read_text() + "# changed\n")
    assert code_of(project / "flow.py") != before


def test_the_version_stays_with_what_it_does_not_run_on_and_wherever_it_stands(project: Path, tmp_path: Path) -> None:
    before = code_of(project / "flow.py")
    (project / "unused.py").write_text("x = 2\n")
    assert code_of(project / "flow.py") == before
    project.rename(tmp_path / "moved")
    assert code_of(tmp_path / "moved" / "flow.py") == before
    (tmp_path / "moved" / "sub" / "later.py").rename(tmp_path / "moved" / "sub" / "sooner.py")
    assert code_of(tmp_path / "moved" / "flow.py") != before


def test_two_workflows_of_one_module_are_two_versions(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_text(FLOW.replace("from rates import rate\nfrom . import tables\nfrom .sub.rounding import near\n", "")
                    .replace("import sub.later\n", ""))  # fmt: skip
    spec = importlib.util.spec_from_file_location("two_flows", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["two_flows"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["two_flows"]
    codes: set[UUID] = set()
    for flow in (module.one, module.two):
        assert isinstance(flow, Workflow)
        codes.add(flow.code)
    assert len(codes) == 2
