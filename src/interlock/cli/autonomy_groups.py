"""Confidence against truth, by component version and segment, at the command line."""

from __future__ import annotations

from interlock.autonomy.figures.figures import Error, Group, PointFigures, Recalibrated
from interlock.autonomy.issuing.promise import percent_of
from interlock.autonomy.issuing.spared import told
from interlock.cli.screen import Screen, minute

_HEADS = ("version", "segment", "known", "worth", "missing", "apart", "recalibrated", "apart then")


def show_groups(screen: Screen, figures: PointFigures) -> None:
    """Print how far confidence is from the truth.

    Args:
        screen: Where.
        figures: Of a point, as they were measured.
    """
    known = [one for one in figures.groups if one.known or one.missing]
    screen.table(
        _HEADS,
        (_row(one) for one in known),
        none="The truth of no decision whose outcome was due is known.",
        stacked=True,
    )
    screen.line(
        f"Measured at {minute(figures.measured_at)}, of decisions since {minute(figures.since)} and before "
        f"{minute(figures.until)}: the outcomes of later ones are not due yet."
    )
    if not known:
        return
    screen.line(
        "Each known outcome counts 1 over the probability of its being seen; together they are worth so many that "
        "are seen alike. Apart: how far confidence is from the truth on average, with its 95 % interval; a low end "
        "above 0 is more than chance."
    )


def show_spared(screen: Screen, figures: PointFigures, currency: str) -> None:
    """Print what a cascade saves, and loses in quality, where some of its decisions were compared.

    Args:
        screen: Where.
        figures: Of a point, as they were measured.
        currency: Of its losses.
    """
    if figures.spared is not None:
        screen.line("Against asking the last component of every decision:")
        screen.facts(told(figures.spared, currency))


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
