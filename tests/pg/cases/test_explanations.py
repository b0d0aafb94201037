"""Explanations for three readers, from real records: what each says, and what it must never say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.cases.test_flow import provider, refunds
from tests.pg.replay.scene import project
from tests.pg.stage import Stage, payments, stage

from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.explanation.tell import Explanation, tell
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.errors import LedgerBroken, NotFound
from interlock.ledger.store import seal_once
from interlock.lineage.read import read_lineage
from interlock.lineage.trace import read_brought
from interlock.oversight.claims import claim
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim import FaultPlan, SimulatedProvider

__all__ = ["provider", "refunds"]
_INTERNAL = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16,}|SHA|rules:|onnx:|@[0-9]|interlock|exposure|input\.|rosa|called|known_cust"
)


async def told(on: Stage, identifier: UUID, reader: Reader) -> Explanation:
    return tell(await read_material(on.node.database, on.node.tenant, identifier, reader), reader)


def says(explanation: Explanation, *expected: str) -> None:
    for one in expected:
        assert one in explanation.text, f"{one!r} is not in\n{explanation.text}"


async def test_each_reader_is_told_what_is_theirs(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan())
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="large-1", amount="250.00")
        await on.until(case_id, CaseState.WAITING)
        (review,) = await on.reviews()
        waiting = await told(on, review.id, Reader.OPERATOR)
        undecided = await told(on, case_id, Reader.PERSON)
        await claim(on.node.desk, acts(on.node.tenant, "rosa"), review.id)
        answer = Answer(resolution=Resolution.APPROVE, reason_code="known_customer", note="called her")
        await on.resolve(review, answer)
        await on.until(case_id)
        record = await on.record(case_id)
        decision = record.decisions[0]
        unsealed = await told(on, case_id, Reader.AUDITOR)
        async with on.node.database.installation() as connection:
            await seal_once(connection)
        audited = await told(on, decision.id, Reader.AUDITOR)
        for identifier in (case_id, review.id, record.actions[0].id):
            assert (await told(on, identifier, Reader.AUDITOR)).text == audited.text
        person = await told(on, decision.id, Reader.PERSON)
    nearest = "With 99.99 EUR at stake instead of 250.00 EUR (150.01 EUR less; the bound is 100.00 EUR), it would have"
    says(
        waiting,
        "It was sent to a person, with 250.00 EUR at stake: exposure >= 100 EUR holds.",
        "It waits in the queue refunds since",
        f"{nearest} gone by itself.",
        f"`interlock resolve {review.id}` decides it",
    )
    says(unsealed, "written, not sealed yet", "No checkpoint of the ledger is signed yet.")
    says(
        audited,
        "The case is done: refunded.",
        f"Input: SHA-256 {decision.input_hash.hex()}, contract refund-request@1.0.0, SHA-256 ",
        f"rules:approve-refund@1: SHA-256 {(decision.component_digest or b'').hex()}.",
        "confidence given 1.0, needed 1.0: answered.",
        "The file demands review when: exposure >= 100 EUR",
        f"{nearest} gone by itself.",
        "the answer would have been approved false, reason too_late by refund row 1.",
        "rosa resolved a review ",
        " s after they claimed it",
        "of its record, which its record has.",
        ": leaf ",
    )
    assert audited.evidence is not None
    assert [place.entry for place in audited.evidence.entries] == [entry.id for entry in record.entries]
    assert all(place.index is not None and len(place.leaf) == 64 for place in audited.evidence.entries)
    says(
        person,
        "A person decided it on ",
        "How much, in euros: 250.00",
        "A rule of the organisation asks for this where the amount is 100.00 EUR or more.",
        "If the amount had been 99.99 EUR instead of 250.00 EUR, it would have been decided automatically",
        "Write to shop@example.com.",
    )
    says(undecided, "It is not decided yet.", "A person will look at it before it is decided.")
    for one in (person, undecided):
        document = msgspec.json.encode(one).decode()
        assert not _INTERNAL.search(document), _INTERNAL.search(document)
        assert msgspec.json.decode(document).keys() == {"reader", "language", "passages", "text"}


async def test_a_record_that_was_changed_is_told_as_such_and_files_of_today_play_no_part(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="late-1", days_since_purchase=31)
        await on.until(case_id)
        decision = (await on.record(case_id)).decisions[0]
        before = await told(on, decision.id, Reader.AUDITOR)
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            admin.execute("update decision set exposure_minor = 1 where id = %s", (decision.id,))
            changed = await told(on, decision.id, Reader.AUDITOR)
            admin.execute("alter table artifact disable trigger all")
            admin.execute("delete from artifact where digest = %s", (decision.declaration,))
        gone = await told(on, decision.id, Reader.AUDITOR)
    says(before, "which its record has", "With input.days_since_purchase 30 instead of 31 (1 less)")
    says(changed, "BUT ITS RECORD NOW HAS")
    says(gone, f"The workflow's file with the SHA-256 {decision.declaration.hex()} is not at hand")
    assert "With input" not in gone.text


async def test_the_person_is_told_nothing_of_another_and_no_free_words_of_a_reviewer(
    database_url: str, tmp_path: Path
) -> None:
    listed, words = "880101145678", "his brother Bob Miller is known to us"
    asks = f'    review: ["input.amount >= 100", "input.customer == \'{listed}\'"]\n'
    flow = project(tmp_path / "project", point=asks)
    file = tmp_path / "project/contracts/refund-decision@1.odcs.yaml"
    file.write_text(file.read_text("utf-8").replace('pattern: "^[a-z_]+$", maxLength: 80', "maxLength: 200"), "utf-8")
    async with stage(database_url, [register(flow.workflow, (tmp_path / "project",))]) as on:
        case_id = await on.submit(key="free-1", amount="250.00")
        await on.until(case_id, CaseState.WAITING)
        (review,) = await on.reviews()
        output = {"approved": False, "reason": words}
        await on.resolve(review, Answer(resolution=Resolution.CHANGE, reason_code="other", note="n", output=output))
        await on.until(case_id)
        audited = await told(on, case_id, Reader.AUDITOR)
        person = await told(on, case_id, Reader.PERSON)
    says(audited, words)
    says(person, "Whether it is refunded: no", "reason: in the words of the person who decided; you can ask for them")
    for one in (listed, "Bob"):
        assert one not in person.text


@pytest.mark.parametrize("column", ["reasons", "evidence", "attempts", "input"])
async def test_a_record_that_no_longer_reads_is_told_by_its_evidence_alone(
    database_url: str, refunds: Registered, column: str
) -> None:
    async with stage(database_url, [refunds]) as on:
        case_id = await on.submit(key="late-1", days_since_purchase=31)
        await on.until(case_id)
        decision = (await on.record(case_id)).decisions[0]
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            damaged = sql.SQL("update decision set {} = %s where id = %s").format(sql.Identifier(column))
            admin.execute(damaged, (b'["x"]', decision.id))
        given = {reader: await told(on, case_id, reader) for reader in Reader}
        traced = await read_lineage(on.node.database, on.node.tenant, decision.id)
    says(
        given[Reader.AUDITOR], f"cannot be read as it is now ({column}: ", "BUT ITS RECORD NOW HAS", "The case is done"
    )
    says(given[Reader.OPERATOR], f"cannot be read as it is now ({column}: ", f"`interlock explain {decision.id}`")
    says(given[Reader.PERSON], "Its record is damaged, so it cannot be explained here.", "Write to shop@example.com.")
    (node,) = [one for one in traced.nodes if one.id == f"decision:{decision.id}"]
    assert node.facts["unreadable"].startswith(f"{column}: ")


async def test_a_record_that_reads_and_cannot_be_is_not_judged_again_and_a_broken_entry_is_named(
    database_url: str, refunds: Registered
) -> None:
    async with stage(database_url, [refunds]) as on:
        case_id = await on.submit(key="late-1", days_since_purchase=31)
        await on.until(case_id)
        decision = (await on.record(case_id)).decisions[0]
        with psycopg.connect(database_url, options="-c search_path=interlock", autocommit=True) as admin:
            damaged = decision.attempts.replace(b"rules:approve-refund@1", b"no such name at all")
            admin.execute(
                "update decision set attempts = %s, component = 'no such name at all' where id = %s",
                (damaged, decision.id),
            )
            odd = await told(on, decision.id, Reader.AUDITOR)
            admin.execute("set session_replication_role = replica")
            admin.execute("update ledger_entry set body = '[]' where id = %s", (decision.id,))
            with pytest.raises(LedgerBroken, match=f"the entry {decision.id} .decision.taken. cannot be read"):
                await told(on, decision.id, Reader.AUDITOR)
            with pytest.raises(LedgerBroken, match="how something came cannot be read"):
                read_brought(b"[]")
    says(odd, "It cannot be judged again: ", "BUT ITS RECORD NOW HAS")


async def test_what_is_not_there_and_what_is_anothers_is_not_found(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="small-1")
        await on.until(case_id)
        for reader in Reader:
            with pytest.raises(NotFound, match="nothing of the id"):
                await read_material(on.node.database, on.node.tenant, uuid4(), reader)
            with pytest.raises(NotFound, match="nothing of the id"):
                await read_material(on.node.database, uuid4(), case_id, reader)
        given: Any = await told(on, case_id, Reader.OPERATOR)
    says(given, "It went by itself", "Nothing.", "With 100.00 EUR at stake instead of 20.00 EUR")
