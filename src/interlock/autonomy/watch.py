"""What is certified, as one process knows it: watched, read once, swapped in one assignment.

Every process looks at each notification and four times a second. What it says is for the decision; what counts is
read once more in the very commit (see ``gate``).

INVARIANT: a process that cannot read what counts lets nothing go by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Self
from uuid import UUID

import msgspec
import psycopg

from interlock.autonomy.certificate import Certificate, Certified, read_certificate
from interlock.autonomy.standing import Standing, standing_of, why_expired
from interlock.autonomy.store import (
    AUTONOMY_EVERYWHERE,
    CHANNEL,
    FIND_CERTIFICATE,
    LETS_GO,
    AutonomyState,
    CountsSomewhere,
    StoredCertificate,
)
from interlock.autonomy.terms import AutonomyTerms
from interlock.db.database import Database
from interlock.db.signals import Notifier, news_within
from interlock.errors import DatabaseUnavailable, InterlockError, NotFound, StateConflict

POLL_S = 0.25
STALE_S = 5.0
"""After so long without having read what counts, nothing counts: the commit would refuse it anyway."""
NEVER = "none was issued for this point"
UNREAD = "what is certified cannot be read now"
_STATES: Mapping[AutonomyState, str] = MappingProxyType(
    {
        AutonomyState.WITHDRAWN: "the last one was withdrawn",
        AutonomyState.REFUSED: "there was too little evidence for one",
    }
)
_Key = tuple[UUID, str, str]
log = logging.getLogger("interlock.autonomy")


@dataclass(slots=True)
class _Known:
    """What counts at one point.

    Attributes:
        row: As it stands.
        certificate: What it says, once it is read; in words, why it is not used.
        held: Against these terms and this digest of the point, what counts.
    """

    row: CountsSomewhere
    certificate: Certificate | str
    held: tuple[AutonomyTerms, str, Standing | str] | None = field(default=None)


class Certificates:
    """What is certified in every tenant; a quarter of a second late at worst while the database answers.

    Args:
        database: Where it is.
        notifier: Says when there is news.
        wanted: Workflow and point of those that declare their autonomy; without any nothing is watched.
        poll_s: How often it looks when there is no news.
    """

    def __init__(
        self, database: Database, notifier: Notifier, wanted: frozenset[tuple[str, str]], *, poll_s: float = POLL_S
    ) -> None:
        self._database = database
        self._wanted = wanted
        self._poll_s = poll_s
        self._news = asyncio.Event()
        self._known: Mapping[_Key, _Known] = MappingProxyType({})
        self._read_at = -STALE_S
        self._loop: asyncio.Task[None] | None = None
        notifier.listen(CHANNEL, self._news.set)

    async def __aenter__(self) -> Self:
        if self._wanted:
            with contextlib.suppress(InterlockError, psycopg.Error):
                await self.look()  # nothing is decided before it is known what counts
            self._loop = asyncio.create_task(self._watch(), name="interlock-autonomy")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    def in_force(
        self, tenant: UUID, workflow: str, point: str, terms: AutonomyTerms, digest: str, now: datetime
    ) -> Standing | str:
        """What counts at a point; in words, why nothing does.

        Args:
            tenant: Whose.
            workflow: The workflow.
            point: Its decision point.
            terms: What it states: a certificate that was derived under others does not count.
            digest: Of what else its file says: nor does one that was derived under another.
            now: The time of the decision.
        """
        if time.monotonic() - self._read_at > STALE_S:
            return UNREAD
        known = self._known.get((tenant, workflow, point))
        if known is None:
            return NEVER
        until = known.row.valid_until
        if known.row.state in LETS_GO and until is not None and until <= now:
            return why_expired(until)
        if known.held is None or known.held[0] is not terms or known.held[1] != digest:
            known.held = (terms, digest, _held(known, terms, digest))
        return known.held[2]

    async def _watch(self) -> None:
        while (task := asyncio.current_task()) and not task.cancelling():
            await news_within(self._news, self._poll_s)
            try:
                await self.look()
            except (DatabaseUnavailable, NotFound, psycopg.Error):
                log.warning("what is certified cannot be read now; looking again")
            except Exception:
                # whatever goes wrong here, the process must not stay for ever with what counted before
                log.exception("what is certified could not be looked at; looking again")

    async def look(self) -> None:
        """Read what counts now; each certificate's content once."""
        began = time.monotonic()
        async with self._database.installation() as connection:
            rows = await AUTONOMY_EVERYWHERE.all(connection)
        fresh: dict[_Key, _Known] = {}
        for row in rows:
            if (row.workflow, row.point) in self._wanted:
                key = (row.tenant, row.workflow, row.point)
                before = self._known.get(key)
                fresh[key] = before if before is not None and before.row == row else await self._read(row, before)
        # INVARIANT: all of it takes effect by this one assignment.
        self._known = MappingProxyType(fresh)
        self._read_at = began

    async def _read(self, row: CountsSomewhere, before: _Known | None) -> _Known:
        if row.certificate is None or row.state not in LETS_GO:
            return _Known(row, _STATES.get(row.state, NEVER))
        if (
            before is not None
            and before.row.certificate == row.certificate
            and isinstance(before.certificate, Certificate)
        ):
            return _Known(row, before.certificate)
        async with self._database.tenant(row.tenant) as connection:
            stored = await FIND_CERTIFICATE.one(connection, {"id": row.certificate})
        read = opened(stored, row.tenant, row.workflow, row.point)
        if isinstance(read, str):
            log.error("the certificate %s is not used: %s", row.certificate, read)
        return _Known(row, read)


def _held(known: _Known, terms: AutonomyTerms, digest: str) -> Standing | str:
    certificate, row = known.certificate, known.row
    if isinstance(certificate, str) or row.certificate is None:
        return str(certificate)
    return held_to(terms, digest, certificate, row.certificate, row.turn, row.threshold)


def held_to(
    terms: AutonomyTerms, digest: str, certificate: Certificate, id_: UUID, turn: int, threshold: str
) -> Standing | str:
    """A certificate as it counts under what its point states; in words, why it does not count.

    INVARIANT: what the file said beside the terms is a part of it, too: a condition that is taken away, or another
    place of the money at stake, widens nothing under a certificate that was derived with it.
    """
    if certificate.terms_digest != terms.digest.hex():
        return f"the terms of the point are not those of the last one ({id_})"
    if certificate.point_digest != digest:
        return f"the file says something else of the point than when the last one ({id_}) was derived"
    if certificate.currency != terms.currency:
        return f"the last one ({id_}) is in {certificate.currency}, the terms are in {terms.currency}"
    try:
        return standing_of(id_, turn, certificate, terms, threshold)
    except (ValueError, ZeroDivisionError):
        return f"what counts of the last one ({id_}) is no threshold: {threshold!r}"


def opened(stored: StoredCertificate | None, tenant: UUID, workflow: str, point: str) -> Certificate | str:
    """A certificate from its row; in words, why it is not used.

    Args:
        stored: The row; None: there is none.
        tenant: Whose it must be.
        workflow: Of which workflow.
        point: Of which point.
    """
    if stored is None:
        return "it is not on record"
    try:
        certificate = read_certificate(stored.content)
    except (msgspec.MsgspecError, StateConflict) as cause:
        return cause.what if isinstance(cause, StateConflict) else "its content cannot be read"
    if hashlib.sha256(stored.content).digest() != stored.digest:
        return "its content is not what its digest says"
    if certificate.content != stored.content:
        return "another version of Interlock issued it, which says other things in its form: certify the point anew"
    if (certificate.tenant, certificate.workflow, certificate.point) != (tenant, workflow, point):
        return "it was issued for another point"
    return next(_unsound(certificate), certificate)


def _unsound(certificate: Certificate) -> Iterator[str]:
    """What no certificate says: it would let go what nobody tested."""
    if certificate.goal not in ("loss", "rate") or certificate.cap < 0 or _fraction(certificate.threshold) is None:
        yield "its threshold or its cap is none"
    if not all(map(_is_sound, certificate.components)):
        yield "what it says of a component is no probability that falls with confidence"
    named = [(one.digest, one.segment) for one in certificate.components]
    if len(set(named)) != len(named):
        yield "it says two things of one component and segment"


def _is_sound(one: Certified) -> bool:
    return all(0 < step.wrong <= 1 and 0 <= step.confidence <= 1 for step in one.steps) and all(
        lower.confidence < upper.confidence and lower.wrong >= upper.wrong for lower, upper in pairwise(one.steps)
    )


def _fraction(text: str) -> Fraction | None:
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return found if found >= 0 else None
