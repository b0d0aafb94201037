"""Whether the last round has looked at all that there is, and decided it; a close signs nothing else. Pure."""

from __future__ import annotations

from uuid import UUID

import msgspec

from interlock.packs.reconciliation.closing.sums import LastRound, Unready

_NO_ROUND = UUID(int=0)


class _Proposed(msgspec.Struct, frozen=True):
    held: int = 0
    failed: int = 0
    why: str = ""


class _Breaks(msgspec.Struct, frozen=True):
    held: int = 0


class _Figures(msgspec.Struct, frozen=True):
    waiting: int = 0
    proposed: _Proposed = _Proposed()
    breaks: _Breaks = _Breaks()


def not_looked_at(last: LastRound | None, news: str) -> tuple[Unready, ...]:
    """What no round has looked at, or could not decide; nothing where the last one did it all.

    Args:
        last: The last round that came to its end; None: there was none.
        news: What a round would rest on now.
    """
    if last is None:
        return (_unready(_NO_ROUND, "no round has looked at any entry yet"),)
    told: list[str] = []
    if last.rested_on != news:
        told.append("statements or people's words have changed since the last round")
    figures = msgspec.json.decode(last.figures, type=_Figures)
    left = figures.proposed.held + figures.proposed.failed
    if left:
        told.append(f"the last round left {left} matches undecided: {figures.proposed.why[:200]}")
    if figures.waiting:
        told.append(f"the last round left {figures.waiting} matches until their entries are free")
    if figures.breaks.held:
        told.append(f"the last round left {figures.breaks.held} breaks unopened")
    return (_unready(last.id, "; ".join(told)),) if told else ()


def _unready(round_id: UUID, what: str) -> Unready:
    said = f"{what} (`interlock reconcile run`)"
    return Unready(kind="round", id=round_id, currency="", minor=None, what=said)
