"""When a verdict that has not taken effect counts no more: what it rests on has changed, or who gave it is shut out.

A verdict is of what was shown. Between it and its effect, while it is held or is the first of two, more may come in:
nobody has decided on that, and the verdict is taken back, to be given again. Compared are the parts of ``shown`` that
its row names, so that a verdict that came without says nothing and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from interlock.authority.actor import ActorKind
from interlock.db.database import Database
from interlock.db.work import Condition, Stamp, Write
from interlock.ledger.ledger import further_entry
from interlock.oversight.review import Review
from interlock.oversight.shown import differs_from
from interlock.oversight.shown_gate import AskedEvidence, StillShows, ask_of
from interlock.oversight.store import EVIDENCE_OF, SHUT_OUT, UNDO_VERDICTS, Evidence, UndoneVerdict
from interlock.oversight.verdict import StoredVerdict

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lapsing:
    """Which verdicts count no more.

    Attributes:
        changed: What changed since each of them was given; the others are not in it.
        still: That what the others were given on stands so until the commit.
    """

    changed: Mapping[UUID, tuple[str, ...]]
    still: tuple[Condition, ...]

    def stand(self, verdicts: Sequence[StoredVerdict]) -> list[StoredVerdict]:
        """Those that still count."""
        return [one for one in verdicts if one.id not in self.changed]


def lapsed_writes(
    stamp: Stamp, tenant: UUID, review: Review, verdicts: Sequence[StoredVerdict], lapsing: Lapsing
) -> list[Write]:
    """That those that count no more are taken back, beside the first entry of a commit."""
    writes: list[Write] = []
    for one in verdicts:
        if one.id in lapsing.changed:
            told = further_entry(
                stamp, tenant, "review.undone", subject=review.id, case_id=review.case_id, who=one.who,
                verdict=one.digest, changed=lapsing.changed[one.id],
            )  # fmt: skip
            writes += [Write(UNDO_VERDICTS, UndoneVerdict(id=one.id, undone_at=stamp.now)), told]
    return writes


async def read_lapsed(
    database: Database,
    tenant: UUID,
    review: Review,
    verdicts: Sequence[StoredVerdict],
    in_force: Mapping[str, str] = NOTHING,
) -> Lapsing:
    """See which verdicts count no more.

    Args:
        database: Where what has come in stands.
        tenant: Whose.
        review: Of what they are.
        verdicts: Those that stand.
        in_force: What decides now what happens on each choice, by its name in ``shown``, as far as it is known.
    """
    asked = [AskedEvidence(id=review.id, who=one.who, case_id=review.case_id) for one in verdicts]
    if not asked:
        return Lapsing(MappingProxyType({}), ())
    async with database.tenant(tenant) as connection:
        found = {one.who: one for one in await EVIDENCE_OF.all(connection, ask_of(asked))}
        people = [one.who for one in verdicts if one.kind == ActorKind.PERSON]
        shut_out = set(await SHUT_OUT.all(connection, {"names": people}) if people else ())
    changed: dict[UUID, tuple[str, ...]] = {}
    still: list[Condition] = []
    for verdict, one in zip(verdicts, asked, strict=True):
        now = found.get(verdict.who) or Evidence(review.id, verdict.who, "", "", "")
        gone = ("account",) if verdict.who in shut_out else ()
        parts = (*differs_from(verdict.shown, {**in_force, **now.facts}), *gone)
        if parts:
            changed[verdict.id] = parts
        elif verdict.shown is not None:
            still.append(StillShows(one, now, NOTHING, lambda: NOTHING))
    return Lapsing(changed, tuple(still))
