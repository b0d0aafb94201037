"""Cases are moved to other code only where its replay follows their journal, and each move is on record."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, stage
from tests.pg.undoing import cancel, refunding, story, undoable

from interlock.cases.case import Case
from interlock.cases.migrate import Move, Moved, check_target, migrate_cases
from interlock.cases.registry import Registered
from interlock.cases.store import CaseRow, CaseState
from interlock.cases.workflow import Body
from interlock.db.gates import short_digest
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused
from interlock.sim import SimulatedProvider


async def first(case: Case) -> str:
    """The old code."""
    await case.step("read", str, 1)
    await case.review("fine", {"who": "Ana"}, why="look", proposal={"yes": True})
    return "first"


async def second(case: Case) -> str:
    """The new code: the same steps, and another end."""
    read = await case.step("read", str, 1)
    await case.review("fine", {"who": "Ana"}, why="look", proposal={"yes": True})
    await case.now()
    return f"second {read}"


async def reordered(case: Case) -> str:
    """It asks for something else first."""
    await case.step("think", str, 1)
    return "reordered"


async def shorter(_: Case) -> str:
    """It asks for nothing any more."""
    return "shorter"


async def stumbling(case: Case) -> str:
    """It cannot bear what was recorded."""
    read = await case.step("read", str, 1)
    raise ValueError(f"not {read}")


def versioned(body: Body, folder: Path, version: str) -> Registered:
    """A version of the workflow ``flow``, with code of its own."""
    folder = folder / version
    folder.mkdir(exist_ok=True)
    registered = undoable(body, folder, name="flow", version=version)
    flow = dataclasses.replace(registered.workflow, code=short_digest(version.encode()))
    return dataclasses.replace(registered, workflow=flow)


async def begun(database_url: str, old: Registered, *, number: int = 1) -> list[UUID]:
    """Cases that wait for a person, begun on the old code."""
    async with stage(database_url, [old]) as on:
        cases = [await on.submit(key=f"k{index}") for index in range(number)]
        await asyncio.gather(*(on.until(case, CaseState.WAITING) for case in cases))
    return cases


async def move(
    on: Stage, new: Registered, origin: str = "1", *, only: UUID | None = None, dry: bool = False
) -> list[Moved]:
    wanted = Move(
        tenant=on.node.tenant, registered=new, origin=origin, who="rosa", why="the new tax", only=only, dry=dry
    )
    return [moved async for moved in migrate_cases(on.node.tools, wanted)]


async def approved(on: Stage, case_id: UUID) -> CaseRow:
    for review in await on.wait_for_reviews():
        await on.approve(review)
    return await on.until(case_id)


async def test_cases_are_moved_after_a_replay_and_go_on_with_the_new_code(database_url: str, tmp_path: Path) -> None:
    old, new = versioned(first, tmp_path, "1"), versioned(second, tmp_path, "2")
    case_id, other = await begun(database_url, old, number=2)
    async with stage(database_url, [new]) as on:
        assert not (await on.record(case_id)).carried
        looked = await move(on, new, dry=True)
        assert [(one.case_id, one.stays) for one in looked] == [(case_id, ""), (other, "")]
        assert (await on.record(case_id)).case.version == "1"
        (moved,) = await move(on, new, origin=old.workflow.code.hex, only=case_id)
        assert (moved.state, moved.version, moved.stays) == (CaseState.WAITING, "1", "")
        record = await on.record(case_id)
        assert (record.case.version, record.case.code, record.carried) == ("2", new.workflow.code, True)
        assert [one.case_id for one in await move(on, new)] == [other]
        assert not await move(on, new)
        case = await approved(on, case_id)
    assert case.conclusion == "second 1"
    (entry,) = [entry for entry in record.entries if entry.kind == "case.migrated"]
    told = msgspec.json.decode(entry.body)
    assert (told["who"], told["why"], told["origin"]["version"], told["target"]["version"]) == (
        "rosa", "the new tax", "1", "2"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (reordered, "step 0 of flow: the code asks for step 'think'"),
        (shorter, "step 0 of flow: the code does not ask for the recorded step 'read' any more"),
        (stumbling, "the code does not ask for the recorded review 'fine' any more, and raises ValueError: not 1"),
    ],
)
async def test_a_case_that_the_new_code_does_not_follow_stays_where_it_is(
    database_url: str, tmp_path: Path, body: Body, says: str
) -> None:
    old, new = versioned(first, tmp_path, "1"), versioned(body, tmp_path, "2")
    (case_id,) = await begun(database_url, old)
    async with stage(database_url, [new]) as on:
        (stays,) = await move(on, new)
        assert says in stays.stays
        record = await on.record(case_id)
        assert (record.case.version, record.case.code, record.case.state) == ("1", old.workflow.code, CaseState.WAITING)
        assert "case.migrated" not in [entry.kind for entry in record.entries]
    async with stage(database_url, [old]) as on:
        assert (await approved(on, case_id)).conclusion == "first"


async def test_a_case_that_the_new_code_could_not_begin_stays(database_url: str, tmp_path: Path) -> None:
    async def broken(_: Case) -> str:
        raise ValueError("not at all")

    old, new = versioned(first, tmp_path, "1"), versioned(broken, tmp_path, "2")
    async with stage(database_url, [old], workers=0) as on:
        await on.submit()
    async with stage(database_url, [new], workers=0) as on:
        (stays,) = await move(on, new)
    assert stays.stays == "the new code raises ValueError: not at all"


async def test_a_case_that_went_on_while_it_was_replayed_stays(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = versioned(first, tmp_path, "1"), versioned(second, tmp_path, "2")
    (case_id,) = await begun(database_url, old)
    async with stage(database_url, [new], workers=0) as on:
        real = Writer.write

        async def late(self: Writer, unit: Unit) -> Refusal | None:
            if self is on.node.writer and "_commit.<locals>" in repr(unit.build):
                async with stage(database_url, [old]) as other:
                    await approved(other, case_id)
            return await real(self, unit)

        monkeypatch.setattr(Writer, "write", late)
        (stays,) = await move(on, new)
        case = (await on.record(case_id)).case
    assert "meanwhile" in stays.stays
    assert (case.version, case.conclusion) == ("1", "first")


async def paying(case: Case) -> str:
    """Pay, and wait."""
    await case.act("tell", {"to": "Ana"}, key=case.key)
    await case.wait("a day", span=timedelta(days=1))
    return "paid"


async def test_a_stranded_case_that_is_to_be_cancelled_is_moved_whatever_its_journal(
    database_url: str, tmp_path: Path
) -> None:
    old, new = versioned(paying, tmp_path, "1"), versioned(shorter, tmp_path, "2")
    with SimulatedProvider(tmp_path / "book") as provider:
        async with stage(database_url, [old], connectors=[refunding(provider.url)]) as on:
            case_id = await on.submit(key="left")
            await on.until(case_id, CaseState.WAITING)
        async with stage(database_url, [new], connectors=[refunding(provider.url)], workers=0) as on:
            await cancel(on, case_id)
            (moved,) = await move(on, new)
            assert moved.stays == ""
            await on.work()
            case = await on.until(case_id)
        assert story(provider, "left") == ["payment left"]
    assert "tell stays as it is" in (case.waiting_for or "")


async def test_what_cannot_be_meant_is_refused(database_url: str, tmp_path: Path) -> None:
    new = versioned(second, tmp_path, "2")
    check_target(new, "2")
    check_target(new, new.workflow.code.hex)
    with pytest.raises(Refused, match="this installation carries flow 2"):
        check_target(new, "3")
    async with stage(database_url, [new], workers=0) as on:
        assert await move(on, new) == []
        with pytest.raises(NotFound, match="began on '1'"):
            await move(on, new, only=uuid4())


async def test_workers_say_at_their_start_which_cases_are_stranded(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = versioned(first, tmp_path, "1"), versioned(second, tmp_path, "2")
    await begun(database_url, old, number=2)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "interlock.worker"):
        async with stage(database_url, [new]):
            pass
    (said,) = [record.getMessage() for record in caplog.records if "carries the code" in record.getMessage()]
    assert said.startswith(f"no living worker carries the code of 2 cases of flow 1 (code {old.workflow.code.hex[:8]})")
    assert "interlock cases migrate" in said
