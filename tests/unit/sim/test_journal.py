from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.errors import SimulationFailed
from interlock.sim.book import EVENTS, Event, Voided
from interlock.sim.journal import open_journal
from interlock.sim.reading import read_book

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def write(path: Path, *keys: str) -> list[Event]:
    """Append a void for each key; returns what was there before."""
    return asyncio.run(_write(path, *keys))


async def _write(path: Path, *keys: str) -> list[Event]:
    journal, before = open_journal(path, EVENTS)
    running = asyncio.create_task(journal.run())
    for key in keys:
        journal.append(Voided(key, NOON))
    await journal.flushed()
    journal.close()
    await running
    journal.release()
    return before


def test_what_was_flushed_is_read_again(book_path: Path) -> None:
    assert write(book_path, "a", "b") == []
    assert write(book_path, "c") == [Voided("a", NOON), Voided("b", NOON)]
    assert len(write(book_path)) == 3


async def test_flushed_waits_for_the_disk(book_path: Path) -> None:
    journal, _ = open_journal(book_path, EVENTS)
    journal.append(Voided("a", NOON))
    waiting = asyncio.create_task(journal.flushed())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    running = asyncio.create_task(journal.run())
    await waiting
    assert b'"a"' in await asyncio.to_thread(book_path.read_bytes)
    journal.close()
    await running
    journal.release()


@pytest.mark.parametrize("tail", [b"0", b"00000000 {}", b"00000000 {}\n", b'deadbeef {"event":"voided"'])
def test_a_torn_tail_is_cut_off(book_path: Path, tail: bytes) -> None:
    write(book_path, "a")
    sound = book_path.read_bytes()
    book_path.write_bytes(sound + tail)
    read_book(book_path)
    assert book_path.read_bytes() == sound + tail
    assert write(book_path, "b") == [Voided("a", NOON)]
    assert write(book_path) == [Voided("a", NOON), Voided("b", NOON)]


def test_damage_before_the_tail_is_refused(book_path: Path) -> None:
    write(book_path, "a", "b", "c")
    lines = book_path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"b"', b'"x"')
    book_path.write_bytes(b"\n".join(lines))
    with pytest.raises(SimulationFailed) as refused:
        open_journal(book_path, EVENTS)
    assert refused.value.where == f"{book_path}:2"
    with pytest.raises(SimulationFailed):
        read_book(book_path)


def test_another_kind_of_file_is_refused_and_left_alone(book_path: Path) -> None:
    book_path.write_text("name,amount\nana,1\n")
    with pytest.raises(SimulationFailed, match="another kind of file"):
        open_journal(book_path, EVENTS)
    assert book_path.read_text() == "name,amount\nana,1\n"


async def test_a_write_that_the_disk_refuses_ends_the_run(book_path: Path) -> None:
    journal, _ = open_journal(book_path, EVENTS)
    journal.release()
    journal.append(Voided("a", NOON))
    with pytest.raises(OSError, match="Bad file descriptor"):
        await journal.run()


async def test_one_book_has_one_provider(book_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.sim.journal._LOCK_PATIENCE", 0.05)
    journal, _ = open_journal(book_path, EVENTS)
    with pytest.raises(SimulationFailed, match="another provider holds this book"):
        open_journal(book_path, EVENTS)
    journal.release()
    open_journal(book_path, EVENTS)[0].release()
