"""Scoring matches against the truth. Pure; the truth stands in a table of its own and is joined here, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

from interlock.packs.reconciliation.generated import Month

SIGNATURES: dict[str, pl.DataType] = {
    "signature": pl.String(),  # the keys of the expected side, a bar, those of the actual side; each sorted
    "group": pl.Int64(),  # which group of the truth; several signatures may be right for one
    "kind": pl.String(),
}
"""What belongs together."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Matches against the truth.

    Attributes:
        groups: What belongs together: so many pairs, or greater groups.
        candidates: Of these, how many stand in the target of the last round, sure or not.
        automatic: Matches that were booked and that no person looked at.
        automatic_right: Those of them that are right.
        wrong: Those of them that are not, by currency the money in them.
        people: Matches put to people, answered or not.
        people_right: Those of them that are right.
        booked: Matches that are booked now.
    """

    groups: int
    candidates: int
    automatic: int
    automatic_right: int
    wrong: Mapping[str, int]
    people: int
    people_right: int
    booked: int

    @property
    def automatic_share(self) -> float:
        """The share of what belongs together that was matched rightly without a person."""
        return self.automatic_right / self.groups if self.groups else 0.0

    @property
    def automatic_wrong(self) -> int:
        """Automatic matches that are wrong."""
        return self.automatic - self.automatic_right

    @property
    def recall(self) -> float:
        """The share of what belongs together that stands in the target."""
        return self.candidates / self.groups if self.groups else 0.0


def signatures_of(month: Month) -> pl.DataFrame:
    """The signatures of a made-up month; where another payment would do as well, that one's too.

    Entries are named by what their files carry of them: the expected ones by reference, the actual ones by the bank's.
    """
    names = {one.id: one.bank_reference or one.reference for one in month.entries}
    rows: list[tuple[str, int, str]] = []
    for number, one in enumerate(month.belongs):
        for actual in (one.actual, *((other,) for other in one.instead)):
            sides = (sorted(names[entry] for entry in side) for side in (one.expected, actual))
            rows.append(("|".join(" ".join(side) for side in sides), number, one.kind))
    return pl.DataFrame(rows, schema=SIGNATURES, orient="row")


def signed(matches: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Matches with their signatures.

    Args:
        matches: ``match``, and lists ``expected`` and ``actual`` of ids of entries; other columns stay.
        entries: ``id`` and ``key``, of both sides.
    """
    found = matches
    for side in ("expected", "actual"):
        keys = (
            matches.select("match", id=side)
            .explode("id")
            .join(entries, on="id", how="left")
            .group_by("match")
            .agg(pl.col("key").fill_null("?").sort().str.join(" ").alias(f"{side}_keys"))
        )
        found = found.join(keys, on="match", how="left")
    return found.with_columns(signature=pl.concat_str("expected_keys", "actual_keys", separator="|")).drop(
        "expected_keys", "actual_keys"
    )


def score(matches: pl.DataFrame, target: pl.DataFrame, signatures: pl.DataFrame) -> Score:
    """Hold matches against the truth.

    Args:
        matches: The matches that are alive, signed: ``signature``, ``state``, ``automatic``, ``currency``, ``minor``.
        target: The target of the last round, signed.
        signatures: By ``SIGNATURES``.
    """
    judged = matches.join(signatures, on="signature", how="left").with_columns(right=pl.col("group").is_not_null())
    booked = judged.filter(pl.col("state") == "booked")
    automatic, people = booked.filter(pl.col("automatic")), judged.filter(~pl.col("automatic"))
    wrong = automatic.filter(~pl.col("right")).group_by("currency").agg(pl.col("minor").sum()).sort("currency")
    return Score(
        groups=signatures["group"].n_unique(),
        candidates=target.join(signatures, on="signature")["group"].n_unique(),
        automatic=automatic.height,
        automatic_right=int(automatic["right"].sum()),
        wrong=dict(wrong.iter_rows()),
        people=people.height,
        people_right=int(people["right"].sum()),
        booked=booked.height,
    )
