"""Mending many data of one cause alike: looked at first, then released one by one, each on record by itself."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.mend import Change, apply_patch, changes
from interlock.cases.patch_check import refuse_reaching
from interlock.cases.release import Release
from interlock.cases.store import LIST_QUARANTINED, Quarantined
from interlock.contracts import read_json
from interlock.db.text import storable
from interlock.errors import ContractViolated, InterlockError, MalformedJson, Refused, Violation
from interlock.privacy.token import HIDDEN
from interlock.privacy.vault import sealed_token

Mend = Callable[[Any], Any]
"""What mends one JSON value: it gets a copy, and gives the mended one."""
_PAGE = 100
SHOWN = 3


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Which data are meant.

    Attributes:
        workflow: Of this workflow; None: of any.
        point: Of this decision point; "" for the input of cases; None: of any.
        rule: That break this rule; None: any.
        since: That came since then; None: ever.
    """

    workflow: str | None = None
    point: str | None = None
    rule: str | None = None
    since: datetime | None = None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One of the data that were looked at.

    Attributes:
        id: The quarantine's id.
        changes: What mending changes.
        left: What they break afterwards; empty if they can be released.
        error: Why they could not be mended or released; empty if they could.
    """

    id: UUID
    changes: tuple[Change, ...] = ()
    left: tuple[Violation, ...] = ()
    error: str = ""


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What a repair does, or would do.

    Attributes:
        looked_at: How many data of the cause were looked at.
        fit: How many keep their contract once they are mended.
        released: How many were released; 0 where nothing was to be.
        left: What the others break, by rule.
        first: The first ones, with what mending changes.
        failed: Those that keep their contract and could not be released, or could not be mended, the first hundred.
    """

    looked_at: int
    fit: int
    released: int
    left: dict[str, int]
    first: tuple[Looked, ...]
    failed: tuple[Looked, ...]


_MOST_FAILED = 100


class Patching(msgspec.Struct, frozen=True):
    """What mends by a JSON Patch.

    Attributes:
        patch: Its operations.
    """

    patch: tuple[Any, ...]

    def __call__(self, value: Any) -> Any:
        """The value, mended."""
        return apply_patch(value, list(self.patch))


def patching(patch: Sequence[Any]) -> Mend:
    """What mends by a JSON Patch."""
    return Patching(tuple(patch))


def calling(reference: str) -> Mend:
    """What mends by ``module:function``, which gets the data as they were read and returns the mended ones.

    Raises:
        Refused: there is no such function.
    """
    module, _, name = reference.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as cause:
        raise Refused(f"{reference!r} leads to no function: {cause}", todo="write module:function") from cause
    if not callable(found):
        raise Refused(f"{reference!r} is no function", todo="write module:function")
    return found


async def list_held(release: Release, cause: Cause, *, most: int, after: UUID | None = None) -> list[Quarantined]:
    """What is held of a cause, the oldest first."""
    wanted = {
        "workflow": cause.workflow,
        "point": cause.point,
        "rule": cause.rule,
        "since": cause.since,
        "after": after,
        "most": most,
    }
    async with release.decider.database.tenant(release.tenant) as connection:
        return await LIST_QUARANTINED.all(connection, wanted)


async def repair(
    release: Release,
    cause: Cause,
    mend: Mend,
    *,
    most: int,
    carry_out: bool,
    shown: int = SHOWN,
    may_open: bool = True,
) -> Repair:
    """Mend what is held of one cause alike, and release what then keeps its contract.

    Each is released by itself, in its own commit: one that cannot be never holds up the others, and what was done
    stays done wherever this ends. Asked again, it goes on with what is still held.

    Args:
        release: Lets data out.
        cause: Which data.
        mend: What mends one of them.
        most: At most so many are looked at.
        carry_out: Whether to release; else nothing is changed.
        shown: How many of the first ones are told in full.
        may_open: Whether who mends may open personal data; else what is sealed is left as it is.
    """
    looked_at = fit = released = 0
    left: Counter[str] = Counter()
    first: list[Looked] = []
    failed: list[Looked] = []
    after: UUID | None = None
    while looked_at < most:
        page = await list_held(release, cause, most=min(_PAGE, most - looked_at), after=after)
        for held in page:
            value, looked = await _opened_and_looked(release, held, mend, may_open=may_open)
            if not looked.left and not looked.error:
                fit += 1
                if carry_out:
                    looked = await _let_go(release, held, value, looked)
                    released += not looked.error
            left.update({violation.rule for violation in looked.left})
            if looked.error and len(failed) < _MOST_FAILED:
                failed.append(looked)
            if len(first) < shown:
                first.append(looked)
        looked_at += len(page)
        if not page:
            break
        after = page[-1].id
    return Repair(
        looked_at=looked_at,
        fit=fit,
        released=released,
        left=dict(left.most_common()),
        first=tuple(first),
        failed=tuple(failed),
    )


async def _opened_and_looked(release: Release, held: Quarantined, mend: Mend, *, may_open: bool) -> tuple[Any, Looked]:
    """The same of data that may be sealed; of these, where something changes is told, and not what."""
    if sealed_token(held.data) is None:
        return _look(release, held, mend)
    if not may_open:
        return None, Looked(id=held.id, error="the data are personal: to mend them, the key needs the scope personal")
    try:
        if isinstance(mend, Patching):
            refuse_reaching(mend.patch, release.contract_of(held))
        value, looked = _look(release, await release.unsealed(held), mend)
    except InterlockError as cause:
        return None, Looked(id=held.id, error=storable(str(cause)))
    hidden = tuple(one._replace(before=HIDDEN, after=HIDDEN) for one in looked.changes)
    error = looked.error and "they could not be mended; the data are personal, and why is not told"
    return value, msgspec.structs.replace(looked, changes=hidden, error=error)


def _look(release: Release, held: Quarantined, mend: Mend) -> tuple[Any, Looked]:
    """One of the data, mended, and what is to be said of it; nothing is changed."""
    try:
        before = read_json(held.data)
    except MalformedJson as cause:
        return None, Looked(id=held.id, error=f"they are no JSON: {cause}")
    try:
        # read again, so that whatever a function does to its argument, what came is compared with what it gives
        after = mend(read_json(held.data))
        changed, left = tuple(changes(before, after)), release.violations(held, after)
    except InterlockError as cause:
        return None, Looked(id=held.id, error=storable(str(cause)))
    except Exception as cause:  # noqa: BLE001 - whatever somebody's function raises, the others go on
        return None, Looked(id=held.id, error=storable(f"it raised {type(cause).__name__}: {cause}")[:500])
    return after, Looked(id=held.id, changes=changed, left=left)


async def _let_go(release: Release, held: Quarantined, value: Any, looked: Looked) -> Looked:
    try:
        await release.mended(held, value)
    except ContractViolated as cause:
        return msgspec.structs.replace(looked, left=cause.violations, error=cause.what)
    except InterlockError as cause:
        return msgspec.structs.replace(looked, error=storable(str(cause)))
    return looked
