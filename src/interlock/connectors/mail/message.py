"""Writes a mail down as the bytes that travel (RFC 5322, RFC 2045 to 2047). Pure, and the same at each attempt.

It is written here, line by line, since the library's own folding depends on Python's version, and encodes long keys.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime

from interlock.connectors.mail.address import Mailbox, line_of
from interlock.errors import Refused

KEY_HEADER = "Interlock-Key"
LARGEST_TEXT = 1_000_000
"""Characters of a body."""
LONGEST_SUBJECT = 500

_LONGEST_LINE = 998
"""Characters of a line without its end (RFC 5322, section 2.1.1)."""
_USUAL_LINE = 76
_BREAKS = re.compile(r"\r\n?|\n")
_STARTING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, filled in.

    Attributes:
        sender: Who it is from.
        to: Addresses that it shows as its recipients.
        cc: Addresses that it shows as recipients of a copy.
        bcc: Addresses that it does not show.
        subject: One line.
        text: The body; lines end as they like.
        headers: More headers, by name.
        key: The action's key.
        at: When it was decided, UTC.
    """

    sender: Mailbox
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    headers: tuple[tuple[str, str], ...]
    key: str
    at: datetime

    @property
    def recipients(self) -> tuple[str, ...]:
        """Each address once, in order."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))

    @property
    def message_id(self) -> str:
        """The same for the same key: who gets the mail twice can tell (RFC 5322, section 3.6.4)."""
        return f"<{hashlib.sha256(self.key.encode()).hexdigest()[:32]}@{self.sender.domain}>"


def compose(mail: Mail) -> bytes:
    """The mail as bytes, lines ending in CR LF, without the full stop that ends it in SMTP.

    Raises:
        Refused: a header has a line break or is too long, the key is no visible ASCII, the body too long or with a NUL.
    """
    if not mail.key.isascii() or not mail.key.isprintable() or " " in mail.key or not mail.key:
        raise Refused("the key is empty or has characters other than visible ASCII, which no header can carry")
    if len(mail.subject) > LONGEST_SUBJECT:
        raise Refused(f"the subject has more than {LONGEST_SUBJECT} characters", todo="shorten it")
    coding, body = _body(mail.text)
    headers = [
        ("From", mail.sender.text),
        ("To", _list(mail.to)),
        *([("Cc", _list(mail.cc))] if mail.cc else []),
        ("Subject", mail.subject),
        ("Date", format_datetime(mail.at.astimezone(UTC).replace(microsecond=0))),
        ("Message-ID", mail.message_id),
        (KEY_HEADER, mail.key),
        ("Auto-Submitted", "auto-generated"),  # so that nobody's automatic answer answers us (RFC 3834)
        *mail.headers,
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", coding),
    ]
    head = "".join(_header(name, value) for name, value in headers)
    return head.encode("ascii") + b"\r\n" + body


def stuffed(content: bytes) -> bytes:
    """The mail as it travels in SMTP: a full stop that begins a line is doubled (RFC 5321, section 4.5.2)."""
    return _STARTING_DOT.sub(b"..", content)


def _header(name: str, value: str) -> str:
    lines = value.split(",\r\n ")  # of a list of addresses each stands on its own line
    for line in lines:
        line_of(line, name)
    if not value.isascii():
        value = Header(value, "utf-8", header_name=name, maxlinelen=_USUAL_LINE).encode(linesep="\r\n")
    elif max(map(len, lines)) > _LONGEST_LINE - len(name) - 3:
        raise Refused(f"{name} has more than {_LONGEST_LINE} characters", todo="shorten it")
    return f"{name}: {value}\r\n"


def _list(addresses: Sequence[str]) -> str:
    return ",\r\n ".join(addresses)


def _body(text: str) -> tuple[str, bytes]:
    """The transfer coding, and the text in it."""
    if "\0" in text:
        raise Refused("the body has a NUL, which no mail can carry", todo="remove it from the payload")
    if len(text) > LARGEST_TEXT:
        raise Refused(f"the body has more than {LARGEST_TEXT:,} characters", todo="send a link to what is long")
    lines = _BREAKS.split(text.rstrip("\r\n"))
    if text.isascii() and all(len(line) <= _USUAL_LINE and line == line.rstrip() for line in lines):
        return "7bit", "".join(f"{line}\r\n" for line in lines).encode("ascii")
    coded = binascii.b2a_qp("\n".join(lines).encode(), quotetabs=False, istext=True)
    return "quoted-printable", coded.replace(b"\n", b"\r\n") + b"\r\n"
