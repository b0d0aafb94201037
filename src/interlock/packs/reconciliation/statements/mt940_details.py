"""What the fields 61 and 86 say of an entry, in the ways in which banks write them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_NONE = frozenset({"NONREF", "NOTPROVIDED", ""})
_TAGS = (
    "TRTP", "TRCD", "IBAN", "BIC", "NAME", "REMI", "EREF", "MARF", "CSID", "ORDP", "BENM", "ULTD", "ULTC", "ULTB",
    "PURP", "ISDT", "RTRN", "SVCL", "PREF", "CNTP", "ADDR", "ID", "USTD", "STRD", "KREF", "IREF", "ACCW", "CREF",
)  # fmt: skip
_TAG = re.compile(f"/({'|'.join(_TAGS)})/")


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an entry; empty where it is not said.

    Attributes:
        memo: What it says for people.
        counterparty: The other party's name.
        counterparty_account: Its account.
        reference: Identifiers of the payment.
        bank_reference: The bank's own.
        code: The kind of transaction: that of field 61, and that of the structured field 86.
    """

    memo: str
    counterparty: str
    counterparty_account: str
    reference: str
    bank_reference: str
    code: str


def details_of(texts: Mapping[str, str]) -> Details:
    """Read the parts of a statement line, by the names that ``mt940_fields.line_of`` gives them.

    Args:
        texts: Text parts by name; structured ones (``?20``), or ``transaction_details`` as it stands.
    """
    free = texts.get("transaction_details", "")
    tagged = _tagged(free)
    counter = tagged.get("CNTP", "").split("/")
    memo = (
        tagged.get("REMI", "").removeprefix("USTD//").strip("/")
        or (free if not tagged else "")
        or texts.get("purpose", "")
        or texts.get("posting_text", "")
        or texts.get("non_swift_text", "")
    )
    name = tagged.get("NAME") or texts.get("applicant_name") or texts.get("recipient_name") or _at(counter, 2)
    own = tagged.get("IBAN") or texts.get("applicant_iban") or texts.get("gvc_applicant_iban") or _at(counter, 0)
    references = (
        tagged.get("EREF", ""),
        texts.get("end_to_end_reference", ""),
        texts.get("customer_reference", ""),
        texts.get("additional_position_reference", ""),
        tagged.get("MARF", ""),
        texts.get("tnr", ""),
    )
    return Details(
        memo=" ".join(part for part in (memo, texts.get("extra_details", "")) if part),
        counterparty=name,
        counterparty_account=own,
        reference=" ".join(dict.fromkeys(given for one in references if (given := _given(one)))),
        bank_reference=_given(texts.get("bank_reference", "")),
        code="-".join(
            part for part in (texts.get("id", "").strip(), texts.get("transaction_code", "").strip()) if part
        ),
    )


def _tagged(text: str) -> dict[str, str]:
    """``/TRTP/SEPA/IBAN/NL../NAME/..``; empty if the text is of another form. A line's end stands for nothing there."""
    joined = text.replace("\n", "")
    if not _TAG.match(joined):
        return {}
    parts = _TAG.split(joined)
    found: dict[str, str] = {}
    for tag, value in zip(parts[1::2], parts[2::2], strict=True):
        if value.strip("/ "):
            found.setdefault(tag, value.strip("/ "))
    return found


def _given(text: str) -> str:
    bare = text.strip().removeprefix("KREF+").strip()
    return "" if bare.upper() in _NONE else bare


def _at(parts: list[str], place: int) -> str:
    return parts[place] if place < len(parts) else ""
