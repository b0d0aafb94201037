"""Pages of documentation, read as what they are made of: fenced blocks, links, and the tests that they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_ANY_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its title if it has one, its text, and the line on which it begins."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Exchange:
    """A command of a console block and the lines that it answers."""

    command: str
    answer: tuple[str, ...]


def pages() -> list[Path]:
    """Every page that a reader of the repository meets, but what was changed when."""
    beside = [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"]
    return sorted([*beside, *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    return [
        Block(found[1], found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """The targets of a page's links, outside of its blocks."""
    return _LINK.findall(_ANY_FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where the page is shown."""
    headings = _HEADING.findall(_ANY_FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exchanges(block: Block) -> Iterator[Exchange]:
    """The commands of a console block, each with its answer."""
    command, answer = "", list[str]()
    for line in block.text.splitlines():
        if not line.startswith("$ "):
            answer.append(line)
            continue
        if command:
            yield Exchange(command, tuple(answer))
        command, answer = line.removeprefix("$ "), []
    yield Exchange(command, tuple(answer))


def exists(test: str) -> bool:
    """Whether a test, ``FILE`` or ``FILE::FUNCTION``, is there."""
    file, _, name = test.partition("::")
    path = ROOT / file
    if not path.is_file() or not path.name.startswith("test_"):
        return False
    functions = {
        node.name
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return not name or name in functions
