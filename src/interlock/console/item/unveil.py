"""What a person typed over a stored value whose personal parts stood hidden: put back in clear, to be veiled again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.personal import vault_of
from interlock.cases.registry import Registered
from interlock.console.item.typed import still_hidden, unhidden
from interlock.errors import Violation
from interlock.privacy.token import MARKER_BYTES
from interlock.privacy.veil import Veil


async def put_back(
    registered: Registered, tenant: UUID, stored: bytes | None, typed: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Violation, ...]]:
    """What was typed, with what stood hidden in clear, and what is wrong with it.

    Args:
        registered: The workflow, of the tenant.
        tenant: Whose.
        stored: What stood there before, as it is stored.
        typed: What was typed over it.
    """
    before: Any = msgspec.json.decode(stored) if stored is not None else {}
    whole, has_tokens = unhidden(typed, before) if MARKER_BYTES in (stored or b"") else (typed, False)
    if has_tokens:  # nobody sees them: they are kept as they were, and veiled again when the value is stored
        whole = await vault_of(registered).open(tenant, whole, None, Veil())
    if still_hidden(whole):
        what = "(personal) stands where none was, or in a list whose rows moved, so that it is not known whose it is"
        todo = "leave rows with personal data in their places, or write the value itself"
        return whole, (Violation(where="", what=what, rule="hidden", todo=todo),)
    return whole, ()
