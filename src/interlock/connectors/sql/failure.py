"""What an error of the database proves, by its SQLSTATE. Pure.

All of it is said of a transaction whose commit was not sent, or was answered by the error itself: nothing of it
happened. What is left to say is whether another try can help.

Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

import re

import psycopg

from interlock.actions.connector import Permanent, Transient
from interlock.db.text import storable

LATE = "IK001"
"""What the inbox's trigger raises at a commit after the request's deadline."""
LONGEST_SAID = 300

_PASSING_CLASSES = frozenset({"08", "25", "40", "53", "57", "58", "XX"})
"""Connections, wrong state (a standby), rollbacks, resources, intervention by an operator, the system, bugs."""
_PASSING = frozenset({"55P03", "55006", LATE})
_UNCLEAR_CLASSES = frozenset({"08", "57", "58", "XX"})
_UNCLEAR = frozenset({"40003"})
_CONTROL = re.compile(r"\s+")


def judge_error(cause: psycopg.Error, place: str) -> Transient | Permanent:
    """What an error says about a transaction that was not committed.

    Args:
        cause: The error.
        place: Whose, for the message.

    Returns:
        The code is the constraint's name where one was broken, else the SQLSTATE.
    """
    state = cause.sqlstate or ""
    what = f"{place}: {said(cause)}"
    if isinstance(cause, psycopg.OperationalError) and not state:
        return Transient(what, code="connection-lost")
    if state[:2] in _PASSING_CLASSES or state in _PASSING:
        return Transient(what, code="late" if state == LATE else state)
    return Permanent(what, code=cause.diag.constraint_name or state or "unsendable")


def leaves_doubt(cause: psycopg.Error, *, lost: bool) -> bool:
    """Whether an error that answered a commit leaves open what became of it.

    Args:
        cause: The error.
        lost: Whether the connection ended with it.
    """
    state = cause.sqlstate or ""
    return lost or not state or state[:2] in _UNCLEAR_CLASSES or state in _UNCLEAR


def said(cause: BaseException) -> str:
    """The error's first line, cut. Not its detail, which repeats values of rows."""
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    text = primary or next(iter(str(cause).strip().splitlines()), "") or type(cause).__name__
    return storable(_CONTROL.sub(" ", text))[:LONGEST_SAID]
