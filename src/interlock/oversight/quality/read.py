"""Reading people's figures: one's own at any time, others' only once they could see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.oversight.quality.figures import (
    FEWEST,
    Figures,
    figures_of,
    may_show,
)
from interlock.oversight.quality.store import (
    ADD_SEEN,
    ANSWERS_SINCE,
    CHECKED_KNOWN,
    CHECKED_OUTCOMES,
    CHECKED_SECOND,
    DISAGREEMENTS,
    FIRST_ANSWERS,
    REMARKS_OF,
    REVEALED_TO,
    SEEN_BY,
    Disagreement,
    NewSeen,
    Remark,
    ShownCase,
)
from interlock.oversight.work_store import PLAN_AS_ASKED

WINDOW = timedelta(days=28)
LONGEST_REMARK = 1000
MOST_ANSWERS = 3000
"""The newest answers that figures are of; a page says where there are more."""
_MOST_SHOWN = 50


class Mine(msgspec.Struct, frozen=True, kw_only=True):
    """What a person sees of themselves.

    Attributes:
        figures: Their figures over four weeks.
        cut: They are of the newest ``MOST_ANSWERS`` answers alone: there are more.
        revealed: The known cases that they answered, the newest first.
        remarks: What they said of their figures.
    """

    figures: Figures
    cut: bool
    revealed: tuple[ShownCase, ...]
    remarks: tuple[Remark, ...]


class Others(msgspec.Struct, frozen=True, kw_only=True):
    """What a lead sees.

    Attributes:
        everybody: All answers together; None: of too few people, each of whom could be told.
        cut: All of it is of the newest ``MOST_ANSWERS`` answers alone: there are more.
        people: The figures of those who have seen theirs, or could for a week.
        withheld: Of how many people nothing is shown yet.
        remarks: What these people say of their figures.
    """

    everybody: Figures | None
    cut: bool
    people: tuple[Figures, ...]
    withheld: int
    remarks: tuple[Remark, ...]


async def read_mine(database: Database, tenant: UUID, who: str, now: datetime) -> Mine:
    """One's own figures."""
    asked = {"since": now - WINDOW, "who": who, "most": MOST_ANSWERS}
    async with database.tenant(tenant) as connection:
        await PLAN_AS_ASKED.all(connection)
        answers = await ANSWERS_SINCE.all(connection, asked)
        known = await CHECKED_KNOWN.all(connection, asked)
        second = await CHECKED_SECOND.all(connection, asked)
        outcomes = await CHECKED_OUTCOMES.all(connection, asked)
        revealed = await REVEALED_TO.all(connection, {**asked, "most": _MOST_SHOWN})
        remarks = await REMARKS_OF.all(connection, asked)
    return Mine(
        figures=figures_of(who, answers, known, second, outcomes),
        cut=len(answers) >= MOST_ANSWERS,
        revealed=tuple(revealed),
        remarks=tuple(remarks),
    )


async def note_seen(database: Database, tenant: UUID, who: str, now: datetime, remark: str = "") -> None:
    """Note that somebody has their figures before them, and what they say of them; once an hour without a remark."""
    async with database.tenant(tenant) as connection:
        seen = {row.person: row.seen_at for row in await SEEN_BY.all(connection, {"since": now - timedelta(hours=1)})}
        if who in seen and not remark:
            return
        row = NewSeen(id=database.clock.next_id(), tenant=tenant, person=who, seen_at=now, remark=remark)
        await ADD_SEEN.run(connection, [row])


async def read_others(database: Database, tenant: UUID, now: datetime) -> Others:
    """Everybody's figures together, and each person's who has seen theirs."""
    asked = {"since": now - WINDOW, "who": None, "most": MOST_ANSWERS}
    async with database.tenant(tenant) as connection:
        await PLAN_AS_ASKED.all(connection)
        newest = await ANSWERS_SINCE.all(connection, asked)
        answers = _by_who(newest)
        known = _by_who(await CHECKED_KNOWN.all(connection, asked))
        second = _by_who(await CHECKED_SECOND.all(connection, asked))
        outcomes = _by_who(await CHECKED_OUTCOMES.all(connection, asked))
        since = {"since": now - 2 * WINDOW}
        first = {
            row.who: row.first_at for row in await FIRST_ANSWERS.all(connection, since | {"people": list(answers)})
        }
        seen = {row.person: row.seen_at for row in await SEEN_BY.all(connection, since)}
        remarks = await REMARKS_OF.all(connection, asked)
    found = [figures_of(who, answers[who], known[who], second[who], outcomes[who]) for who in sorted(answers)]
    shown = tuple(one for one in found if may_show(one, first.get(one.who), seen.get(one.who), now))
    names = {one.who for one in shown}
    together = None
    if len(found) >= FEWEST:
        together = figures_of(
            "everybody", _all(answers.values()), _all(known.values()), _all(second.values()), _all(outcomes.values())
        )
        together = msgspec.structs.replace(together, signs=())  # a run is one person's
    return Others(
        everybody=together,
        cut=len(newest) >= MOST_ANSWERS,
        people=shown,
        withheld=len(found) - len(shown),
        remarks=tuple(one for one in remarks if one.person in names),
    )


async def read_disagreements(database: Database, tenant: UUID, now: datetime) -> tuple[Disagreement, ...]:
    """The second looks of four weeks at which the second person said something else, the newest first.

    Nobody is named: a lead who wants to talk of one opens the two reviews.
    """
    async with database.tenant(tenant) as connection:
        return tuple(await DISAGREEMENTS.all(connection, {"since": now - WINDOW, "most": _MOST_SHOWN}))


class _OfPerson(Protocol):
    @property
    def who(self) -> str: ...


T = TypeVar("T", bound=_OfPerson)


def _by_who(rows: Iterable[T]) -> defaultdict[str, list[T]]:
    found: defaultdict[str, list[T]] = defaultdict(list)
    for row in rows:
        found[row.who].append(row)
    return found


def _all(lists: Iterable[list[T]]) -> list[T]:
    return [one for part in lists for one in part]
