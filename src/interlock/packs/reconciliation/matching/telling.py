"""The tables of a solution, and its reasons in words: what is proposed, why, and what stays open. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interlock.money import Money
from interlock.packs.reconciliation.matching.entries import Entries
from interlock.packs.reconciliation.matching.features import Known
from interlock.packs.reconciliation.matching.graph import Judged
from interlock.packs.reconciliation.matching.judging import MATCH_FEATURES
from interlock.packs.reconciliation.matching.sums import Group
from interlock.packs.reconciliation.matching.tolerance import explained
from interlock.packs.reconciliation.matching.words import LONG_PREFIX
from interlock.packs.reconciliation.terms import ReconciliationTerms

Reals = NDArray[np.float64]

CANDIDATES = 3
"""So many candidates of an open entry are told."""
TWIN_DAYS = 5
CANCEL_DAYS = 30
_NEAREST = 10
_SHARED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """One match with what is to be told of it.

    Attributes:
        members: Positions on both sides.
        probability: Calibrated.
        margin: In log odds.
        confirmed: Whether a person said so.
        contradicts: Whether a person said no to a part of it, or to entries that nothing tells apart from them.
        runner_up: The best other match of its entries; None if there is none.
        runner_up_probability: That it is that one.
        features: Of the model.
    """

    members: Group
    probability: float
    margin: float
    confirmed: bool
    contradicts: bool
    runner_up: Group | None
    runner_up_probability: float
    features: list[float]


def tell_matches(
    sides: tuple[Entries, Entries], told: Sequence[Told], terms: ReconciliationTerms, known: Known
) -> pl.DataFrame:
    """The table of proposals, by ``PROPOSAL_SCHEMA``."""
    names = [side.frame["identity"] for side in sides]
    ordered = sorted(told, key=lambda one: one.members)
    currencies = sides[0].texts("currency")
    alike = [np.bincount(side.twins)[side.twins] - 1 for side in sides]
    rows: dict[str, list[Any]] = defaultdict(list)
    for one in ordered:
        sums = [sum(int(side.minor[at]) for at in chosen) for side, chosen in zip(sides, one.members, strict=True)]
        currency = currencies[one.members[0][0]]
        rows["form"].append(_form(one.members))
        rows["currency"].append(currency)
        rows["expected_minor"].append(sums[0])
        rows["actual_minor"].append(sums[1])
        rows["difference"].append(sums[0] - sums[1])
        rows["explained"].append(explained(sums[0], sums[1], currency, terms))
        rows["probability"].append(one.probability)
        rows["margin"].append(one.margin)
        rows["confirmed"].append(one.confirmed)
        rows["contradicts"].append(one.contradicts)
        rows["identical"].append(_identical(sides, one.members, alike))
        rows["runner_up_probability"].append(one.runner_up_probability)
        rows["days"].append(_latest(sides[1], one.members[1]) - _latest(sides[0], one.members[0]))
        rows["shared"].append(_shared(sides, one.members, known))
    none: Group = ((), ())
    groups = [one.members for one in ordered]
    others = [one.runner_up or none for one in ordered]
    return pl.DataFrame(
        {
            "expected": _identities(names[0], [one[0] for one in groups]),
            "actual": _identities(names[1], [one[1] for one in groups]),
            **{name: pl.Series(name, rows[name], dtype=kind) for name, kind in _TOLD.items()},
            "features": pl.Series(
                np.array([one.features for one in ordered], dtype=np.float32).reshape(-1, len(MATCH_FEATURES)),
                dtype=pl.Array(pl.Float32(), len(MATCH_FEATURES)),
            ),
            "runner_up_expected": _identities(names[0], [one[0] for one in others]),
            "runner_up_actual": _identities(names[1], [one[1] for one in others]),
        }
    )


_TOLD: dict[str, Any] = {
    "form": pl.String(),
    "currency": pl.String(),
    "expected_minor": pl.Int64(),
    "actual_minor": pl.Int64(),
    "difference": pl.Int64(),
    "explained": pl.String(),
    "probability": pl.Float64(),
    "margin": pl.Float64(),
    "confirmed": pl.Boolean(),
    "contradicts": pl.Boolean(),
    "identical": pl.Int64(),
    "runner_up_probability": pl.Float64(),
    "days": pl.Int64(),
    "shared": pl.List(pl.String()),
}


def _identities(names: pl.Series, chosen: Sequence[tuple[int, ...]]) -> pl.Series:
    """Lists of identities, whatever their type; gathered as columns, since a list of lists takes ten times as long."""
    flat = np.array([at for one in chosen for at in one], dtype=np.uint32)
    row = np.repeat(np.arange(len(chosen), dtype=np.uint32), [len(one) for one in chosen])
    listed = pl.DataFrame({"row": row, "name": names.gather(flat)}).group_by("row", maintain_order=True).agg("name")
    every = pl.DataFrame({"row": np.arange(len(chosen), dtype=np.uint32)})
    none = pl.lit([], dtype=pl.List(names.dtype))
    return (
        every.join(listed, on="row", how="left", maintain_order="left")["name"]
        .to_frame()
        .select(pl.col("name").fill_null(none))
        .to_series()
    )


def _form(members: Group) -> str:
    one, other = len(members[0]), len(members[1])
    if one > 1 and other > 1:
        return "n:m"
    return f"{'n' if one > 1 else 1}:{'n' if other > 1 else 1}"


def _identical(sides: tuple[Entries, Entries], members: Group, alike: Sequence[NDArray[np.int64]]) -> int:
    """How many entries outside of a match nothing tells apart from one inside."""
    most = 0
    for side, chosen, many in zip(sides, members, alike, strict=True):
        for at in chosen:
            inside = sum(1 for other in chosen if side.twins[other] == side.twins[at]) - 1 if many[at] else 0
            most = max(most, int(many[at]) - inside)
    return most


def _latest(side: Entries, chosen: Sequence[int]) -> int:
    return max(int(side.valued[at]) for at in chosen)


def _shared(sides: tuple[Entries, Entries], members: Group, known: Known) -> list[str]:
    """The rarest words that both sides have."""
    found: list[tuple[int, int, str]] = []
    for kind, rarity in enumerate((known.identifiers, known.names)):
        texts = [[side.words, side.identifiers][1 - kind] for side in sides]
        one, other = ({word for at in chosen for word in texts[place][at]} for place, chosen in enumerate(members))
        found += [(kind, rarity.count(word), word) for word in one & other]
    if not found and len(members[0]) == len(members[1]) == 1:
        begins = _beginning(sides[0].memo[members[0][0]].split(" "), sides[1].memo[members[1][0]].split(" "))
        return [begins] if begins else []
    return [word for _, _, word in sorted(found)[:_SHARED]]


def _beginning(one: list[str], other: list[str]) -> str:
    """The words that both texts begin with, such as initials."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return " ".join(word for word, _ in same)


def tell_open(
    sides: tuple[Entries, Entries], matched: tuple[NDArray[np.bool_], NDArray[np.bool_]], judged: Judged
) -> pl.DataFrame:
    """The table of open entries, by ``OPEN_SCHEMA``."""
    kind = sides[0].frame["identity"].dtype
    fields = {
        "identity": kind,
        "probability": pl.Float64(),
        "difference": pl.Int64(),
        "days": pl.Int64(),
        "borne": pl.Boolean(),
        "taken": pl.Boolean(),
    }
    parts = [_open_side(sides, place, matched, judged) for place in (0, 1)]
    schema: dict[str, Any] = {"side": pl.String(), "identity": kind}
    schema |= {"candidates": pl.List(pl.Struct(fields)), "twin": kind, "cancels": kind}
    rows = [row for part in parts for row in part]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _open_side(
    sides: tuple[Entries, Entries],
    place: int,
    matched: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    judged: Judged,
) -> list[tuple[Any, ...]]:
    mine, theirs = sides[place], sides[1 - place]
    names: list[Any] = mine.frame["identity"].to_list()
    others: list[Any] = theirs.frame["identity"].to_list()
    open_ones = np.nonzero(~matched[place])[0]
    ends = (judged.pairs.one, judged.pairs.other)
    rows = np.nonzero(~matched[place][ends[place]])[0]
    rows = rows[np.lexsort((ends[1 - place][rows], -judged.odds[rows], ends[place][rows]))]
    best: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.tolist():
        at, other = int(ends[place][row]), int(ends[1 - place][row])
        if len(best[at]) < CANDIDATES:
            expected, actual = (at, other) if place == 0 else (other, at)
            best[at].append(
                {
                    "identity": others[other],
                    "probability": float(1.0 / (1.0 + np.exp(-judged.odds[row]))),
                    "difference": int(sides[0].minor[expected]) - int(sides[1].minor[actual]),
                    "days": int(sides[1].valued[actual]) - int(sides[0].valued[expected]),
                    "borne": bool(judged.pairs.borne[row]),
                    "taken": bool(matched[1 - place][other]),
                }
            )
    alike = _Alike(mine)
    side = ("expected", "actual")[place]
    return [
        (side, names[at], best.get(at, []), _name(names, alike.twin(at)), _name(names, alike.cancels(at)))
        for at in open_ones.tolist()
    ]


def _name(names: list[Any], at: int | None) -> Any:
    return None if at is None else names[at]


class _Alike:
    """Entries of one side that may be the same twice, or one taking the other back."""

    def __init__(self, side: Entries) -> None:
        self._side = side
        self._accounts = side.texts("account")
        self._currencies = side.texts("currency")
        self._reverses: list[bool] = side.frame["reverses"].to_list()
        rows: defaultdict[tuple[str, str, int], list[tuple[int, int]]] = defaultdict(list)
        for at, minor in enumerate(side.minor.tolist()):
            rows[self._accounts[at], self._currencies[at], minor].append((int(side.valued[at]), at))
        self._rows = {key: sorted(found) for key, found in rows.items()}

    def twin(self, at: int) -> int | None:
        """Another of the same amount and party within five days, the nearest."""
        found = self._near(at, int(self._side.minor[at]), TWIN_DAYS)
        return next((other for other in found if self._one_party(at, other)), None)

    def cancels(self, at: int) -> int | None:
        """Another of the opposite amount within thirty days that is of the same party, or marked as a reversal."""
        minor = int(self._side.minor[at])
        for other in self._near(at, -minor, CANCEL_DAYS) if minor else ():
            marked = self._reverses[at] or self._reverses[other]
            if marked or self._one_party(at, other) or self._side.identifiers[at] & self._side.identifiers[other]:
                return other
        return None

    def _near(self, at: int, minor: int, days: int) -> list[int]:
        """Others of an amount, the nearest days first, at most ten to each side."""
        rows = self._rows.get((self._accounts[at], self._currencies[at], minor), [])
        day = int(self._side.valued[at])
        place = bisect_left(rows, (day, at))
        near = [
            (abs(on - day), other) for on, other in rows[max(place - _NEAREST, 0) : place + _NEAREST] if other != at
        ]
        return [other for apart, other in sorted(near) if apart <= days]

    def _one_party(self, at: int, other: int) -> bool:
        side = self._side
        if side.party[at] and side.party[other]:
            return side.party[at] == side.party[other]
        return bool(side.memo[at]) and side.memo[at][:LONG_PREFIX] == side.memo[other][:LONG_PREFIX]


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_LONGEST_WORD = 40


def reasons(row: Mapping[str, Any]) -> str:
    """Why a match is proposed: "same amount, two days later, both say MCORVINUS, next best is 14 points away".

    Args:
        row: A row of ``Solution.proposals`` by the names of its columns.
    """
    parts = ["a person said so"] if row["confirmed"] else []
    parts += [_of_amount(row), _of_days(int(row["days"]))]
    words = [str(word)[:_LONGEST_WORD] for word in row["shared"]]
    parts.append(f"both say {', '.join(words)}" if words else "no word in common")
    if row["runner_up_expected"]:
        points = round(100 * (float(row["probability"]) - float(row["runner_up_probability"])))
        parts.append(f"next best is {points} point{'' if abs(points) == 1 else 's'} away")
    elif not row["confirmed"] and not row["identical"]:
        parts.append("nothing else comes near")
    if row["identical"] and not row["confirmed"]:
        parts.append(f"one of {_number(int(row['identical']) + 1)} identical entries, which one does not matter")
    if row["contradicts"]:
        parts.append("but a person refused a part of it, or one just like it")
    return ", ".join(parts)


def _of_amount(row: Mapping[str, Any]) -> str:
    one, other, difference = len(row["expected"]), len(row["actual"]), int(row["difference"])
    if one == other == 1:
        subject = "same amount"
    else:
        subject = f"{_number(one)} expected against {_number(other)} actual, same sum"
    if not difference:
        return subject
    apart = Money.of_minor(abs(difference), str(row["currency"]))
    less = abs(int(row["actual_minor"])) < abs(int(row["expected_minor"]))
    why = {"fee": "a declared fee", "rounding": "rounding"}.get(str(row["explained"]), "tolerated")
    if row["confirmed"]:
        why = "as confirmed"
    found = f"{apart} {'less' if less else 'more'} than expected ({why})"
    return found if one == other == 1 else f"{_number(one)} expected against {_number(other)} actual, {found}"


def _of_days(days: int) -> str:
    if not days:
        return "the same day"
    return f"{_number(abs(days))} day{'' if abs(days) == 1 else 's'} {'later' if days > 0 else 'earlier'}"


def _number(many: int) -> str:
    return _NUMBERS[many] if many < len(_NUMBERS) else str(many)
