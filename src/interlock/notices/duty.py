"""The duty of telling people: find what is to be told, and send it. Every process does it; each notice is one's.

A notice is written once, by the digest of whom it tells what; two processes that find it at once write it once. It is
sent at least once: a process that dies between sending and the record leaves a claim that ends, and the next one sends
the same letter under the same id. A channel that fails delays only itself.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from interlock.db.database import Database
from interlock.db.gates import short_digest
from interlock.db.keep_doing import keep_doing
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import InterlockError, NotFound
from interlock.ledger.ledger import first_entry
from interlock.money import Money
from interlock.notices.notice import Fact, NewNotice, Notice, notices_of
from interlock.notices.send import send
from interlock.notices.store import (
    ADD_NOTICES,
    CLAIM_NOTICES,
    END_NOTICES,
    FORGET_NOTICES,
    NOTICE_DIGEST,
    NOTICE_FACTS,
    NOTICE_READERS,
    EndedLetter,
    QueueStands,
)
from interlock.notify_settings import Event, NotifySettings
from interlock.oversight.index import NO_RATES, Worth

EVERY_S = 5.0
FRESH = timedelta(days=1)
"""What is older is told no more: whoever sets a channel up is not told the past."""
KEPT = timedelta(days=30)
"""What was told is forgotten after that, and what could not be sent, too."""
MOST_FORGOTTEN = 500
"""At once: the next round goes on."""
MOST_FACTS = 2000
MOST_CLAIMED = 1000
CLAIM = timedelta(seconds=60)
MOST_ATTEMPTS = 12
_NOBODY: Mapping[str, str] = MappingProxyType({})
_PART = 20
"""It takes no more than one part in so many of the time."""
log = logging.getLogger("interlock.notices")


async def gather(
    database: Database,
    tenant: UUID,
    channels: Sequence[NotifySettings],
    stand_ins: Mapping[str, str],
    worth: Worth = NO_RATES,
    owners: Mapping[str, str] = _NOBODY,
) -> int:
    """Write down what is to be told and was not before; how much there is.

    Args:
        database: Where it is.
        tenant: Whose.
        channels: Who is told of what.
        stand_ins: Who stands in for the owner of each workflow.
        worth: What amounts count for in the order of work.
        owners: Who answers for each workflow.
    """
    now = database.clock.now()
    dearest = max((1.0, *worth.rates.values()))  # of a currency without minor units
    urgent = min((int(float(one.above) / dearest) for one in channels), default=0)
    asked = {
        "now": now, "since": now - FRESH, "urgent": urgent, "most": MOST_FACTS,
        "channels": [one.name for one in channels],
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        facts = await NOTICE_FACTS.all(connection, asked)
        readers = await NOTICE_READERS.all(connection)
        stands = await NOTICE_DIGEST.all(connection) if any(one.digest for one in channels) else []
        found: dict[UUID, NewNotice] = {}
        for channel in channels:
            told = [*facts, *digest_of(channel, stands, now)]
            found |= {one.id: one for one in notices_of(tenant, channel, told, readers, stand_ins, now, worth, owners)}
        return await ADD_NOTICES.run(connection, list(found.values())) if found else 0


def digest_of(channel: NotifySettings, stands: Sequence[QueueStands], now: datetime) -> list[Fact]:
    """The digest of this hour or day, if the channel has one and something waits."""
    if not channel.digest or not stands:
        return []
    stage = f"{now:%Y-%m-%dT%H}" if channel.digest == "hourly" else f"{now:%Y-%m-%d}"
    said: list[str] = []
    for one in stands:
        if channel.queues and one.queue not in channel.queues:
            continue
        amount = Money.of_columns(one.exposure_minor, one.currency) if channel.amounts and one.currency else None
        at_stake = f", {amount} at stake" if amount else ""
        said.append(f"{one.queue}: {one.waiting} wait, the oldest since {one.oldest:%Y-%m-%d %H:%M} UTC{at_stake}")
    if not said:
        return []
    return [
        Fact(
            kind=Event.DIGEST, subject=short_digest(b"digest", stage.encode()), stage=stage, item="queue", person=None,
            team=None, queue=None, workflow=None, what="\n".join(said), exposure_minor=None, currency=None, urgency=0,
        )
    ]  # fmt: skip


async def forget(database: Database, tenant: UUID) -> int:
    """Forget some of what is older than it is kept; how many notices.

    Args:
        database: Where it is.
        tenant: Whose.
    """
    now = database.clock.now()
    async with database.tenant(tenant) as connection:
        asked = {"before": now - KEPT, "now": now, "most": MOST_FORGOTTEN}
        return len(await FORGET_NOTICES.all(connection, asked))


async def deliver(
    database: Database, writer: Writer, tenant: UUID, channel: NotifySettings, public_url: str
) -> tuple[int, int]:
    """Send what waits in a channel; how many letters went, and how many did not.

    Args:
        database: Where it is.
        writer: For the record.
        tenant: Whose.
        channel: Which.
        public_url: Where people reach the console.
    """
    now = database.clock.now()
    asked = {
        "channel": channel.name, "now": now, "until": now + CLAIM, "most": MOST_CLAIMED,
        "most_per_hour": channel.most_per_hour,
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        claimed = await CLAIM_NOTICES.all(connection, asked)
    letters: defaultdict[UUID, list[Notice]] = defaultdict(list)
    for one in sorted(claimed, key=lambda one: one.id):
        letters[one.letter].append(one)
    sent = 0
    for letter, notices in letters.items():
        if database.clock.now() > now + CLAIM / 2:
            break  # the others' claims end, and the next round sends them
        try:
            await send(channel, notices, public_url, database.clock.now())
        except InterlockError as cause:
            log.warning("a notice could not be sent: %s", cause.what)
            await _fail(database, writer, tenant, letter, notices, cause.what)
        else:
            sent += 1
            await _record(writer, tenant, letter, notices)
    return sent, len(letters) - sent


async def _record(writer: Writer, tenant: UUID, letter: UUID, notices: Sequence[Notice]) -> None:
    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, tenant, "notice.sent", subject=letter, channel=notices[0].channel, notices=len(notices),
            about=sorted({str(one.subject) for one in notices})[:20],
        )  # fmt: skip
        return [Write(END_NOTICES, EndedLetter(letter=letter, sent_at=stamp.now)), entry]

    await writer.write(Unit(tenant, build))


async def _fail(
    database: Database, writer: Writer, tenant: UUID, letter: UUID, notices: Sequence[Notice], why: str
) -> None:
    attempts = max(one.attempts for one in notices)
    if attempts < MOST_ATTEMPTS:
        again = database.clock.now() + timedelta(seconds=min(30 * 2**attempts, 3600))
        async with database.tenant(tenant) as connection:
            await END_NOTICES.run(connection, [EndedLetter(letter=letter, due_at=again, error=why[:500])])
        return

    def build(stamp: Stamp) -> Sequence[Write]:
        row = EndedLetter(letter=letter, failed_at=stamp.now, error=why[:500])
        entry = first_entry(
            stamp, tenant, "notice.given_up", subject=letter, channel=notices[0].channel, notices=len(notices), why=why
        )
        return [Write(END_NOTICES, row), entry]

    await writer.write(Unit(tenant, build))


async def keep_telling(
    database: Database,
    writer: Writer,
    tenant: str,
    channels: Sequence[NotifySettings],
    stand_ins: Mapping[str, str],
    public_url: str,
    worth: Worth,
    owners: Mapping[str, str] = _NOBODY,
) -> None:
    """Tell people while the process runs; each channel by itself, and of one tenant alone.

    A chat or a webhook is one place, and whoever reads there is somebody's: no channel tells of a tenant that is not
    named for it.

    Args:
        database: Where it is.
        writer: For the record.
        tenant: The name of the process's own, of which a channel tells that names none.
        channels: Who is told of what.
        stand_ins: Who stands in for the owner of each workflow.
        public_url: Where people reach the console.
        worth: What amounts count for in the order of work.
        owners: Who answers for each workflow.
    """
    of_tenant: defaultdict[str, list[NotifySettings]] = defaultdict(list)
    for channel in channels:
        of_tenant[channel.tenant or tenant].append(channel)

    async def gathering(name: str) -> None:
        whose = await _tenant_named(database, name)
        await gather(database, whose, of_tenant[name], stand_ins, worth, owners)
        await forget(database, whose)

    async def delivering(name: str, channel: NotifySettings) -> None:
        await deliver(database, writer, await _tenant_named(database, name), channel, public_url)

    async with asyncio.TaskGroup() as group:
        for name, its in of_tenant.items():
            gathered = functools.partial(gathering, name)
            group.create_task(keep_doing(f"notices of the tenant {name}", gathered, EVERY_S, part=_PART))
            for channel in its:
                told = functools.partial(delivering, name, channel)
                group.create_task(keep_doing(f"notices of {channel.name}", told, EVERY_S, part=_PART))


async def _tenant_named(database: Database, name: str) -> UUID:
    """The tenant of a channel, which may be made after this process has started.

    Raises:
        NotFound: there is none.
    """
    if found := await database.find_tenant(name):
        return found
    raise NotFound(
        f"there is no tenant {name}", where="notify", todo="make one of its people or keys, or mend `tenant`"
    )
