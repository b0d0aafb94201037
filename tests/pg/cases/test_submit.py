"""Cases come in once by key; what breaks its contract waits whole, and goes on when it is mended."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, stage

from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain
from interlock.cases.record import read_record
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.cases.submit import LARGEST_INPUT, Submitted, release_quarantined, submit
from interlock.errors import ContractViolated, KeyReused, NotFound, Refused, StateConflict

GOOD = b'{"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}'
SAME = b' {"days_since_purchase":3, "amount":"20.00",\n"customer":"\\u0041na"}'
OTHER = b'{"customer": "Ana", "amount": "20.01", "days_since_purchase": 3}'


async def greet(case: Case) -> str:
    """Say who it is about."""
    return f"hello {case.input['customer']}"


async def send(on: Stage, flow: Registered, data: bytes, key: str = "k") -> Submitted:
    return await submit(on.node.writer, on.node.tenant, flow, key=key, data=data)


async def test_the_same_key_and_input_is_the_same_case(database_url: str, tmp_path: Path) -> None:
    flow = declared(greet, tmp_path)
    async with stage(database_url, [flow]) as on:
        first = await send(on, flow, GOOD)
        again = await send(on, flow, SAME)
        assert first.new
        assert not again.new
        assert again.case_id == first.case_id
        with pytest.raises(KeyReused, match="came before, with another input") as reused:
            await send(on, flow, OTHER)
        assert reused.value.holder == str(first.case_id)
        assert (await on.until(first.case_id)).conclusion == "hello Ana"


async def test_of_many_submitters_at_once_one_makes_the_case(database_url: str, tmp_path: Path) -> None:
    flow = declared(greet, tmp_path)
    async with stage(database_url, [flow], workers=0) as one, stage(database_url, [flow], workers=0) as two:
        sent = await asyncio.gather(*(send((one, two)[n % 2], flow, (GOOD, SAME)[n % 2]) for n in range(20)))
        assert sum(found.new for found in sent) == 1
        assert len({found.case_id for found in sent}) == 1
        mixed = await asyncio.gather(
            *(send((one, two)[n % 2], flow, (GOOD, OTHER)[n % 2], key="m") for n in range(20)), return_exceptions=True
        )
    taken = [found for found in mixed if isinstance(found, Submitted)]
    refused = [found for found in mixed if isinstance(found, KeyReused)]
    assert (len(taken), len(refused)) == (10, 10)
    assert {refusal.holder for refusal in refused} == {str(found.case_id) for found in taken}


async def test_keys_and_sizes_have_bounds(database_url: str, tmp_path: Path) -> None:
    flow = declared(greet, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        for key in ("", "a\nb", "x" * 201):
            with pytest.raises(Refused, match="no usable key"):
                await send(on, flow, GOOD, key=key)
        with pytest.raises(Refused, match="the input has 2000001 bytes"):
            await send(on, flow, b" " * (LARGEST_INPUT + 1))


async def quarantined(on: Stage, case_id: UUID) -> UUID:
    record = await read_record(on.node.database, on.node.tenant, case_id)
    assert record.case.state is CaseState.QUARANTINED
    (held,) = record.quarantines
    assert held.state == "held"
    return held.id


async def test_what_breaks_its_contract_is_kept_whole_with_every_violation_and_goes_on_when_mended(
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(greet, tmp_path)
    bad = b'{"customer": "", "amount": 20.005, "days": 3}'
    async with stage(database_url, [flow]) as on:
        taken = await send(on, flow, bad)
        places = {violation.where for violation in taken.violations}
        assert {"/customer", "/amount", "/days_since_purchase", "/days"} <= places
        held = await quarantined(on, taken.case_id)
        again = await send(on, flow, bad)
        assert (again.case_id, again.new) == (taken.case_id, False)

        async def mend(data: bytes) -> UUID:
            node = on.node
            return await release_quarantined(node.database, node.writer, node.tenant, flow, held, data=data, who="rosa")

        with pytest.raises(ContractViolated, match="still breaks its contract") as still:
            await mend(b'{"customer": "Ana", "amount": "-1", "days_since_purchase": 3}')
        assert [violation.where for violation in still.value.violations] == ["/amount"]
        await quarantined(on, taken.case_id)
        mended = await asyncio.gather(*(mend(GOOD) for _ in range(3)), return_exceptions=True)
        assert [taken.case_id for found in mended if isinstance(found, UUID)] == [taken.case_id]
        assert sum(isinstance(found, StateConflict) for found in mended) == 2
        assert (await on.until(taken.case_id)).conclusion == "hello Ana"
        record = await on.record(taken.case_id)
        with pytest.raises(NotFound):
            await release_quarantined(
                on.node.database, on.node.writer, on.node.tenant, flow, taken.case_id, data=GOOD, who="rosa"
            )
    assert record.quarantines[0].data == bad
    assert len(record.quarantines[0].broken) == len(taken.violations)
    text = as_text(explain(record))
    assert "released by rosa at" in text
    assert all(violation.what in text for violation in taken.violations)
    assert [entry.kind for entry in record.entries][:3] == ["case.received", "case.quarantined", "case.released"]


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1, "a": 2}', b"\xff\xfe", b'"\\ud800"', b'{"a": "\\u0000"}', b"[]"]
)
async def test_bytes_that_are_no_usable_json_are_quarantined_too(
    database_url: str, tmp_path: Path, data: bytes
) -> None:
    flow = declared(greet, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        taken = await send(on, flow, data)
        assert taken.violations
        await quarantined(on, taken.case_id)
        record = await on.record(taken.case_id)
    assert record.quarantines[0].data == data
