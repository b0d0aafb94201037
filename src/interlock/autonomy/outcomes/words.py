"""What became of a decision, in words. Pure."""

from __future__ import annotations

from interlock.autonomy.outcome import Standing
from interlock.autonomy.outcomes.read import OutcomesOf

NOTHING = "No outcome is recorded; it never counts as good for that."


def outcome_lines(found: OutcomesOf) -> list[str]:
    """What counts of a decision, and a line for each word.

    Args:
        found: All that was said of it.
    """
    if found.counts is None:
        return [NOTHING]
    lost = f", {found.counts.loss} lost" if found.counts.loss else ""
    counts = f"{right_or_wrong(right=found.counts.is_right)}{lost}"
    lines = [f"The proposal was {counts}."]
    if found.counts.standing is Standing.CONTRADICTORY:
        lines = [f"Sources contradict one another; until it is settled it counts as {counts}."]
    for one in found.words:
        lost, label = (f", {one.loss} lost" if one.loss else ""), (f", {one.label}" if one.label else "")
        aside = "" if one.id in found.voices else " (no longer counts)"
        said = right_or_wrong(right=one.is_right)
        lines.append(f"  {one.became_at:%Y-%m-%d %H:%M} {one.source}: {said}{lost}{label}{aside}")
    return lines


def right_or_wrong(*, right: bool) -> str:
    """In a word."""
    return "right" if right else "wrong"
