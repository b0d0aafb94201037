"""Whether a case is being cut off by its worker, or code of its own raised what looks like it."""

from __future__ import annotations

import asyncio


def is_being_cut(cause: BaseException) -> bool:
    """Whether this is the cancellation of the running task itself, not one that the code it runs raised."""
    task = asyncio.current_task()
    return isinstance(cause, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def said_by(cause: BaseException) -> str:
    """An error's type and message; of an error that cannot even be printed, its type."""
    try:
        return f"{type(cause).__name__}: {cause}"
    except Exception:  # noqa: BLE001 - __str__ is code of whoever wrote the error
        return type(cause).__name__
