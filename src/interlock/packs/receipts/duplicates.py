"""The same receipt again: exact and near duplicates. Pure; a store keeps the fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from rapidfuzz import fuzz

from interlock.errors import Refused
from interlock.packs.receipts.dates import date_of
from interlock.packs.receipts.normalise import amount_of, amount_text, company_key
from interlock.percentages import percent

SAME_VENDOR = 85.0
"""From this similarity on (0 to 100, ``rapidfuzz.fuzz.ratio`` of keys), two names are taken for one vendor misread."""

SAME_WORDS = 0.8
"""From this Jaccard similarity of their shingles on, two receipts are taken for one paper."""

_ALIKE = str.maketrans("0O1IL5S8B2Z", "OOIIISSBBZZ")
"""Signs that OCR takes for each other."""

_SHINGLE = 3
_MOST_SHINGLES = 6000
_TOKEN = re.compile(r"[^\W_]+")


def fingerprint(fields: Mapping[str, Any]) -> str:
    """Vendor, date and total in one canonical form, such as ``"UNICORNSHOP|2026-01-09|31.00"``.

    Two receipts with the same fingerprint are one purchase, however they were scanned or spelt.

    Raises:
        Refused: date or total is missing or none; without them nothing tells purchases apart.
    """
    total, day = amount_of(str(fields.get("total", ""))), date_of(str(fields.get("date", "")))
    if total is None or day is None:
        raise Refused(
            f"no fingerprint without a date and a total: {fields.get('date')!r}, {fields.get('total')!r}",
            where="/total" if total is None else "/date",
            todo="pass the fields as they were read",
        )
    return f"{company_key(str(fields.get('company', '')))}|{day.isoformat()}|{amount_text(total)}"


def near_keys(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Four keys; two purchases share one if they are near each other.

    Near are here those of one total, at most a day apart, of vendors that differ in at most one misread letter: each
    half of the name goes with each of the two windows of two days that hold the date.

    Raises:
        Refused: date or total is missing or none.
    """
    vendor, day, total = fingerprint(fields).split("|")
    vendor, number = vendor.translate(_ALIKE), date.fromisoformat(day).toordinal()
    middle = len(vendor) // 2
    return tuple(
        f"{side}{half}|{window}|{total}"
        for side, half in (("<", vendor[:middle]), (">", vendor[len(vendor) - middle :]))
        for window in (f"e{number // 2}", f"o{(number + 1) // 2}")
    )


def words_fingerprint(words: Iterable[str]) -> str:
    """SHA-256 in hex over everything that was read, whatever its order, case, spacing and punctuation."""
    tokens = sorted(token for word in words for token in _TOKEN.findall(word.upper()))
    # Split words ("TOTAL:31.00" and "TOTAL : 31.00") give the same tokens, since only letters and digits count.
    return hashlib.sha256(" ".join(tokens).encode("utf-8", "surrogatepass")).hexdigest()


def shingles(words: Iterable[str]) -> frozenset[str]:
    """Every three tokens in a row, for ``near``; bounded, so that a huge receipt costs no more than a long one."""
    tokens = [token for word in words for token in _TOKEN.findall(word.upper())][:_MOST_SHINGLES]
    if len(tokens) < _SHINGLE:
        return frozenset(tokens)
    return frozenset(" ".join(tokens[n : n + _SHINGLE]) for n in range(len(tokens) - _SHINGLE + 1))


def near(fields_a: Mapping[str, Any], fields_b: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether two readings are so alike that a person should look, and why.

    Near are two that have the same total and either a similar vendor at most a day apart, or nearly the same words
    (``words`` beside the fields, where both have them). An exact duplicate is near too. Symmetric.
    """
    total = amount_of(str(fields_a.get("total", "")))
    if total is None or total != amount_of(str(fields_b.get("total", ""))):
        return False, ""
    alike = _same_words(fields_a.get("words"), fields_b.get("words"))
    if alike >= SAME_WORDS:
        return True, f"the same total {amount_text(total)} and {percent(alike, 0)} of the words the same"
    day_a, day_b = date_of(str(fields_a.get("date", ""))), date_of(str(fields_b.get("date", "")))
    if day_a is None or day_b is None or abs((day_a - day_b).days) > 1:
        return False, ""
    key_a, key_b = sorted(company_key(str(fields.get("company", ""))) for fields in (fields_a, fields_b))
    similarity = fuzz.ratio(key_a, key_b) if key_a and key_b else 0.0
    if similarity < SAME_VENDOR:
        return False, ""
    apart = "on the same day" if day_a == day_b else "a day apart"
    return True, f"the same total {amount_text(total)} {apart}, vendors {similarity:.0f} % alike"


def _same_words(words_a: object, words_b: object) -> float:
    if not isinstance(words_a, (list, tuple)) or not isinstance(words_b, (list, tuple)):
        return 0.0
    first, second = (shingles(str(word) for word in words) for words in (words_a, words_b))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - words of JSON
    union = len(first | second)
    return len(first & second) / union if union else 0.0
