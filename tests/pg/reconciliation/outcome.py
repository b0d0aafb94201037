"""What must not depend on what happened on the way: matches that stand, what is open, the books."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.pg.reconciliation.matched import Matching

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.store import entries_in_force
from interlock.sim.general_ledger import PostingState

_STANDING = """
    select m.state, m.form, m.currency, m.expected_minor, m.actual_minor, array_agg(e.entry::text)
    from recon_match m join recon_member e on e.match = m.id
    where m.alive and e.alive and m.reconciliation = %s group by m.id"""
_BREAKS = """
    select b.state, b.cause, c.state, e.identity::text
    from recon_break b join recon_entry e on e.id = b.entry join cases c on c.id = b.case_id
    where b.alive and b.reconciliation = %s"""
_MOVING = """
    select count(*) from cases
    where state in ('ready', 'running') or state = 'waiting' and wake_at < now() + interval '1 hour'"""


async def settle(on: Matching, patience_s: float = 60.0) -> None:
    """Run rounds until what is, is what should be, and no case has anything to do but wait for a person."""
    rounds, give_up = on.rounds(), time.monotonic() + patience_s
    while True:
        found = await rounds.run(patience_s=patience_s)
        while await _moving(on):
            assert time.monotonic() < give_up, "cases still move"
            await asyncio.sleep(0.05)
        await rounds.catch_up()  # what a killed round had decided may be booked only now
        moved = found.withdrawn or found.proposed.decided or found.breaks.withdrawn or found.breaks.opened
        if found.settled and not moved:
            return
        assert time.monotonic() < give_up, found


async def outcome(on: Matching, patience_s: float = 60.0) -> dict[str, Any]:
    """All that there is once nothing is left to do; every booked match is in the books just once."""
    await settle(on, patience_s)
    node, entries = on.on.node, dict[str, str]()
    async with node.database.tenant(node.tenant) as connection:
        for side in Side:
            frame = await entries_in_force(connection, on.terms.name, side)
            entries |= dict(frame.select("id", "identity").iter_rows())
        told = await (await connection.execute(_STANDING, (on.terms.name,))).fetchall()
        broken = await (await connection.execute(_BREAKS, (on.terms.name,))).fetchall()
    standing = [(*row[:5], tuple(sorted(entries[one] for one in row[5]))) for row in told]
    held = [one for row in standing for one in row[5]]
    assert len(set(held)) == len(held)
    assert standing_postings(on) == sum(row[0] == "booked" for row in standing)
    assert on.books.summary().unbalanced == ()
    return {
        "matches": sorted(standing),
        "open": sorted(set(entries.values()) - set(held)),
        "breaks": sorted(broken),
        "books": on.balances(),
    }


async def _moving(on: Matching) -> bool:
    async with on.on.node.database.tenant(on.on.node.tenant) as connection:
        return await (await connection.execute(_MOVING)).fetchone() != (0,)


def standing_postings(on: Matching) -> int:
    """How many postings of this reconciliation are in the books and not taken back."""
    return sum(
        posting.state is PostingState.POSTED and not posting.reverses
        for posting in on.books.postings()
        if any(line.account.startswith(f"{on.terms.name}:") for line in posting.lines)
    )
