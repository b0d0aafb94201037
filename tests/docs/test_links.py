"""What the pages point at exists: links, make targets, commands, tests; and their Python is Python."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.docs.pages import ROOT, anchors, blocks, exchanges, exists, links, pages

from interlock.cli.table import TABLE

PAGES = pages()
_TARGET = re.compile(r"(?:`|^\s*|\$ |&& )make ([a-z][a-z-]*)", re.MULTILINE)
_COMMAND = re.compile(r"(?:`|^\s*|\$ |&& )interlock (?!-)([a-z][a-z-]*)(?= |`|$)", re.MULTILINE)


_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)?)`")


def named(page: Path) -> str:
    """A page's name in a test's."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_on_a_page_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, f"{named(page)}:{block.line}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    targets |= {f"bench-{file.stem}" for file in (ROOT / "bench").glob("*.py")}
    assert set(_TARGET.findall(page.read_text("utf-8"))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_on_a_page_exists(page: Path) -> None:
    assert set(_COMMAND.findall(page.read_text("utf-8"))) <= set(TABLE)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_test_on_a_page_exists(page: Path) -> None:
    assert [test for test in _TEST.findall(page.read_text("utf-8")) if not exists(test)] == []


def test_every_page_of_the_documentation_is_in_an_index() -> None:
    indexes = [page for page in PAGES if page.name == "README.md"]
    found = {(page.parent / link.partition("#")[0]).resolve() for page in indexes for link in links(page)}
    beside = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != ROOT / "docs" / "README.md"}
    assert beside <= found


def test_the_first_commands_of_the_readme_are_of_make() -> None:
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "console")
    assert [shlex.split(one.command) for one in exchanges(first)] == [["make", "demo"], ["make", "test"]]


def test_the_workflow_of_the_readme_is_the_example() -> None:
    shown = {block.title: block.text for block in blocks(ROOT / "README.md") if block.title}
    example = ROOT / "examples" / "refunds"
    assert shown.keys() == {"refunds.py", "refunds.workflow.yaml"}
    assert shown["refunds.py"] == (example / "refunds.py").read_text()
    assert shown["refunds.workflow.yaml"].strip() in (example / "refunds.workflow.yaml").read_text()
