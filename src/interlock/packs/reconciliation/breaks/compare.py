"""The breaks that there should be against those that are: which stay, which are taken back, which are opened. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from interlock.packs.reconciliation.breaks.facts import BreakPlan

MATCHED = "a match takes the entry now, or no statement in force states it any more"
SETTLED = ("written_off", "accepted")
OTHERWISE = "what is known of the entry has changed; another break takes the place of this one, if one is needed"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is to be done.

    Attributes:
        kept: How many stay as they are.
        undoing: How many are being taken back already.
        gone: Those that are to be taken back, with ``why``; columns of ``STANDING_BREAK_SCHEMA``.
        new: Rows of ``BreakPlan.breaks`` whose entry has no break that is alive.
    """

    kept: int
    undoing: int
    gone: pl.DataFrame
    new: pl.DataFrame


def without_doubts(matches: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """The matches that may take their entries: all but doubtful ones of entries of which a person settled a break.

    A doubt is no reason to take back what a person settled. The other entries of such a match stay open; each becomes a
    break that names the settled one as its candidate, so that somebody sees it and can take the settled one back.

    Args:
        matches: By ``TARGET_SCHEMA``.
        standing: By ``STANDING_BREAK_SCHEMA``.
    """
    settled = standing.filter(pl.col("state").is_in(SETTLED)).select("entry")
    doubtful = matches.filter(~pl.col("sure")).select("members", entry=pl.col("expected").list.concat("actual"))
    held = doubtful.explode("entry").join(settled, on="entry", how="semi").select("members").unique()
    return matches.join(held, on="members", how="anti", maintain_order="left")


def compare_breaks(plan: BreakPlan, standing: pl.DataFrame) -> Comparison:
    """Hold a plan against the breaks that are alive.

    What a person settled stays while its entry is in force and unmatched, whatever else becomes known of it.

    Args:
        plan: What should be.
        standing: By ``STANDING_BREAK_SCHEMA``; uuids as text.
    """
    going = pl.col("state") == "withdrawing"
    staying = standing.filter(~going).with_columns(facts=pl.col("facts").str.replace_all("-", ""))
    wanted = plan.breaks.select(entry="id", planned="facts")
    free = plan.free.select(entry="id", free=pl.lit(value=True))
    judged = staying.join(wanted, on="entry", how="left").join(free, on="entry", how="left")
    settled = pl.col("state").is_in(SETTLED)
    is_free = pl.col("free").fill_null(value=False)
    stays = pl.when(settled).then(is_free).otherwise((pl.col("planned") == pl.col("facts")).fill_null(value=False))
    gone = judged.filter(~stays).with_columns(why=pl.when(is_free).then(pl.lit(OTHERWISE)).otherwise(pl.lit(MATCHED)))
    held = standing.select(id="entry")
    return Comparison(
        kept=judged.filter(stays).height,
        undoing=standing.height - staying.height,
        gone=gone.select("id", "entry", "facts", "state", "case_id", "why").sort("id"),
        new=plan.breaks.join(held, on="id", how="anti").sort("identity"),
    )
