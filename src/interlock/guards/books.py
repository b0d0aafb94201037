"""The buckets of one tenant while they are locked: who may draw, and what they hold from then on. Pure.

INVARIANT: an action draws everything that it needs, or nothing; what is refused changes no bucket, and holds what it
held. It never holds one amount in two periods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from interlock.db.work import Refusal
from interlock.guards.bucket import BucketKey, Draw, Pace, arrival_after, next_arrival
from interlock.guards.span import Lasts


@dataclass(frozen=True, slots=True)
class Taken:
    """What an action holds of a bucket.

    Attributes:
        action_id: Whose.
        bucket: The original bucket, however late it is settled or given back.
        amount: How much.
    """

    action_id: UUID
    bucket: BucketKey
    amount: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """A sum has come to the share of its limit at which something stops.

    Attributes:
        scope: What stops.
        why: In a sentence.
        until: When it goes on by itself; None: when a person resumes it.
    """

    scope: str
    why: str
    until: datetime | None = None


@dataclass(slots=True)
class Books:
    """The buckets of one tenant while they are locked.

    Attributes:
        used: What each bucket holds.
        held: What actions hold, by action and guard.
        changed: The buckets that hold something else now.
        taken: What was reserved now.
        alarms: What stops from now on, by scope.
    """

    used: dict[BucketKey, int] = field(default_factory=dict[BucketKey, int])
    held: dict[UUID, dict[str, Taken]] = field(default_factory=dict[UUID, dict[str, Taken]])
    changed: set[BucketKey] = field(default_factory=set[BucketKey])
    taken: list[Taken] = field(default_factory=list[Taken])
    alarms: dict[str, Alarm] = field(default_factory=dict[str, Alarm])
    _periods: dict[BucketKey, set[BucketKey]] = field(default_factory=dict[BucketKey, set[BucketKey]])

    def open(self, bucket: BucketKey, used: int) -> None:
        """Take a bucket in as it is stored."""
        self.used[bucket] = used
        self._periods.setdefault(bucket.head, set()).add(bucket)

    def hold(self, taken: Taken) -> None:
        """Take a reservation in as it is stored."""
        self.held.setdefault(taken.action_id, {})[taken.bucket.guard] = taken

    def give_back(self, action_id: UUID) -> None:
        """Empty the original buckets of what an action holds."""
        for taken in self.held.pop(action_id, {}).values():
            self._put(taken.bucket, self.used.get(taken.bucket, 0) - taken.amount)

    def draw(
        self, action_id: UUID, draws: Iterable[Draw], paces: Iterable[Pace], now: datetime, *, doubtful: bool = False
    ) -> Refusal | None:
        """Take everything that one dispatch of an action needs, or nothing and say why.

        What an earlier attempt reserved, which surely had no effect, is given back and drawn anew: the effect counts in
        the period in which it can happen.

        Args:
            action_id: The action.
            draws: What it draws on.
            paces: The rates that it must keep, at each attempt.
            now: The database's time, taken after the lock.
            doubtful: Whether an earlier attempt may have taken effect: then what it holds stays where it was taken.
        """
        holds = self.held.get(action_id, {})
        new = [draw for draw in draws if draw.each_attempt or not doubtful or draw.guard not in holds]
        alarm = next((self.alarms[draw.stops] for draw in new if draw.stops in self.alarms), None)
        if alarm:
            return Refusal("stopped", f"{alarm.scope} was stopped: {alarm.why}", until=alarm.until)
        back = [holds[draw.guard] for draw in new if draw.guard in holds]
        refusal = self._refuse(new, now, {taken.bucket: taken.amount for taken in back})
        if refusal:
            return refusal
        arrivals: list[tuple[BucketKey, int]] = []
        for pace in paces:
            used = self.used.get(pace.bucket, 0)
            _, again = next_arrival(used, pace.rate, now)
            if again and not pace.made:
                return Refusal("rate", f"{pace.bucket.guard} is used up", until=again)
            arrivals.append((pace.bucket, arrival_after(used, pace.rate, now)))
        for bucket, arrival in arrivals:
            self._put(bucket, arrival)
        self._take(action_id, new, back, now)
        return None

    def _take(self, action_id: UUID, new: Sequence[Draw], back: Iterable[Taken], now: datetime) -> None:
        before = {draw.guard: sum(self._counted(draw, now).values()) for draw in new if draw.stops_at}
        for taken in back:
            self._put(taken.bucket, self.used.get(taken.bucket, 0) - taken.amount)
        for draw in new:
            bucket = draw.bucket(now)
            self._put(bucket, self.used.get(bucket, 0) + draw.amount)
            if not draw.each_attempt:
                taken = Taken(action_id, bucket, draw.amount)
                self.hold(taken)
                self.taken.append(taken)
            if draw.stops_at:
                self._watch(draw, before[draw.guard], now)

    def _watch(self, draw: Draw, before: int, now: datetime) -> None:
        """Raise the alarm when a sum comes to its share: then alone, so that whoever resumes is not stopped again.

        An action that is sent again within the same stretch of time brings nothing there: its amount was counted.
        """
        spent = sum(self._counted(draw, now).values())
        if before < draw.stops_at <= spent:
            held = f"{draw.shown(spent)} of {draw.shown(draw.most)}"
            why = f"{draw.guard} holds {held}, the share at which it stops by itself"
            self._raise(Alarm(draw.stops, why, now + draw.pause if draw.pause else None))

    def _raise(self, alarm: Alarm) -> None:
        """Of two shares that are reached at once, the one that stops longer stands."""
        known = self.alarms.get(alarm.scope)
        if known is None or (known.until and (alarm.until is None or alarm.until > known.until)):
            self.alarms[alarm.scope] = alarm

    def _refuse(self, draws: Iterable[Draw], now: datetime, back: Mapping[BucketKey, int]) -> Refusal | None:
        """Every limit that would be passed, and when all of them have room, if time makes room in all.

        Args:
            draws: What would be taken.
            now: When.
            back: What would be given back first, by bucket.
        """
        spent = [(draw, self._counted(draw, now, back)) for draw in draws]
        over = [(draw, counted) for draw, counted in spent if sum(counted.values()) + draw.amount > draw.most]
        if not over:
            return None
        rooms = [_room(draw, counted, now) for draw, counted in over]
        said = [_over(draw, sum(counted.values()), room) for (draw, counted), room in zip(over, rooms, strict=True)]
        known = [room for room in rooms if room is not None]
        return Refusal("limit", "; ".join(said), until=max(known) if len(known) == len(rooms) else None)

    def _counted(self, draw: Draw, now: datetime, back: Mapping[BucketKey, int] | None = None) -> dict[BucketKey, int]:
        """What counts against a limit at a moment, by bucket, without what would be given back.

        INVARIANT: of a sliding span every later period counts too: should the clock have gone back, what was taken
        before is not forgotten.
        """
        first, less = draw.first_bucket(now).slot, back or {}
        counted = (
            [bucket for bucket in self._periods.get(draw.head, ()) if bucket != draw.head and bucket.slot >= first]
            if draw.is_sliding
            else [draw.bucket(now)]
        )
        return {bucket: self.used.get(bucket, 0) - less.get(bucket, 0) for bucket in counted}

    def _put(self, bucket: BucketKey, used: int) -> None:
        self.open(bucket, used)
        self.changed.add(bucket)


def _room(draw: Draw, counted: Mapping[BucketKey, int], now: datetime) -> datetime | None:
    """When the limit has room for the amount, unless somebody else is faster; None: time makes none."""
    if draw.span.lasts is Lasts.FOREVER or draw.amount > draw.most:
        return None
    if not draw.is_sliding:
        return draw.span.ends(draw.span.period(now))
    spent = sum(counted.values())
    for bucket, used in sorted(counted.items()):
        spent -= used
        if spent + draw.amount <= draw.most:
            return draw.span.ends(bucket.slot)
    raise AssertionError("an empty window has room for what is not over its limit")


def _over(draw: Draw, spent: int, room: datetime | None) -> str:
    left = max(draw.most - spent, 0)
    again = f"; it has room again at {room.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if room else ""
    return (
        f"{draw.guard} has {draw.shown(left)} left of {draw.shown(draw.most)}, {draw.shown(draw.amount)} needed{again}"
    )
