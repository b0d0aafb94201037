"""What should be against what is: which matches stay, are taken back, are proposed now, or wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

STANDING_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "members": pl.String(),
    "sure": pl.Boolean(),
    "state": pl.String(),
    "word": pl.String(),
    "case_id": pl.String(),
    "key": pl.String(),
    "currency": pl.String(),
    "expected_minor": pl.Int64(),
    "actual_minor": pl.Int64(),
}
"""The matches that are alive."""
MEMBER_SCHEMA: dict[str, pl.DataType] = {"match": pl.String(), "entry": pl.String()}
"""Which entries they hold."""
WORD_SCHEMA: dict[str, pl.DataType] = {**MEMBER_SCHEMA, "side": pl.String(), "word": pl.String()}
"""What people said of matches; entries are identities."""
TURNS_SCHEMA: dict[str, pl.DataType] = {"members": pl.String(), "turns": pl.Int64()}
"""How often entries were proposed together before."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be done.

    Attributes:
        kept: How many matches stay as they are.
        undoing: How many are being taken back already.
        gone: The standing matches that are to be taken back.
        new: The target's matches that can be proposed now.
        waiting: The target's matches whose entries are not free yet, since a match that holds them is being taken back.
    """

    kept: int
    undoing: int
    gone: pl.DataFrame
    new: pl.DataFrame
    waiting: pl.DataFrame


def compare(target: pl.DataFrame, standing: pl.DataFrame, members: pl.DataFrame) -> Comparison:
    """Hold a target against the matches that are alive.

    Args:
        target: By ``TARGET_SCHEMA``.
        standing: By ``STANDING_SCHEMA``.
        members: By ``MEMBER_SCHEMA``, of the standing ones.
    """
    going = pl.col("state") == "withdrawing"
    staying = standing.filter(~going)
    # A match that was booked while it seemed sure, and that the whole makes doubtful by now, is a person's to decide;
    # and the other way round. Otherwise what is booked would depend on the order of arrival.
    judged = staying.join(target.select("members", now="sure"), on="members", how="left", maintain_order="left")
    stays = pl.col("now").is_not_null() & ((pl.col("now") == pl.col("sure")) | (pl.col("word") == "yes"))
    kept, gone = judged.filter(stays), judged.filter(~stays).drop("now")
    # one that is being taken back and is wanted again waits for its end, too: its entries are its own until then
    wanted = target.join(kept.select("members"), on="members", how="anti")
    entries = wanted.select("members", entry=pl.col("expected").list.concat("actual")).explode("entry")
    held = entries.join(members, on="entry", how="semi").select("members").unique()
    return Comparison(
        kept=kept.height,
        undoing=standing.height - staying.height,
        gone=gone.sort("members"),
        new=wanted.join(held, on="members", how="anti").sort("members"),
        waiting=wanted.join(held, on="members", how="semi").sort("members"),
    )
