"""What a reply of a mail server, or its absence, proves about the mail. Pure.

INVARIANT: until the full stop that ends a mail has left us, nothing was accepted; after it, only a reply says what was.
A server that replies 4yz or 5yz to the full stop must not deliver (RFC 5321, section 4.2.5); one whose reply is lost
may have delivered (RFC 1047).
"""

from __future__ import annotations

import re
from enum import IntEnum

from interlock.actions.connector import InDoubt, Permanent, Sent, Transient

LONGEST_SAID = 300

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])")
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Stage(IntEnum):
    """How far a mail came."""

    WAITING = 0
    """For a free connection."""
    CONNECTING = 1
    """To the greeting, through TLS and authentication: what is refused here is us, not the mail."""
    ADDRESSING = 2
    """Sender and recipients are said."""
    WRITING = 3
    """The mail is on its way, without the full stop that ends it."""
    ENDED = 4
    """The full stop has left us."""


def judge_reply(stage: Stage, code: int, message: str) -> Sent:
    """What a reply says that is no success.

    Args:
        stage: To what it was the reply.
        code: The reply's three digits; anything else where it was no reply.
        message: Its text.
    """
    said = f"it replied {shown(code, message)}"
    name = reply_name(code, message)
    if stage is Stage.ENDED and code // 100 not in (4, 5):
        return InDoubt(said, code=name)
    if stage >= Stage.ADDRESSING and code // 100 == 5:  # noqa: PLR2004 - RFC 5321, section 4.2.1
        return Permanent(said, name)
    return Transient(said, code=name)


def judge_loss(stage: Stage, what: str, code: str) -> Sent:
    """What it says that there was no reply, or no connection.

    Args:
        stage: How far the mail came.
        what: What happened.
        code: The same in a word.
    """
    return InDoubt(what, code=code) if stage is Stage.ENDED else Transient(what, code=code)


def reply_name(code: int, message: str) -> str:
    """The name of a reply: its enhanced status code (RFC 3463), else its three digits."""
    enhanced = _ENHANCED.match(message)
    if enhanced:
        return enhanced[0]
    return str(code) if 100 <= code <= 599 else "no-reply-code"  # noqa: PLR2004 - RFC 5321, section 4.2


def shown(code: int, message: str) -> str:
    """A reply on one plain line, cut."""
    plain = _CONTROL.sub(" ", message.encode("utf-8", "replace").decode()).strip()
    return f"{code} {plain[:LONGEST_SAID]}".strip()
