"""Addresses of mail, and texts that may stand in a header: nothing passes that could begin another line. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from email.header import Header

from interlock.errors import Refused

_LONGEST_ADDRESS = 254
_LONGEST_LOCAL_PART = 64
_LONGEST_NAME = 100
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)\Z")
_NAMED = re.compile(r"(.*\S)\s*<([^<>]*)>\Z")
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, line and paragraph separators."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who a mail is from.

    Attributes:
        name: What is shown; may be empty.
        address: Local part and domain.
    """

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The domain of the address."""
        return self.address.rpartition("@")[2]

    @property
    def text(self) -> str:
        """As a header has it (RFC 5322, section 3.4; RFC 2047 for other letters)."""
        if not self.name:
            return self.address
        if self.name.isascii():
            quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{quoted}" <{self.address}>'
        return f"{Header(self.name, 'utf-8', maxlinelen=_LONGEST_ADDRESS).encode(linesep='')} <{self.address}>"


def address_of(text: str) -> str:
    """One address as it stands: no name, no list, no quoting, ASCII (RFC 5321, section 4.1.2, without its rarities).

    Raises:
        Refused: it is anything else.
    """
    found = _ADDRESS.match(text)
    if found is None or len(text) > _LONGEST_ADDRESS or len(found[1]) > _LONGEST_LOCAL_PART:
        todo = "give one address, as in ana@example.com; write other letters of a domain in its xn-- form"
        raise Refused(f"{text[:80]!r} is no address of mail", todo=todo)
    return text


def mailbox_of(text: str) -> Mailbox:
    """An address with or without a name: ``ana@example.com``, ``Ana <ana@example.com>``.

    Raises:
        Refused: it is anything else.
    """
    named = _NAMED.match(text)
    if named is None:
        return Mailbox("", address_of(text))
    name = line_of(named[1].strip().strip('"'), "the name")
    if len(name) > _LONGEST_NAME:
        raise Refused(f"the name has more than {_LONGEST_NAME} characters", todo="shorten it")
    return Mailbox(name, address_of(named[2]))


def line_of(text: str, what: str) -> str:
    """A text that stays on its line.

    Args:
        text: The text.
        what: Its name, for the message.

    Raises:
        Refused: it has a line break or another control character, by which it could add headers or text of its own.
    """
    for place, letter in enumerate(text):
        if unicodedata.category(letter) in _BREAKING:
            raise Refused(
                f"{what} has a line break or control character at {place}: {text[max(place - 20, 0) : place + 20]!r}",
                todo="pass a text of one line",
            )
    return text
