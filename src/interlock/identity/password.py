"""Passwords: which are taken, how they are stored, and how they are verified.

Source: NIST SP 800-63B, 5.1.1.2 (length, no rules of composition, common ones refused, NFKC before hashing); RFC 9106
(Argon2id), with the parameters of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from interlock.errors import LimitReached, Refused

T = TypeVar("T")

SHORTEST = 12
LONGEST = 128
_FEWEST_DIFFERENT = 5
_AT_ONCE = 2
_MOST_WAITING = 32
_COMMON = (
    "password", "passwort", "passw0rd", "p@ssword", "letmein", "welcome", "iloveyou", "qwertyuiop", "qwertz", "qwerty",
    "asdfghjkl", "administrator", "changeme", "interlock", "123456789", "abcdefgh", "correcthorsebatterystaple",
)  # fmt: skip
"""What lists of leaked passwords of twelve characters and more are made of; what is left beside it must be enough."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 5
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="interlock-password")
_waiting: set[object] = set()


def check_password(password: str, *, name: str) -> None:
    """See that somebody may have this password.

    Raises:
        Refused: it is too short, too long, their name, or one of those that are tried first.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise Refused(
            f"the password has {len(plain)} characters",
            where="password",
            todo=f"use at least {SHORTEST}; a sentence does",
        )
    if len(plain) > LONGEST or not plain.isprintable():
        raise Refused(
            "the password is no usable password", where="password", todo=f"use at most {LONGEST} printable characters"
        )
    folded = plain.casefold()
    rest = folded.replace(name.casefold(), "")
    for common in _COMMON:
        rest = rest.replace(common, "")
    if len(rest) < len(folded) and len(rest) < SHORTEST - 4:
        raise Refused(
            "the password is one of those that are tried first", where="password", todo="use another sentence"
        )
    if len(set(folded)) < _FEWEST_DIFFERENT:
        raise Refused("the password repeats a few characters", where="password", todo="use a sentence")


def make_password() -> str:
    """A password for once, to be read out: four groups of five, 99 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))


async def hash_password(password: str) -> str:
    """Its Argon2id hash, encoded with its salt and parameters."""
    plain = _normal(password)
    return await _in_thread(lambda: _hasher.hash(plain))


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether it is the password. Without one that is stored it takes as long, and it is not.

    Raises:
        LimitReached: too many are being verified.
    """
    plain = _normal(password[: LONGEST * 4])
    return await _in_thread(lambda: _holds(plain, stored))


def _holds(plain: str, stored: str | None) -> bool:
    try:
        return _hasher.verify(stored or _nobodys(), plain) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """The hash of what nobody knows: names that there are and names that there are not cost the same."""
    return _hasher.hash(secrets.token_urlsafe(32))


async def _in_thread(work: Callable[[], T]) -> T:
    """Do it beside the loop, two at a time: whoever floods the sign-in takes neither the loop nor all memory.

    Raises:
        LimitReached: too many wait.
    """
    if len(_waiting) >= _MOST_WAITING:
        raise LimitReached("too many people are signing in at this moment", todo="try again in a few seconds")
    mark = object()
    _waiting.add(mark)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
    finally:
        _waiting.discard(mark)


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
