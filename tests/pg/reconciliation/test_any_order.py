"""What is in force follows from the files alone: in any order, in pieces, twice, by pages, with corrections.

Real files through the reader and the intake into real rows. Days have a few statements whose balances go on, so that
equal entries abound; what overlaps them, and what corrects them, comes at any time.
"""

from __future__ import annotations

import random

import pytest

from interlock.db.database import Database
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.intake import Intake, Source

from .handed import amounts, in_force

AUTO = Source(name="hand", side=Side.ACTUAL)


def statement(number: str, day: int, opening: int, *amounts_: int, made: int = 0) -> str:
    """A statement of one day, made at an hour."""

    def balance(minor: int) -> str:
        return f"{'C' if minor >= 0 else 'D'}2603{day:02d}EUR{abs(minor) // 100},{abs(minor) % 100:02d}"

    lines = "".join(
        f":61:2603{day:02d}03{day:02d}{'D' if one < 0 else 'C'}{abs(one) // 100},{abs(one) % 100:02d}NCHG{of}\n"
        ":86:CARD FEE\n"
        for one, of in ((one, "NONREF//STO-17" if one > 0 else "NONREF") for one in amounts_)
    )
    frame = f":20:S\n:25:DE1\n:28C:{number}\n:13D:2604{made + 1:02d}0600+0000\n:60F:{balance(opening)}\n{lines}"
    return f"{frame}:62F:{balance(opening + sum(amounts_))}\n-\n"


def month(dice: random.Random) -> tuple[list[str], list[int]]:
    """Statements of some days, with what tells them again, and their entries."""
    pieces: list[str] = []
    entries: list[int] = []
    balance, number = 1_000, 0
    for day in range(2, 2 + dice.randint(1, 3)):
        opening, of_day = balance, list[int]()
        for _ in range(dice.randint(1, 3)):
            # never such as come to nothing together: that is told apart from a second telling by nobody
            some = dice.choices([-25, -25, -50, 300], k=dice.randint(1, 3))
            number += 1
            if dice.random() < 0.4:  # a wrong one, that the right one corrects
                pieces.append(statement(f"{number}", day, balance, *some, -7, made=0))
            pieces.append(statement(f"{number}", day, balance, *some, made=1))
            balance += sum(some)
            of_day += some
        if dice.random() < 0.5:  # the whole day, told once more
            pieces.append(statement(f"9{day}/1", day, opening, *dice.sample(of_day, len(of_day)), made=2))
        entries += of_day
    return pieces, sorted(entries)


async def hold_to_the_files(database: Database, examples: range) -> None:
    """Each example's files, each example in a tenant of its own."""
    for example in examples:
        dice = random.Random(example)
        pieces, entries = month(dice)
        found: list[list[str]] = []
        for turn in range(2):
            tenant = await database.ensure_tenant(f"t{example}-{turn}")
            intake = Intake(database, tenant, "bank", "tests")
            left = dice.sample(pieces, len(pieces)) + dice.sample(pieces, 1)
            while left:
                size = dice.randint(1, 3)
                await intake.take(AUTO, "f.sta", "".join(left[:size]).encode())
                left = left[size:]
            assert await amounts(database, tenant) == entries, example
            found.append((await in_force(database, tenant))["identity"].to_list())
        assert found[0] == found[1], example


async def test_whatever_comes_when_what_is_in_force_is_what_the_files_state(database: Database) -> None:
    await hold_to_the_files(database, range(4))


@pytest.mark.long
async def test_whatever_comes_when_what_is_in_force_is_what_the_files_state_for_long(database: Database) -> None:
    await hold_to_the_files(database, range(4, 300))
