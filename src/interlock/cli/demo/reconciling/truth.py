"""Scoring matches against the truth. Pure; the truth stands in a table of its own and is joined here, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.evaluate import recall
from interlock.packs.reconciliation.generated import Month
from interlock.packs.reconciliation.rehearsal import Case
from interlock.packs.reconciliation.terms import ReconciliationTerms

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
    """Hold matches against the truth. One signature may stand for several groups: it is right as often, not oftener.

    Args:
        matches: The matches that are alive, signed: ``signature``, ``state``, ``automatic``, ``currency``, ``minor``.
        target: The target of the last round, signed.
        signatures: By ``SIGNATURES``.
    """
    true = _numbered(signatures, "signature")
    judged = _numbered(matches, "signature").join(true, on=["signature", "number"], how="left")
    judged = judged.with_columns(right=pl.col("group").is_not_null())
    booked = judged.filter(pl.col("state") == "booked")
    automatic, people = booked.filter(pl.col("automatic")), judged.filter(~pl.col("automatic"))
    wrong = automatic.filter(~pl.col("right")).group_by("currency").agg(pl.col("minor").sum()).sort("currency")
    return Score(
        groups=signatures["group"].n_unique(),
        candidates=_numbered(target, "signature").join(true, on=["signature", "number"])["group"].n_unique(),
        automatic=automatic.height,
        automatic_right=int(automatic["right"].sum()),
        wrong=dict(wrong.iter_rows()),
        people=people.height,
        people_right=int(people["right"].sum()),
        booked=booked.height,
    )


def score_part(matches: pl.DataFrame, target: pl.DataFrame, part: pl.DataFrame) -> Score:
    """The score of a part of the truth: of the matches that hold an expected entry of it, alone or among others.

    Args:
        matches: As in ``score``.
        target: As in ``score``.
        part: By ``SIGNATURES``.
    """
    expected = pl.col("signature").str.split("|").list.first().str.split(" ")
    own = part.select(key=expected.explode()).unique()["key"].implode()
    mine = expected.list.eval(pl.element().is_in(own)).list.any()
    return score(matches.filter(mine), target.filter(mine), part)


def candidate_recall(entries: pl.DataFrame, part: pl.DataFrame, terms: ReconciliationTerms) -> float:
    """The share of true pairs that matching looks at at all, before it chooses among them.

    Args:
        entries: All entries in force, with ``side`` and ``key``.
        part: What belongs together, pairs only, by ``SIGNATURES``; of entries that nothing tells apart any will do.
        terms: On which they are matched.
    """
    keys = part.select("group", pl.col("signature").str.split("|"))
    keys = keys.select(expected=pl.col("signature").list.first(), actual=pl.col("signature").list.last())
    sides = {side: entries.filter(side=side.value) for side in Side}
    for side, own in sides.items():
        names = _numbered(own.sort("identity"), "key").select("key", "number", name="identity")
        keys = _numbered(keys, str(side)).join(names, left_on=[str(side), "number"], right_on=["key", "number"])
        keys = keys.drop("number").rename({"name": f"{side}_identity"})
    rows = keys.select("expected_identity", "actual_identity").iter_rows()
    truth = frozenset((frozenset({one}), frozenset({other})) for one, other in rows)
    found, _ = recall(Case("demo", sides[Side.EXPECTED], sides[Side.ACTUAL], terms, truth))
    return found / max(part.height, 1)


def _numbered(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Rows with their ``number`` among those of an equal value."""
    return frame.with_columns(number=pl.int_range(pl.len()).over(column))
