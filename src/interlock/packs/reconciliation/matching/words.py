"""Texts as matching compares them: folded, their words, and the identifiers in them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

LONGEST = 140
"""So many characters of a text are compared; comparing costs the square of the length."""
PREFIX, LONG_PREFIX = 3, 8
"""The characters of a text's beginning by which entries meet: enough for initials, and for most of a name."""
_SHORTEST_IDENTIFIER = 4
_SHORTEST_WORD = 3
_MOST_WORDS = 40
"""So many words of an entry are looked at."""
_WORD = re.compile(r"[^\W_]+")
_MARKS = r"\p{M}"


def fold(texts: pl.Series) -> pl.Series:
    """Upper case, no accents, everything but letters and digits one blank: what banks do to a text does not count."""
    return (
        texts.str.normalize("NFKD")
        .str.replace_all(_MARKS, "")
        .str.to_uppercase()
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.strip_chars()
    )


def is_identifier(word: str) -> bool:
    """Whether a word looks like a number that somebody gave: four characters or more with a digit."""
    return len(word) >= _SHORTEST_IDENTIFIER and any(letter.isdigit() for letter in word)


def words_of(text: str) -> list[str]:
    """The words of a folded text, the first forty, each once."""
    return list(dict.fromkeys(_WORD.findall(text)[:_MOST_WORDS]))


def identifiers_of(text: str) -> frozenset[str]:
    """The identifiers in a folded text, without leading zeros, which banks add and drop."""
    return frozenset(word.lstrip("0") or "0" for word in words_of(text) if is_identifier(word))


def names_of(text: str) -> tuple[str, ...]:
    """The words of a folded text that are no identifiers and long enough to mean something."""
    return tuple(word for word in words_of(text) if len(word) >= _SHORTEST_WORD and not is_identifier(word))


def initials_of(text: str) -> str:
    """The first letters of a folded text's first six words."""
    return "".join(word[0] for word in text.split(" ")[:6] if word)


class Rarity:
    """How much the words of a set of texts tell: the rarer, the more (inverse document frequency; Spärck Jones, 1972).

    Args:
        documents: The words of each entry, each once.
    """

    def __init__(self, documents: Iterable[Iterable[str]]) -> None:
        many = 0
        counts: Counter[str] = Counter()
        for words in documents:
            many += 1
            counts.update(words)
        self._many = many
        self._counts = counts

    def count(self, word: str) -> int:
        """In how many entries it stands."""
        return self._counts[word]

    def weight(self, word: str) -> float:
        """From 0 on; a word of every entry has none."""
        return float(np.log((self._many + 1) / (self._counts[word] + 1)))

    def weighed(self, entries: Sequence[Collection[str]], wanted: NDArray[np.int64]) -> dict[int, dict[str, float]]:
        """The words of the wanted entries with their weights."""
        weights: dict[str, float] = {}
        found: dict[int, dict[str, float]] = {}
        chosen: list[int] = np.unique(wanted).tolist()
        for at in chosen:
            for word in entries[at]:
                if word not in weights:
                    weights[word] = self.weight(word)
            found[at] = {word: weights[word] for word in entries[at]}
        return found


def shared_weights(
    left: Sequence[Collection[str]],
    right: Sequence[Collection[str]],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    rarity: Rarity,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each pair: the weight of the words that both have, and that as a share of the lighter side's weight.

    Args:
        left: The words of each entry of the first side.
        right: The words of each entry of the second side.
        pairs: Positions in both, ``[n]`` each.
        rarity: What each word weighs.

    Returns:
        Two arrays ``[n]``; the share is -1 where a side has no words.
    """
    lefts, rights = rarity.weighed(left, pairs[0]), rarity.weighed(right, pairs[1])
    shared = np.zeros(len(pairs[0]))
    share = np.full(len(pairs[0]), -1.0)
    for at, (one, other) in enumerate(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)):
        mine, theirs = lefts[one], rights[other]
        if mine and theirs:
            both = sum([weight for word, weight in mine.items() if word in theirs])
            shared[at], share[at] = both, both / max(min(sum(mine.values()), sum(theirs.values())), 1e-9)
    return shared, share
