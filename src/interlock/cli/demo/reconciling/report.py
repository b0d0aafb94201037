"""What the reconciliation demo has shown, as figures, and how it is printed."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from interlock.cli.demo.reconciling.balance import BooksBalance
from interlock.cli.demo.reconciling.truth import Score
from interlock.cli.screen import Screen
from interlock.money import Money
from interlock.percentages import percent

SECONDS = 120
RECALL = 0.98
SAFE_SHARE = 0.60
SHARE, WRONG_OF = 0.75, 2_000
"""The goals: how quickly, how much of the truth is found, how much by itself with no error, or with one of so many."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal, and what was found.

    Attributes:
        name: What is measured.
        wanted: What it should be, in words.
        found: What it is.
        met: Whether that is so.
    """

    name: str
    wanted: str
    found: str
    met: bool


class OpenGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Breaks of one cause, state and currency.

    Attributes:
        cause: What the entry is taken for.
        state: Where they stand.
        breaks: How many.
        money: What they hold up.
    """

    cause: str
    state: str
    breaks: int
    money: str


class RecallShown(msgspec.Struct, frozen=True, kw_only=True):
    """One statement taken back, and handed in again.

    Attributes:
        statement: The name of its file.
        entries: How many it states.
        taken_back: How many matches were undone for it.
        made_again: How many were booked, or put to a person, once it was there again.
    """

    statement: str
    entries: int
    taken_back: int
    made_again: int


class CloseShown(msgspec.Struct, frozen=True, kw_only=True):
    """An account that was signed off.

    Attributes:
        account: Which.
        close: The close's id.
        carried_over: What was not done and goes on, all by name.
        leaf: Its leaf in the sealed ledger; None if no checkpoint covered it in time.
    """

    account: str
    close: str
    carried_over: int
    leaf: int | None


class ReconciliationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The summary.

    Attributes:
        data: What was reconciled.
        expected: Expected entries in force at the end.
        actual: Actual ones.
        files: How many files were taken in.
        known: How many were handed in a second time and changed nothing.
        refused: Files that were refused, each with its reason.
        broken: Entries that nobody could read; they are quarantined.
        held: Statements that were held back, since their figures do not add up.
        score: Matches against the truth.
        held_out: The same on the half on which no model was trained; None for generated entries.
        candidate_recall: Of that half, the share of true pairs that matching looked at before it chose.
        reviewed: Matches that the reviewer approved and refused, and left.
        waiting: Matches that wait for a person.
        open: What nothing explains, by cause.
        open_entries: Entries of no match at the end.
        recall: One statement taken back; None where that was not shown.
        closes: The accounts that were signed off; empty where that was not shown.
        balance: The books.
        faults: What the books did wrong on purpose, by kind.
        matched_s: Seconds from the first file to the last booking.
        seconds: How long all of it took.
        processor_s: Processor time of this process and of those that it started and that have ended.
        memory_mb: Peak memory of this process, and of the largest of those that it started.
        goals: What was aimed at, and what was found.
    """

    data: str
    expected: int
    actual: int
    files: int
    known: int
    refused: dict[str, str]
    broken: int
    held: int
    score: Score
    held_out: Score | None
    candidate_recall: float | None
    reviewed: tuple[int, int, int]
    waiting: int
    open: tuple[OpenGroup, ...]
    open_entries: int
    recall: RecallShown | None
    closes: tuple[CloseShown, ...]
    balance: BooksBalance
    faults: dict[str, int]
    matched_s: float
    seconds: float
    processor_s: float
    memory_mb: tuple[int, int]
    goals: tuple[Goal, ...]


def processor_time() -> float:
    """Seconds of processors: of this process, and of those that it started and that have ended; not of PostgreSQL."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(sum(one.ru_utime + one.ru_stime for one in used), 1)


def peak_memory() -> tuple[int, int]:
    """Peak resident memory in MB: of this process, and of the largest one that it started and that has ended."""
    mine, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine // 1024, others // 1024


def goals_of(score: Score, held_out: Score | None, looked_at: float | None, matched_s: float) -> tuple[Goal, ...]:
    """The goals that are set for the real payments; of generated entries there is none but speed.

    Args:
        score: On all of them.
        held_out: On the half on which no model was trained.
        looked_at: The share of its true pairs that are candidates.
        matched_s: Seconds until all was booked.
    """
    speed = Goal(
        name="matched, decided, recorded and booked",
        wanted="under 120 s",
        found=f"{matched_s:.1f} s for {score.groups:,}",
        met=matched_s < SECONDS,
    )
    if held_out is None or looked_at is None:
        return (speed,)
    share, wrong = held_out.automatic_share, held_out.automatic_wrong
    found = f"{percent(share)}, {wrong} wrong of {held_out.automatic:,}"
    return (
        Goal(
            name="candidate recall, held-out half",
            wanted="at least 98 % of pairs are candidates",
            found=f"{percent(looked_at, 2)}; {percent(held_out.recall, 2)} stand in the best whole",
            met=looked_at >= RECALL,
        ),
        Goal(
            name="automatic, held-out half",
            wanted="60 % with none wrong",
            found=found,
            met=share >= SAFE_SHARE and not wrong,
        ),
        Goal(
            name="automatic, held-out half",
            wanted="75 % with at most 1 in 2,000 wrong",
            found=found,
            met=share >= SHARE and wrong * WRONG_OF <= held_out.automatic,
        ),
        speed,
    )


def show(screen: Screen, report: ReconciliationReport, folder: Path) -> None:
    """Print the summary and what to try next."""
    screen.line()
    screen.line(f"{report.data}: {report.expected:,} and {report.actual:,} entries in {report.seconds} s", style="bold")
    _show_scores(screen, report)
    screen.facts(_facts(report))
    screen.table(
        ("what nothing explains", "state", "breaks", "money held up"),
        [(one.cause, one.state, one.breaks, one.money) for one in report.open],
        none="everything is explained",
    )
    screen.table(
        ("goal", "wanted", "found", "met"),
        [(one.name, one.wanted, one.found, "yes" if one.met else "NO") for one in report.goals],
        none="no goals",
    )
    if report.balance.differences:
        screen.line("THE BOOKS AND OUR ROWS DISAGREE:", style="bold red")
        screen.lines(f"  {difference}" for difference in report.balance.differences)
    else:
        screen.line("The books and our rows agree to the cent.", style="bold green")
    screen.line()
    screen.line("Try next, in the demo's folder:", style="bold")
    commands = ("reconcile matches", "reconcile rounds", "reviews", "exceptions --grouped", "doctor")
    screen.lines([f"  cd {folder}", *(f"  interlock {command}" for command in commands)])


def _show_scores(screen: Screen, report: ReconciliationReport) -> None:
    scores: Sequence[tuple[str, Score]] = [("all", report.score)]
    if report.held_out is not None:
        scores = [*scores, ("held-out half", report.held_out)]
    screen.table(
        ("of", "true matches", "in the target", "automatic", "wrong", "money in wrong", "to people", "right of those"),
        [
            (
                name,
                one.groups,
                percent(one.recall),
                f"{one.automatic:,} ({percent(one.automatic_share)})",
                one.automatic_wrong,
                _money(one.wrong),
                one.people,
                one.people_right,
            )
            for name, one in scores
        ],
        none="no matches",
    )


def _facts(report: ReconciliationReport) -> list[tuple[str, object]]:
    approved, refused, left = report.reviewed
    books = report.balance
    recall = report.recall
    return [
        ("files", f"{report.files} taken, {report.known} again without effect, {len(report.refused)} refused"),
        ("entries that nobody can read", f"{report.broken}, quarantined"),
        ("statements held back", report.held),
        ("reviewed", f"{approved} approved, {refused} refused, {left} left for you"),
        ("waiting for people", report.waiting),
        ("entries of no match", report.open_entries),
        (
            "recalled",
            f"{recall.statement}: {recall.taken_back} matches undone, {recall.made_again} made again"
            if recall
            else None,
        ),
        (
            "closed to the minor unit",
            f"{len(report.closes)} accounts, {sum(one.leaf is not None for one in report.closes)} sealed, "
            f"{sum(one.carried_over for one in report.closes)} open matters carried over by name"
            if report.closes
            else None,
        ),
        ("faults of the books", ", ".join(f"{kind} {count}" for kind, count in report.faults.items()) or "none"),
        ("our rows", f"{books.ours:,} bookings: {_pairs(books.ours_in)}"),
        ("the books", f"{books.theirs:,} postings, {books.reversed:,} reversed: {_pairs(books.theirs_in)}"),
        ("booked after", f"{report.matched_s} s; processors {report.processor_s} s in all, without the database's"),
        ("peak memory", f"{report.memory_mb[0]} MB here, {report.memory_mb[1]} MB in the largest other process"),
    ]


def _money(minors: Mapping[str, int]) -> str:
    amounts = [str(Money.of_minor(minor, currency)) for currency, minor in minors.items()]
    return ", ".join(amounts) or "none"


def _pairs(totals: dict[str, str]) -> str:
    return ", ".join(f"{amounts} {currency}" for currency, amounts in totals.items())
