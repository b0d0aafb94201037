"""Personal data shown to a person: for a stated purpose, and on the ledger before they are seen."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from interlock.contracts import canonical
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import PersonalErased, WorkFailed
from interlock.ledger.ledger import first_entry, further_entry
from interlock.privacy.token import HIDDEN, MARKER_BYTES, TOKEN_BYTES, Opened, SubjectKey, keys_in
from interlock.privacy.vault import REPAIR, Vault, open_token

_HIDDEN = HIDDEN.encode()


def revealed(body: bytes, keys: Mapping[UUID, SubjectKey], purpose: str | None) -> tuple[bytes, frozenset[UUID]]:
    """JSON in which the tokens of some keys are clear, and whose keys they were; every other token is hidden. Pure.

    Args:
        body: JSON, as it is to be shown.
        keys: Those that may be opened.
        purpose: For what; None: whatever they hold.
    """
    used: set[UUID] = set()

    def instead(found: re.Match[bytes]) -> bytes:
        begin, end = found.span()
        whole = body[begin - 1 : begin] == b'"' and body[end : end + 1] == b'"' and not _escaped(body, begin - 1)
        try:
            opened = open_token(found[1].decode(), found[2].decode(), keys)
        except PersonalErased:
            return _HIDDEN
        if purpose is not None and purpose not in opened.purposes:
            return _HIDDEN
        used.update(keys_in(found[0]))
        return _MARK + _json_of(opened) + _MARK if whole else _inner(opened)

    text = TOKEN_BYTES.sub(instead, body)
    # a token that is a whole string is its value, whatever that is: the quotes around it go
    return _QUOTED.sub(lambda found: found[1], text), frozenset(used)


_MARK = b"\x00"
"""Around a value that takes the place of a whole string; no JSON holds this byte."""
_QUOTED = re.compile(rb'"\x00([^\x00]*)\x00"')


def _escaped(body: bytes, at: int) -> bool:
    """Whether the quote at a place is part of a string."""
    back = len(body[:at]) - len(body[:at].rstrip(b"\\"))
    return back % 2 == 1


def _json_of(opened: Opened) -> bytes:
    if opened.place or opened.purposes != (REPAIR,):
        return canonical(opened.value)
    came = base64.b64decode(opened.value)
    try:
        return canonical(json.loads(came))
    except Exception:  # noqa: BLE001 - what was sealed is whatever came: no JSON, too deep, half of a surrogate pair
        return canonical(came.decode("utf-8", "replace"))


def _inner(opened: Opened) -> bytes:
    """A value within a string."""
    text = opened.value if isinstance(opened.value, str) else canonical(opened.value).decode()
    return canonical(text)[1:-1]


async def read_personal(
    vault: Vault, writer: Writer, tenant: UUID, body: bytes, *, purpose: str, who: str, record: UUID
) -> bytes:
    """JSON with its personal values in clear, as far as the purpose allows.

    INVARIANT: that they are read is on the ledger before anybody sees them.

    Args:
        vault: Opens the tokens.
        writer: For the ledger.
        tenant: Whose.
        body: JSON with tokens.
        purpose: For what.
        who: Who reads.
        record: What they read.

    Raises:
        WorkFailed: it could not be put on record: nothing is shown.
    """
    if MARKER_BYTES not in body:
        return body
    shown, used = revealed(body, await vault.keys(tenant, keys_in(body)), purpose)
    if used:
        await note_read(writer, tenant, sorted(used), purpose=purpose, who=who, record=record)
    return shown


async def note_read(
    writer: Writer, tenant: UUID, keys: Sequence[UUID], *, purpose: str, who: str, record: UUID
) -> None:
    """Put on record that personal data are read.

    Raises:
        WorkFailed: it could not be: nothing may be shown.
    """

    def build(stamp: Stamp) -> list[Write]:
        told: dict[str, Any] = {"who": who, "purpose": purpose, "record": record}
        first = first_entry(stamp, tenant, "personal.read", subject=keys[0], **told)
        return [first, *(further_entry(stamp, tenant, "personal.read", subject=key, **told) for key in keys[1:])]

    refusal = await writer.write(Unit(tenant, build))
    if refusal:
        raise WorkFailed(f"the reading could not be put on record: {refusal.what}")
