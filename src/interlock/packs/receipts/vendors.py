"""What may be the vendor of a receipt: rows near the top, alone and merged, described by words and place. Pure."""

from __future__ import annotations

import re

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.packs.receipts.normalise import company_text, letters_of
from interlock.packs.receipts.page import Page, Word

_FIRST_ROWS = 10
_MORE_ROWS = 6
_LONGEST = 90
_MOST_LINES = 3

_LIMITED = re.compile(r"\b(?:S[DN][NH]\.?\s?B[HN]?[DO]|S\s?/\s?B|SB|BHD|SDN|PLT|LTD|INC)\b\.?")
_LIMITED_END = re.compile(r"(?:SDN\.?\s?BHD|S\s?/\s?B|\bBHD|\bPLT|\bLTD)\.?\s*(?:\([^)]*\))?\Z")
_TRADE = re.compile(
    r"ENTERPRI|TRADING|MARKETING|HARDWARE|STATIONER|REST[AO]U?RAN|CAFE|KOPI|BAKER|PHARMA|FARMASI|MART\b|STORE|SHOP|KEDAI|"
    r"SYARIKAT|PERNIAGAAN|PASARAYA|SERVICE|COMPANY|\bCO\b|CENTRE|INDUSTR|ELECTRIC|FOOD|BOOK|PIZZA|MOTOR|HOTEL|CLINIC|"
    r"PETRO|HOUSE|CONFECTIONER|SUPERMARKET|MINI ?MARKET|BISTRO|KITCHEN|GROCER|HOLDING|RESOURCES|CORPORATION|MALAYSIA"
)
_ADDRESS = re.compile(
    r"\bJALAN|\bJLN|\bLOT\b|\bNO\b[.: ]*[0-9]|^NO\b|\bTAMAN\b|\bBANDAR\b|KUALA|SELANGOR|JOHOR|SEKSYEN|\b[0-9]{5}\b|"
    r"FLOOR|\bFLR\b|MALL|PLAZA|\bKG\b|KAMPUNG|LORONG|PERSIARAN|BLOCK|BLK|LEVEL|PUSAT|CHERAS|KLANG|MASAI|PETALING|WISMA|MENARA|BATU\b"
)
_OFFICE = re.compile(
    r"\bTEL|\bFAX|\bGST|INVOICE|RECEIPT|\bDATE|CASH|WWW|HTTP|@|\.COM|WELCOME|THANK|\bBILL\b|TABLE|COUNTER|EMAIL|CUSTOMER|"
    r"COPY|DUPLICATE|CASHIER|QTY|PHONE|OWNED|FORMERLY|LICENSEE|BRANCH|OUTLET|ORDER|ITEM|TOTAL|REPRINT|CONTACT"
)
_NUMBER = re.compile(
    r"[(\[]?\s*(?:CO|ROC|REG|BR|COMPANY|BUSINESS)?[A-Z .:#]{0,22}[(\[]?"
    r"\s*[A-Z]{0,3}\s?[0-9]{4,12}\s?-?\s?[A-Z0-9]{0,3}\s*[)\]]?\Z"
)
_GLUE = re.compile(r"(?:&|\(|-|/|\bAND|\bDAN|\bOF|\bTHE)\s*\Z")


class VendorCandidate(msgspec.Struct, frozen=True):
    """One text that may be the vendor's name.

    Attributes:
        text: As printed, without the registration number, in upper case with single spaces.
        words: The OCR words that it was read from; never empty.
        lines: How many rows were merged.
        raw: The text with everything that was cut off.
        before: The row above.
        after: The row below.
    """

    text: str
    words: tuple[Word, ...]
    lines: int
    raw: str
    before: str
    after: str


def vendor_candidates(page: Page) -> tuple[VendorCandidate, ...]:
    """Every row near the top, its words alone, and up to three rows merged; then lower rows that name a company."""
    rows = page.rows
    texts = [" ".join(word.text for word in row)[: 2 * _LONGEST] for row in rows]
    starts = list(range(min(_FIRST_ROWS, len(rows))))
    lower = [n for n in range(len(starts), len(rows)) if _LIMITED_END.search(company_text(texts[n]))]
    found: dict[str, VendorCandidate] = {}
    for start in [*starts, *lower[:_MORE_ROWS]]:
        before = texts[start - 1] if start else ""
        for lines in range(1, _MOST_LINES + 1):
            if start + lines > len(rows):
                break
            after = texts[start + lines] if start + lines < len(rows) else ""
            words = tuple(word for row in rows[start : start + lines] for word in row)
            _add(found, VendorCandidate("", words, lines, " ".join(texts[start : start + lines]), before, after))
        if 1 < len(rows[start]) <= _MOST_LINES + 1:
            for word in rows[start]:
                after = texts[start + 1] if start + 1 < len(rows) else ""
                _add(found, VendorCandidate("", (word,), 1, word.text[: 2 * _LONGEST], before, after))
    return tuple(found.values())


def _add(found: dict[str, VendorCandidate], candidate: VendorCandidate) -> None:
    text = company_text(candidate.raw)
    key = letters_of(text)
    if len(text) <= _LONGEST and any(sign.isalpha() for sign in key):
        found.setdefault(key, msgspec.structs.replace(candidate, text=text))


def vendor_features(candidates: tuple[VendorCandidate, ...], page: Page) -> NDArray[np.float32]:
    """One row of numbers for each candidate: float32 ``[candidates, features]``, in the order of the candidates."""
    limited = [bool(_LIMITED_END.search(candidate.text)) for candidate in candidates]
    lower = " ".join(word.text for row in page.rows[_FIRST_ROWS:] for word in row)[:6000]
    known: dict[str, list[float]] = {}
    rows = [
        [
            *_wording(candidate),
            *_layout(candidate, page),
            *_row(candidate.before, known),
            *_row(candidate.after, known),
            *_last_line(candidate),
            sum(limited),
            limited[place] and not any(limited[:place]),
            candidate.text in lower,
        ]
        for place, candidate in enumerate(candidates)
    ]
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(rows[0]) if rows else 0)


def _wording(candidate: VendorCandidate) -> list[float]:
    text = candidate.text
    digits = sum(sign.isdigit() for sign in text)
    limited = [match.start() for match in _LIMITED.finditer(text)]
    return [
        len(text),
        len(text.split()),
        digits,
        digits / len(text),
        sum(sign.isalpha() for sign in text) / len(text),
        bool(limited),
        bool(_LIMITED_END.search(text)),
        len(limited),
        (limited[0] / len(text)) if limited else -1,
        len(_TRADE.findall(text)),
        bool(_ADDRESS.search(text)),
        bool(_OFFICE.search(text)),
        len(candidate.raw) - len(text),
        text.count("(") != text.count(")"),
        bool(_GLUE.search(text)),
        ":" in text,
        "*" in text or "=" in text,
        text[0].isdigit(),
    ]


def _layout(candidate: VendorCandidate, page: Page) -> list[float]:
    words = candidate.words
    left, right = min(word.left for word in words), max(word.right for word in words)
    heights = [word.height for word in words]
    first, last = words[0], words[-1]
    return [
        words[0].row,
        candidate.lines,
        len(words),
        page.down(first.middle),
        max(heights) / page.height,
        min(heights) / page.height,
        min(heights) / max(heights),
        page.across((left + right) / 2),
        (right - left) / max(page.right - page.left, 1.0),
        (right - left) / (max(heights) * max(len(candidate.raw) / candidate.lines, 1)),
        abs(page.across((first.left + first.right) / 2) - page.across((last.left + last.right) / 2)),
        len(page.rows[first.row]),
    ]


def _row(text: str, known: dict[str, list[float]]) -> list[float]:
    """A row beside: a registration number or an address below ends a name, an unfinished name goes on."""
    if text not in known:
        known[text] = [
            not text,
            bool(_LIMITED.search(text)),
            bool(_LIMITED_END.search(company_text(text))) if text else False,
            bool(_TRADE.search(text)),
            bool(_ADDRESS.search(text)),
            bool(_OFFICE.search(text)),
            bool(_NUMBER.match(text)),
            sum(sign.isdigit() for sign in text) / max(len(text), 1),
            len(text),
        ]
    return known[text]


def _last_line(candidate: VendorCandidate) -> list[float]:
    last = " ".join(word.text for word in candidate.words if word.row == candidate.words[-1].row)
    merged = candidate.lines > 1
    return [
        merged and bool(_ADDRESS.search(last)),
        merged and bool(_NUMBER.match(last)),
        bool(_LIMITED_END.search(last)),
        bool(_LIMITED.fullmatch(last.strip(" ."))),
        merged and bool(_OFFICE.search(last)),
        bool(re.match(r"OWN|DIMILIKI|BY\b", candidate.text)),
    ]
