"""The hub: one a process, between the wakes of commits and the pages that are open.

    commit -> wake ``topic@tenant`` (NOTIFY, every process) -> hub -> that tenant's streams that want the topic -> page

What waits for a page is a set of its topics and nothing else, so that a page that reads slowly costs no memory: it
hears later, and of everything at once. The page then asks for its parts, and is answered what its person may see.

INVARIANT: a stream hears of its own tenant and of what concerns every tenant; never of another's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

from interlock.clock import Clock
from interlock.console.presence import Here, Presence, read_presence
from interlock.db.news import MANY, TOPICS, read_news
from interlock.db.signals import Notifier
from interlock.errors import LimitReached

TOGETHER_S = 0.03
"""News that come within this time of the first go with it."""
PAUSE_S = 0.25
"""Between two messages to one page: at most four a second."""
BEAT_S = 10.0
"""How often a quiet stream says that it lives, and presence is told to other processes."""
MOST_STREAMS = 2_000
MOST_OF_ONE = 24
"""Streams of one session: a browser opens six to a host, and pages that were left may linger."""
_COUNTED = frozenset(TOPICS.values())
APART = timedelta(seconds=0.5)
"""How far apart the clocks of the process that made a page and of the one that it follows may be."""
_MOST_REMEMBERED = 4_096
"""Topics of which the hub knows when it heard of them last, for pages that were made before and follow only now."""


class Stream:
    """One open page's share of the news.

    Attributes:
        tenant: Whose news.
        session: The session whose page it is.
        topics: What it listens to.
        here: The item that it shows, if it shows one.
    """

    def __init__(self, tenant: UUID, session: UUID, topics: Iterable[str], here: Here | None) -> None:
        self.tenant = tenant
        self.session = session
        self.topics = frozenset(topics)
        self.here = here
        self.ended = False
        self._items = any(topic.startswith("item:") for topic in self.topics)
        self._pending: set[str] = set()
        self._woken = asyncio.Event()

    def hear(self, topic: str) -> None:
        """Take note of news, if the page listens to it."""
        if topic in self.topics:
            self._pending.add(topic)
        elif topic == MANY and self._items:
            self._pending |= {one for one in self.topics if one.startswith("item:")}
        else:
            return
        self._woken.set()

    def end(self) -> None:
        """The process stops serving: the page is to ask elsewhere, or later."""
        self.ended = True
        self._woken.set()

    async def wait(self, seconds: float) -> tuple[str, ...]:
        """The topics that there is news of; none if nothing came within the time, or the stream is to end."""
        # no wait_for: in Python 3.11 it swallows a cancellation that comes together with the news
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
            if not self.ended:
                await asyncio.sleep(TOGETHER_S)
        self._woken.clear()
        heard = tuple(sorted(self._pending))
        self._pending.clear()
        return heard


class Hub:
    """Hands news to open pages, and knows who has what open.

    Args:
        notifier: Brings every process's wakes.
        clock: Tells when they came.
    """

    def __init__(self, notifier: Notifier, clock: Clock) -> None:
        self._notifier = notifier
        self._clock = clock
        self._streams: dict[UUID, set[Stream]] = {}
        self._of: Counter[UUID] = Counter()
        self._presence = Presence()
        self._beating: asyncio.Task[None] | None = None
        self._ended = False
        self._turns: Counter[tuple[UUID | None, str]] = Counter()
        self._heard_at: dict[tuple[UUID | None, str], datetime] = {}
        self._knows_since = clock.now()
        notifier.listen_to_all(self._hear)

    def require_room(self, session: UUID) -> None:
        """See that one more page can be followed.

        Raises:
            LimitReached: too many pages are open already, in the session or in the process.
        """
        if self._of[session] >= MOST_OF_ONE or self._of.total() >= MOST_STREAMS:
            raise LimitReached(
                "too many pages are open", todo="close some; this one works, but does not follow by itself"
            )

    @asynccontextmanager
    async def streaming(
        self,
        tenant: UUID,
        session: UUID,
        topics: Iterable[str],
        *,
        item: UUID | None = None,
        name: str = "",
        made_at: datetime | None = None,
    ) -> AsyncGenerator[Stream]:
        """A page's stream, as long as it is open.

        Args:
            tenant: Whose news.
            session: Whose page.
            topics: What it listens to.
            item: The item that it shows: others then see who has it open.
            name: Who has it open.
            made_at: When the page was made: it hears at once of what came since. None: of nothing.
        """
        here = Here(tenant, item, name, secrets.token_hex(4)) if item and name else None
        stream = Stream(tenant, session, topics, here)
        stream.ended = self._ended
        self._streams.setdefault(tenant, set()).add(stream)
        self._of[session] += 1
        if made_at is not None:
            self._catch_up(stream, made_at - APART)
        if here:
            self._notifier.wake(here.wake("here"))
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat(), name="interlock-live")
        try:
            yield stream
        finally:
            self._leave(stream)

    def _catch_up(self, stream: Stream, since: datetime) -> None:
        for topic in (*stream.topics, MANY):
            heard = (self._heard_at.get((whose, topic), self._knows_since) for whose in (stream.tenant, None))
            if max(heard) >= since:
                stream.hear(topic)

    def _tell(self, tenant: UUID | None, topic: str) -> None:
        if len(self._heard_at) >= _MOST_REMEMBERED:
            self._heard_at.clear()
            self._knows_since = self._clock.now()
        self._heard_at[tenant, topic] = self._clock.now()
        for stream in self._to(tenant):
            stream.hear(topic)

    def _leave(self, stream: Stream) -> None:
        of_tenant = self._streams[stream.tenant]
        of_tenant.discard(stream)
        if not of_tenant:
            del self._streams[stream.tenant]
        self._of[stream.session] -= 1
        if not self._of[stream.session]:
            del self._of[stream.session]
        if stream.here:
            self._notifier.wake(stream.here.wake("gone"))

    def names(self, tenant: UUID, item: UUID) -> tuple[str, ...]:
        """Who has an item open, each once."""
        return self._presence.names(tenant, item)

    def turn(self, tenant: UUID, *topics: str) -> int:
        """Grows with each news of these topics: what was made at another turn may lack some."""
        return sum(self._turns[whose, topic] for whose in (tenant, None) for topic in topics)

    def end(self) -> None:
        """End every stream, and give no more: the process stops serving."""
        self._ended = True
        for stream in [one for of_tenant in self._streams.values() for one in of_tenant]:
            stream.end()
        if self._beating:
            self._beating.cancel()

    def _hear(self, wake: str) -> None:
        news = read_news(wake)
        if news is None:
            return
        topic, tenant = news
        presence = read_presence(topic, tenant)
        if presence:
            came, here = presence
            now = asyncio.get_running_loop().time()
            if self._presence.come(here, now) if came else self._presence.go(here):
                self._tell_presence(here)
            return
        if topic in _COUNTED:
            self._turns[tenant, topic] += 1
        self._tell(tenant, topic)

    def _to(self, tenant: UUID | None) -> list[Stream]:
        if tenant is not None:
            return list(self._streams.get(tenant, ()))
        return [stream for of_tenant in self._streams.values() for stream in of_tenant]

    def _tell_presence(self, here: Here) -> None:
        self._turns[here.tenant, "presence"] += 1
        self._tell(here.tenant, f"present:{here.item}")
        self._tell(here.tenant, "presence")

    async def _beat(self) -> None:
        """Tell the others who is here, and forget whom nobody tells of any more, while a page is open."""
        while self._streams and not self._ended:
            await asyncio.sleep(BEAT_S)
            here = [one.here for of_tenant in self._streams.values() for one in of_tenant if one.here]
            self._notifier.wake(*(one.wake("here") for one in here))
            for late in self._presence.expire(asyncio.get_running_loop().time()):
                self._tell_presence(late)


async def follow(stream: Stream, *, valid: Callable[[], Awaitable[bool]], every_s: float) -> AsyncGenerator[bytes]:
    """The messages of a stream, as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.

    Args:
        stream: Whose.
        valid: Whether its session still holds.
        every_s: How often that is asked.
    """
    loop = asyncio.get_running_loop()
    asked = loop.time()
    yield _message("hello", "")
    while not stream.ended:
        heard = await stream.wait(BEAT_S)
        if loop.time() - asked >= every_s:
            asked = loop.time()
            if not await valid():
                yield _message("ended", "")
                return
        if stream.ended:
            break
        yield _message("news", " ".join(heard)) if heard else _message("beat", "")
        if heard:
            await asyncio.sleep(PAUSE_S)
    yield _message("drained", "")


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()
