"""Letters: the named mails of a connector, their tables in the settings, and how they are filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from interlock.actions.connector import Request
from interlock.connectors.http.template import Template
from interlock.connectors.mail.address import Mailbox, address_of, line_of, mailbox_of
from interlock.connectors.mail.message import Mail
from interlock.connectors.table import Table, text_of
from interlock.errors import Refused
from interlock.setting_forms import Problems

LETTER_KEYS = ("from", "to", "cc", "bcc", "subject", "body", "headers")
HEADERS = (
    "Reply-To", "In-Reply-To", "References", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Importance",
    "Feedback-ID",
)  # fmt: skip
"""Headers that a letter may have besides; those that begin with ``X-`` too."""
MOST_RECIPIENTS = 100
"""What every server must take (RFC 5321, section 4.5.3.1.8)."""

_ACTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")
_OWN_HEADER = re.compile(r"X-[A-Za-z0-9-]{1,60}\Z")


@dataclass(frozen=True, slots=True)
class Letter:
    """One named mail, with templates.

    Attributes:
        sender: Who it is from; never filled from a payload.
        to: One address each.
        cc: The same, for those who get a copy.
        bcc: The same, and not shown.
        subject: One line.
        body: Plain text.
        headers: More headers, by name.
    """

    sender: Mailbox
    to: tuple[Template, ...]
    cc: tuple[Template, ...]
    bcc: tuple[Template, ...]
    subject: Template
    body: Template
    headers: tuple[tuple[str, Template], ...]

    def filled(self, request: Request, now: datetime) -> Mail:
        """The mail of a request.

        Args:
            request: What the connector is asked.
            now: Stands in where the request does not say when it was decided; UTC.

        Raises:
            Refused: a name is missing in the payload, or what it gives is no address, or not of one line.
        """
        key, payload = request.key, request.payload
        headers = tuple((name, _value(name, template.text(key, payload))) for name, template in self.headers)
        return Mail(
            sender=self.sender,
            to=_addresses(self.to, request),
            cc=_addresses(self.cc, request),
            bcc=_addresses(self.bcc, request),
            subject=line_of(self.subject.text(key, payload), "the subject"),
            text=self.body.text(key, payload),
            headers=headers,
            key=key,
            at=request.decided_at or now,
        )


def read_letters(tables: Mapping[str, object], where: str, sender: Mailbox | None) -> dict[str, Letter]:
    """Read all letters of a connector.

    Args:
        tables: As TOML gives them, by the action's name.
        where: The connector's place in the settings, for messages.
        sender: Who they are from where they do not say; None: each must.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    problems = Problems()
    if not tables:
        problems.add(where, "there are no operations", f"write a table [{where}.operations.NAME] for each action")
    read: dict[str, Letter] = {}
    for name, value in tables.items():
        place = f"{where}.operations.{name}"
        if not _ACTION.match(name):
            problems.add(place, f"{name[:60]!r} is no name of an action", "use letters, digits, _ and -")
        table = Table.of(value, place, LETTER_KEYS, problems)
        if table is not None:
            read[name] = _letter(table, sender)
    problems.raise_any()
    return read


def _letter(table: Table, sender: Mailbox | None) -> Letter:
    letter = Letter(
        sender=table.read("from", sender_of, sender or Mailbox("", ""), required="" if sender else _SAY_FROM),
        to=table.read("to", _templates, (), required='name who gets it, as in to = "{employee}"'),
        cc=table.read("cc", _templates, ()),
        bcc=table.read("bcc", _templates, ()),
        subject=table.read("subject", _line, Template(()), required="write one line"),
        body=table.read("body", _template, Template(()), required="write the text"),
        headers=_headers(table),
    )
    if len(letter.to) + len(letter.cc) + len(letter.bcc) > MOST_RECIPIENTS:
        table.add("to", f"with cc and bcc names more than {MOST_RECIPIENTS} recipients", "use a list's address")
    return letter


_SAY_FROM = 'write from = "Refunds <refunds@example.com>" here, or under options for all'


def sender_of(value: object) -> Mailbox:
    """Who a mail is from, as it stands in the settings.

    Raises:
        Refused: it is no address with or without a name.
    """
    return mailbox_of(text_of(value))


def _headers(table: Table) -> tuple[tuple[str, Template], ...]:
    given = table.values.get("headers")
    known = tuple(cast("Mapping[str, object]", given)) if isinstance(given, Mapping) else ()
    inner = table.inner("headers", known)
    if inner is None:
        return ()
    read: list[tuple[str, Template]] = []
    for name in inner.values:
        if name not in HEADERS and not _OWN_HEADER.match(name):
            inner.add(name, "is no header that a letter may have", f"use one of {', '.join(HEADERS)}, or X-...")
        read.append((name, inner.read(name, _line, Template(()))))
    return tuple(read)


def _value(name: str, text: str) -> str:
    return mailbox_of(text).text if name == "Reply-To" else line_of(text, name)


def _template(value: object) -> Template:
    return Template.parse(text_of(value))


def _line(value: object) -> Template:
    return Template.parse(line_of(text_of(value), "it"))


def _templates(value: object) -> tuple[Template, ...]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    templates = tuple(_line(one) for one in listed)
    if not templates:
        raise Refused("names nobody", todo='write "{employee}", or a list of such')
    for template in templates:
        if all(isinstance(part, str) for part in template.parts):
            address_of(template.text("", {}))
    return templates


def _addresses(templates: tuple[Template, ...], request: Request) -> tuple[str, ...]:
    return tuple(address_of(template.text(request.key, request.payload)) for template in templates)
