"""The tutorials, run as they are written: their files, commands and answers, each in an empty folder.

A block with a title is a file. A ``console`` block holds commands after ``$`` and their answers; with a title,
``terminal N``, it runs in the background and its answer is how its output begins. In an answer ``...`` stands for
anything, alone on its line for any number of lines, and ``<name>`` for an id, the same one wherever the name stands
again. Spaces beside each other count as one. Only the ports are not as written, since tests run side by side.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.docs.pages import ROOT, Block, Exchange, blocks, exchanges
from tests.dying import dying

FIRST, ALONE = "first-workflow.md", "how-much-may-it-decide-alone.md"
TUTORIAL = ROOT / "docs" / "tutorial"
EXAMPLE = ROOT / "examples" / "refunds"
PROVIDER_PORT, API_PORT = "8400", "8321"
COMMAND_S = 60.0
READY_S = 40.0
_NAME = re.compile(r"<([a-z]+)>")


def pattern(answer: tuple[str, ...], known: dict[str, str]) -> re.Pattern[str]:
    """What an answer must look like; a name that is known stands for its id, another one captures it."""
    seen, parts = set[str](), list[str]()
    for line in answer:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        text = re.escape(_NAME.sub(lambda found: known.get(found[1], found[0]), " ".join(line.split())))
        text = text.replace(re.escape("..."), ".*")
        parts.append(_NAME.sub(lambda found: _id(found[1], seen), text) + "\n")
    return re.compile("".join(parts))


def _id(name: str, seen: set[str]) -> str:
    if name in seen:
        return rf"(?P={name})"
    seen.add(name)
    return rf"(?P<{name}>\S+)"


def plain(said: str) -> str:
    """What was said, each run of spaces one space."""
    return "".join(f"{' '.join(line.split())}\n" for line in said.splitlines())


class Tour:
    """A reader who does what the page says.

    Args:
        page: The page.
        folder: An empty folder.
        ports: Free ports, by the ports of the page.
    """

    def __init__(self, page: Path, folder: Path, ports: dict[str, str]) -> None:
        self.page = page
        self.folder = folder
        self.ports = ports
        self.ids: dict[str, str] = {}
        self.begun: list[subprocess.Popen[bytes]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self.environment = {**kept, "PATH": path, "INTERLOCK_API_PORT": ports[API_PORT]}

    def do(self, block: Block) -> None:
        """Write the block's file, or run its commands."""
        if block.language != "console":
            target = self.folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self._here(block.text))
            return
        for exchange in exchanges(block):
            (self._begin if block.title else self._run)(exchange, block.line)

    def _here(self, text: str) -> str:
        return re.sub("|".join(self.ports), lambda found: self.ports[found[0]], text)

    def _command(self, exchange: Exchange) -> list[str]:
        return ["bash", "-c", _NAME.sub(lambda found: self.ids[found[1]], self._here(exchange.command))]

    def _compare(self, exchange: Exchange, said: str, *, whole: bool) -> bool:
        wanted = pattern(tuple(self._here(one) for one in exchange.answer), self.ids)
        found = wanted.fullmatch(plain(said)) if whole else wanted.match(plain(said))
        if found is None:
            return False
        self.ids |= found.groupdict()
        return True

    def _run(self, exchange: Exchange, line: int) -> None:
        ran = subprocess.run(
            self._command(exchange),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        where = f"{self.page.name}, block at line {line}: {exchange.command}"
        wanted = "\n".join(exchange.answer)
        assert self._compare(exchange, ran.stdout, whole=True), (
            f"{where}\n--- said\n{ran.stdout}\n--- the page\n{wanted}"
        )
        fails = wanted.startswith("error:")
        assert bool(ran.returncode) is fails, f"{where} ended with {ran.returncode}\n{ran.stdout}"

    def _begin(self, exchange: Exchange, line: int) -> None:
        said = self.folder / f"terminal-{secrets.token_hex(4)}.log"
        with said.open("w") as stream:
            process = subprocess.Popen(
                dying(*self._command(exchange)),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.begun.append(process)
        until = time.monotonic() + READY_S
        while not self._compare(exchange, said.read_text(), whole=False):
            where = f"{self.page.name}, block at line {line}: {exchange.command}"
            assert time.monotonic() < until, f"{where} did not say what the page says:\n{said.read_text()}"
            time.sleep(0.1)

    def end(self) -> None:
        """End what runs in the background: the groups of the processes that were begun here."""
        for process in self.begun:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def tour(page: str, tmp_path: Path) -> Iterator[Tour]:
    """A reader in an empty folder."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = {PROVIDER_PORT: str(one.getsockname()[1]), API_PORT: str(other.getsockname()[1])}
    tour = Tour(TUTORIAL / page, tmp_path, ports)
    yield tour
    tour.end()


@pytest.mark.parametrize("page", [FIRST, ALONE])
def test_the_tutorial_works_as_written(tour: Tour) -> None:
    done = [block for block in blocks(tour.page) if block.title or block.language == "console"]
    assert sum(block.language == "console" for block in done) > 6
    for block in done:
        tour.do(block)


def test_the_files_are_those_of_the_example() -> None:
    found = blocks(TUTORIAL / FIRST)
    shown = {block.title: block.text for block in found if (EXAMPLE / block.title).is_file() and block.title}
    assert shown == {
        str(path.relative_to(EXAMPLE)): path.read_text()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize(
    ("answer", "said", "fits"),
    [
        (("a  b ... d",), "a b c d\n", True),
        (("a ... d",), "a b\n", False),
        (("a", "...", "d"), "a\nb\nc\nd\n", True),
        (("a", "...", "d"), "a\nd\n", True),
        (("a",), "a\nb\n", False),
        (("a", "b"), "a\n", False),
        (("<x> is <x>",), "1 is 1\n", True),
        (("<x> is <x>",), "1 is 2\n", False),
        (("a <known>",), "a 7\n", True),
        (("a <known>",), "a 8\n", False),
        (("(a|b).",), "a.\n", False),
    ],
)
def test_an_answer_is_compared_as_the_page_means_it(answer: tuple[str, ...], said: str, *, fits: bool) -> None:
    assert bool(pattern(answer, {"known": "7"}).fullmatch(plain(said))) is fits
