"""Which mail server is spoken to, and how: read from a connector's settings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from interlock.connector_settings import ConnectorSettings
from interlock.connectors.mail.address import Mailbox, line_of
from interlock.connectors.mail.letter import sender_of
from interlock.connectors.table import Table, text_of
from interlock.errors import Refused
from interlock.setting_forms import Problems
from interlock.spelling import meant

OPTION_KEYS = ("from", "tls", "ca", "hostname")

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Tls(StrEnum):
    """How the connection is kept from others' eyes."""

    STARTTLS = "starttls"
    """Asked for after the greeting (RFC 3207); without it nothing is said."""
    IMPLICIT = "implicit"
    """From the first byte (RFC 8314)."""
    NONE = "none"


_PORTS = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server.

    Attributes:
        host: Its name or address.
        port: Its port.
        tls: How the connection is protected.
        ca: A file of certificates to trust besides the system's; empty: none.
        user: Who we are to it; empty: nobody.
        hostname: What we call ourselves in EHLO; empty: this machine's name.
        sender: Who letters are from that do not say; None: each must.
    """

    host: str
    port: int
    tls: Tls
    ca: str
    user: str
    hostname: str
    sender: Mailbox | None

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.host}:{self.port}"


def read_server(terms: ConnectorSettings) -> Server:
    """Read the address and the options of a connector.

    Raises:
        ConfigInvalid: anything is unknown, missing or malformed; all of it is named, with what to do.
    """
    where = f"connectors.{terms.name}"
    problems = Problems()
    parts = urlsplit(terms.url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path or parts.query or parts.fragment:
        todo = "write smtp://USER@HOST, or smtps://USER@HOST for TLS from the first byte"
        problems.add(f"{where}.url", f"{terms.url[:60]!r} is no mail server", todo)
    table = Table.of(terms.options, f"{where}.options", OPTION_KEYS, problems) or Table({}, where, problems)
    loopback = parts.hostname in _LOOPBACK
    if parts.scheme == "smtps":
        tls = Tls.IMPLICIT
        if "tls" in table.values:
            table.add("tls", "is there beside smtps, which is TLS from the first byte", "remove it, or write smtp://")
    else:
        tls = table.read("tls", _tls, Tls.NONE if loopback else Tls.STARTTLS)
    user = unquote(parts.username or "")
    if bool(user) != (terms.secret is not None):
        what, todo = (
            ("secret", "set secret = env:NAME or file:PATH") if user else ("the user", "write smtp://USER@HOST")
        )
        problems.add(where, f"{what} is missing: a login needs both", todo)
    if tls is Tls.NONE and terms.secret is not None and not loopback and not terms.simulated:
        problems.add(where, "the secret would travel in the clear", 'remove tls = "none"')
    server = Server(
        host=parts.hostname or "",
        port=parts.port or _PORTS[tls],
        tls=tls,
        ca=table.read("ca", text_of, ""),
        user=user,
        hostname=table.read("hostname", _hostname, ""),
        sender=table.read("from", sender_of, None),
    )
    problems.raise_any()
    return server


def _tls(value: object) -> Tls:
    known = (Tls.STARTTLS, Tls.NONE)
    if value not in known:
        raise Refused(f"{value!r} is no way to protect the connection", todo=meant(str(value), known))
    return Tls(str(value))


def _hostname(value: object) -> str:
    text = line_of(text_of(value), "it")
    if not text.isascii() or " " in text:
        raise Refused(f"{text[:60]!r} is no name of a host", todo="write this machine's name, as in app.example.com")
    return text
