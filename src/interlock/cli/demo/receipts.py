"""The receipts of the demo: generated ones with known truth, or a file of real ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from interlock.contracts import read_json
from interlock.errors import MalformedJson, NotFound, Refused
from interlock.packs.receipts.dates import date_of
from interlock.packs.receipts.generate import generate
from interlock.packs.receipts.normalise import amount_of, amount_text

HANDED_IN_AFTER = timedelta(days=14)
"""How long after its date a real receipt is taken to have been handed in: the file does not say."""

_EMPLOYEES = 12
_BROKEN = ("not json at all", '{"words": ["TOTAL", "31.00"], "bboxes": [[0, 0, 1, 1]', '{"total": NaN}')


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt really says.

    Attributes:
        company: The vendor.
        date: The day, as YYYY-MM-DD; empty if the truth itself has none.
        total: The exact amount; empty if the truth itself has none.
    """

    company: str
    date: str
    total: str


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """One receipt as it is handed in.

    Attributes:
        key: Its idempotency key.
        body: The input's bytes.
        truth: What it says; None for one that is broken on purpose.
        kind: What it is to show.
        repeats: The key of the receipt that it repeats.
    """

    key: str
    body: bytes
    truth: Truth | None
    kind: str
    repeats: str = ""


def generated(count: int, seed: int, today: date) -> list[Handed]:
    """Made-up receipts: clean, unclear, large, cut, repeated and invalid ones, and some bytes that are no JSON."""
    handed: list[Handed] = []
    for number, receipt in enumerate(generate(seed, count, today=today)):
        handed.append(_generated(receipt, number))
    handed += [
        Handed(key=f"broken-{number}", body=text.encode(), truth=None, kind="broken")
        for number, text in enumerate(_BROKEN)
    ]
    return handed


def _generated(receipt: Mapping[str, Any], number: int) -> Handed:
    known = {"key", "kind", "truth", "of", "violation"}
    value = {"employee": _employee(number), **{name: receipt[name] for name in receipt if name not in known}}
    truth = receipt.get("truth")
    return Handed(
        key=receipt["key"],
        body=msgspec.json.encode(value),
        truth=Truth(company=truth["company"], date=truth["date"], total=truth["total"]) if truth else None,
        kind=str(receipt["kind"]),
        repeats=receipt.get("of", ""),
    )


def real(path: Path) -> list[Handed]:
    """The receipts of a file of JSON lines with ``words``, ``bboxes``, ``image_size`` and, as truth, ``entities``.

    Raises:
        NotFound: there is no such file.
        Refused: a line is not of that form.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as cause:
        raise NotFound(f"{path} cannot be read: {cause.strerror}", todo="name a file of receipts") from cause
    return [_real(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def _real(line: bytes, path: Path, number: int) -> Handed:
    try:
        receipt = read_json(line)
        entities = receipt.get("entities", {})
        total, day = amount_of(entities.get("total", "")), date_of(entities.get("date", ""))
        received = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + HANDED_IN_AFTER if day else None
        value = {
            "employee": _employee(number),
            "words": receipt["words"],
            "bboxes": receipt["bboxes"],
            "image_size": receipt["image_size"],
            **({"received": received.isoformat().replace("+00:00", "Z")} if received else {}),
        }
    except (MalformedJson, KeyError, AttributeError) as cause:
        raise Refused(
            f"it is no receipt: {cause}", where=f"{path.name}:{number}", todo="give words, bboxes and image_size"
        ) from cause
    truth = Truth(
        company=str(entities.get("company", "")),
        date=day.isoformat() if day else "",
        total=amount_text(total) if total is not None else "",
    )
    return Handed(
        key=str(receipt.get("key", f"{path.name}:{number}")), body=msgspec.json.encode(value), truth=truth, kind="real"
    )


def vendors_beside(path: Path) -> list[str]:
    """The vendors that the training file beside a file of receipts knows: the list an accounts team would have."""
    train = path.with_name("train.jsonl")
    if not train.is_file():
        return []
    names = (
        msgspec.json.decode(line).get("entities", {}).get("company", "") for line in train.read_bytes().splitlines()
    )
    return sorted({re.sub(r"\s+", " ", name).strip() for name in names if name})


def _employee(number: int) -> str:
    return f"employee-{number % _EMPLOYEES:02d}"


def money_in(handed: Sequence[Handed], currency: str) -> str:
    """What the receipts say together."""
    total = sum((amount_of(one.truth.total) or 0 for one in handed if one.truth and one.truth.total), start=0)
    return f"{total:.2f} {currency}"
