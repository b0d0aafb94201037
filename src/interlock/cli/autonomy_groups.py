"""Confidence against truth, by component version and segment, at the command line."""

from __future__ import annotations

from interlock.autonomy.figures.figures import Error, Group, PointFigures, Recalibrated
from interlock.autonomy.issuing.promise import percent_of
from interlock.cli.screen import Screen, minute

_HEADS = ("version", "segment", "known", "worth", "missing", "apart", "recalibrated", "apart then")


def show_groups(screen: Screen, figures: PointFigures) -> None:
    """Print how far confidence is from the truth.

    Args:
        screen: Where.
        figures: Of a point, as they were measured.
    """
    known = [one for one in figures.groups if one.known or one.missing]
    screen.table(_HEADS, (_row(one) for one in known), none="The truth of no decision is known yet.", stacked=True)
    if not known:
        return
    screen.line(
        f"Measured at {minute(figures.measured_at)}, of decisions since {minute(figures.since)}. Each known outcome "
        "counts 1 over the probability of its being seen; together they are worth so many that are seen alike. Apart: "
        "how far confidence is from the truth on average, with its 95 % interval; a low end above 0 is more than "
        "chance."
    )


def _row(one: Group) -> tuple[object, ...]:
    version = f"{one.component} {one.digest[:8]}{'' if one.in_force else ' (before)'}" if one.digest else "all"
    return (
        version, "all" if one.segment is None else one.segment, one.known, f"{one.effective:.0f}", one.missing,
        _apart(one.error) + (", too few" if one.too_few else ""), _by(one.recalibrated),
        _apart(one.recalibrated.after) if one.recalibrated else "",
    )  # fmt: skip


def _by(found: Recalibrated | None) -> str:
    return f"{found.method}, {found.fitted} fitted, {found.tested} tested" if found else "too few"


def _apart(error: Error | None) -> str:
    if error is None:
        return "not known"
    return f"{percent_of(error.value)} ({percent_of(error.low)} to {percent_of(error.high)})"
