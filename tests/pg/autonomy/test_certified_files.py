"""What was decided while the point's file said something else is no evidence of the point as it is now."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import AUTONOMY
from tests.pg.decisions.test_cascades import approve, question
from tests.pg.stage import declared, stage

from interlock.autonomy.issuing.evidence import gather
from interlock.cases.certified_places import find_place

STRICT = AUTONOMY + '    review: ["exposure >= 15 EUR"]\n'


async def test_only_what_was_decided_under_the_same_file_of_the_point_is_evidence(
    database_url: str, tmp_path: Path
) -> None:
    found: list[tuple[int, int]] = []
    for key, point in enumerate((STRICT, AUTONOMY, AUTONOMY + "    valid_for: 7d\n", STRICT)):
        (tmp_path / str(key)).mkdir()
        flow = declared(approve, tmp_path / str(key), point=point)
        async with stage(database_url, [flow], workers=0) as on:
            node = on.node
            registered = node.registry.find("approve")
            assert registered is not None
            declaring = registered.declaration.decisions["approve"]
            asked = question(on, registered, declaring, str(key))
            library = registered.library.for_tenant(node.tenant)
            await node.tools.decider.decide(structs.replace(asked, library=library))
            place, now = find_place(node.registry, node.tenant, "approve.approve"), node.database.clock.now()
            data = (await gather(node.database, place, now, until=now + timedelta(seconds=1))).data
            found.append((data.decisions, data.other_files))
    assert found == [(1, 0), (1, 1), (2, 1), (2, 2)]
