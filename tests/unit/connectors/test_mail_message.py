from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from interlock.actions.connector import Request
from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.mail import MailConnector
from interlock.connectors.mail.address import mailbox_of
from interlock.connectors.mail.letter import HEADERS, LETTER_KEYS, read_letters
from interlock.connectors.mail.message import LARGEST_TEXT, compose
from interlock.connectors.mail.server import OPTION_KEYS, Tls, read_server
from interlock.connectors.registry import make_connector
from interlock.errors import ConfigInvalid, Refused
from interlock.setting_forms import SecretRef

README = files("interlock.connectors.mail").joinpath("README.md").read_text("utf-8")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DECIDED = datetime(2026, 3, 1, 19, 59, 0, 500, tzinfo=timezone(timedelta(hours=8)))
LETTER: dict[str, Any] = {
    "from": "Refunds <refunds@example.com>",
    "to": "{to}",
    "subject": "Refund of {amount.amount} {amount.currency}",
    "body": "Dear {name},\n\nwe paid {amount.amount}.\n",
    "headers": {"Reply-To": "{desk}", "X-Case": "{case}"},
}
PAYLOAD = {
    "to": "ana@example.org",
    "name": "Ana",
    "amount": {"amount": "31.00", "currency": "MYR"},
    "desk": "Desk <desk@example.com>",
    "case": "c-1",
}


def written(letter: dict[str, Any] | None = None, key: str = "t/refunds/tell/r-17", **payload: Any) -> bytes:
    read = read_letters({"tell": LETTER | (letter or {})}, "c", None)["tell"]
    request = Request(operation="tell", key=key, payload=PAYLOAD | payload, deadline=NOW, decided_at=DECIDED)
    return compose(read.filled(request, NOW))


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_a_letter_is_filled_and_written_the_same_each_time() -> None:
    content = written()
    assert content == written()
    assert content.decode("ascii").split("\r\n") == [
        'From: "Refunds" <refunds@example.com>',
        "To: ana@example.org",
        "Subject: Refund of 31.00 MYR",
        "Date: Sun, 01 Mar 2026 11:59:00 +0000",
        "Message-ID: <60e472ebfe09dee602b9ca219e69c58d@example.com>",
        "Interlock-Key: t/refunds/tell/r-17",
        "Auto-Submitted: auto-generated",
        'Reply-To: "Desk" <desk@example.com>',
        "X-Case: c-1",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "",
        "Dear Ana,",
        "",
        "we paid 31.00.",
        "",
    ]


def test_another_key_has_another_message_id() -> None:
    assert parsed(written(key="a"))["Message-ID"] != parsed(written(key="b"))["Message-ID"]


def test_other_letters_arrive_as_they_were() -> None:
    letter = {"from": "Rückzahlungen <refunds@example.com>", "subject": "Für {name}: " + "ß" * 200}
    text = "Grüße an {name} – 31,00 €\n" + "x" * 300 + "\n.\ntrailing  \nFrom here\n"
    message = parsed(written(letter | {"body": text}, name="Zoë"))
    assert message["From"] == "Rückzahlungen <refunds@example.com>"
    assert message["Subject"] == "Für Zoë: " + "ß" * 200
    assert message.get_content().replace("\r\n", "\n") == text.replace("{name}", "Zoë")


def test_no_line_is_longer_than_mail_allows() -> None:
    content = written({"subject": "ü" * 500, "body": "{name}"}, name="é" * 5000 + "x" * 5000, key="k" * 255)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"Interlock-Key: " + b"k" * 255 + b"\r\n" in content


@pytest.mark.parametrize(
    "text", ["a\nBcc: evil@example.com", "a\r\n\r\nbody", "a\rb", "a\0b", "a\u2028b", "a\x85b", "a\x1b[0m", "\ud800"]
)
@pytest.mark.parametrize("place", ["to", "name", "desk", "case"])
def test_nothing_of_a_payload_begins_another_line(place: str, text: str) -> None:
    with pytest.raises(Refused):
        written({"subject": "For {name}", "body": "fixed"}, **{place: text})


@pytest.mark.parametrize(
    "address",
    ["", "ana", "ana@", "@example.org", "a@b@c", "ana@example.org, ben@example.org", "Ana <ana@example.org>", "a b@c.d",
     "<ana@example.org>", "ana@example..org", ".ana@example.org", "ana@-x.org", "änä@example.org", "ana@exämple.org",
     '"a b"@example.org', "ana@[127.0.0.1]", "a" * 65 + "@example.org", "ana@" + "a." * 130 + "org"],
)  # fmt: skip
def test_a_recipient_is_one_plain_address(address: str) -> None:
    with pytest.raises(Refused, match="no address of mail"):
        written(to=address)


def test_recipients_are_listed_once_and_blind_ones_are_not_shown() -> None:
    letter = {"to": ["{to}", "ben@example.org"], "cc": "ana@example.org", "bcc": ["audit@example.org"]}
    read = read_letters({"tell": LETTER | letter}, "c", None)["tell"]
    mail = read.filled(Request(operation="tell", key="k", payload=PAYLOAD, deadline=NOW), NOW)
    assert mail.recipients == ("ana@example.org", "ben@example.org", "audit@example.org")
    message = parsed(compose(mail))
    assert (message["To"], message["Cc"]) == ("ana@example.org, ben@example.org", "ana@example.org")
    assert b"audit" not in compose(mail)
    assert message["Date"].datetime == NOW, "nobody said when it was decided"


@pytest.mark.parametrize(
    ("letter", "payload", "what"),
    [
        ({}, {"name": None}, "the payload has no name"),
        ({}, {"name": {"a": 1}}, "name is no text"),
        ({"subject": "{name}"}, {"name": "x" * 501}, "more than 500 characters"),
        ({"body": "{name}"}, {"name": "x" * (LARGEST_TEXT + 1)}, "more than 1,000,000 characters"),
        ({"body": "{name}"}, {"name": "a\0b"}, "has a NUL"),
        ({}, {"case": "x" * 1000}, "X-Case has more than 998"),
    ],
)
def test_what_cannot_be_written_is_named(letter: dict[str, Any], payload: dict[str, Any], what: str) -> None:
    with pytest.raises(Refused, match=what):
        written(letter, **payload)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nb", "schlüssel"])
def test_a_key_that_no_header_carries_is_refused(key: str) -> None:
    with pytest.raises(Refused, match="no header can carry"):
        written(key=key)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ana@example.com", "ana@example.com"),
        ("Ana <ana@example.com>", '"Ana" <ana@example.com>'),
        ('"Ana, Desk" <ana@example.com>', '"Ana, Desk" <ana@example.com>'),
        ('A "b" c <ana@example.com>', '"A \\"b\\" c" <ana@example.com>'),
        ("Ää <ana@example.com>", "=?utf-8?b?w4TDpA==?= <ana@example.com>"),
    ],
)
def test_a_sender_may_have_a_name(text: str, shown: str) -> None:
    assert mailbox_of(text).text == shown


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"too": "x"}, "tell.too", "did you mean"),
        ({"to": None}, "tell.to", "is no text"),
        ({"to": []}, "tell.to", "names nobody"),
        ({"to": "ana"}, "tell.to", "no address of mail"),
        ({"to": "{to"}, "tell.to", "is no look-up"),
        ({"to": ["{to}"] * 101}, "tell.to", "more than 100 recipients"),
        ({"from": "{to}"}, "tell.from", "no address of mail"),
        ({"subject": "a\nb"}, "tell.subject", "line break"),
        ({"body": 3}, "tell.body", "is no text"),
        ({"headers": {"Bcc": "{to}"}}, "tell.headers.Bcc", "no header that a letter may have"),
        ({"headers": {"From": "{to}"}}, "tell.headers.From", "no header that a letter may have"),
        ({"headers": {"X-A: b\r\nBcc": "x"}}, "tell.headers", "no header that a letter may have"),
        ({"headers": {"X-A": "a\r\nb"}}, "tell.headers.X-A", "line break"),
        ({"headers": 3}, "tell.headers", "is no table"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_with_its_place(change: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_letters({"tell": LETTER | change}, "connectors.m", None)
    assert f"connectors.m.operations.{where}" in str(refused.value)
    assert what in str(refused.value)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigInvalid, match="4 settings are wrong"):
        read_letters({"tell": {}}, "connectors.m", None)


def settings(**changes: Any) -> ConnectorSettings:
    values: dict[str, Any] = {
        "name": "m",
        "kind": "mail",
        "url": "smtp://refunds%40example.com@mail.example.com",
        "secret": SecretRef("env", "SMTP"),
        "operations": {"tell": LETTER},
    }
    return ConnectorSettings(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "host", "port", "tls", "user"),
    [
        ({}, "mail.example.com", 587, Tls.STARTTLS, "refunds@example.com"),
        ({"url": "smtps://a@mail.example.com"}, "mail.example.com", 465, Tls.IMPLICIT, "a"),
        ({"url": "smtp://a@mail.example.com:2525"}, "mail.example.com", 2525, Tls.STARTTLS, "a"),
        ({"url": "smtp://localhost", "secret": None}, "localhost", 25, Tls.NONE, ""),
        ({"url": "smtp://[::1]:26", "secret": None}, "::1", 26, Tls.NONE, ""),
        (
            {"url": "smtp://127.0.0.1", "secret": None, "options": {"tls": "starttls"}},
            "127.0.0.1",
            587,
            Tls.STARTTLS,
            "",
        ),
        ({"url": "smtp://relay", "secret": None, "options": {"tls": "none"}}, "relay", 25, Tls.NONE, ""),
    ],
)
def test_tls_is_asked_for_unless_it_is_this_machine_or_said_otherwise(
    changes: dict[str, Any], host: str, port: int, tls: Tls, user: str
) -> None:
    server = read_server(settings(**changes))
    assert (server.host, server.port, server.tls, server.user) == (host, port, tls, user)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"url": ""}, "is no mail server"),
        ({"url": "https://mail.example.com"}, "is no mail server"),
        ({"url": "smtp://a@mail.example.com/path"}, "is no mail server"),
        ({"secret": None}, "secret is missing: a login needs both"),
        ({"url": "smtp://mail.example.com"}, "the user is missing: a login needs both"),
        ({"options": {"tls": "none"}}, "would travel in the clear"),
        ({"options": {"tls": "ssl"}}, "no way to protect"),
        ({"url": "smtps://a@mail.example.com", "options": {"tls": "starttls"}}, "beside smtps"),
        ({"options": {"tsl": "none"}}, "did you mean"),
        ({"options": {"hostname": "a b"}}, "no name of a host"),
        ({"options": {"from": "nobody"}}, "no address of mail"),
        ({"honours_keys": True, "key_retention": timedelta(days=1)}, "kind mail has no honours_keys"),
        ({"can_look_up": True}, "kind mail has no can_look_up"),
        ({"can_void": True}, "kind mail has no can_void"),
        ({"operations": {}}, "there are no operations"),
    ],
)
def test_settings_that_are_not_of_this_kind_are_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigInvalid, match=what):
        make_connector("m", settings(**changes))


def test_letters_are_from_who_the_options_say_unless_they_say_otherwise() -> None:
    plain = {key: value for key, value in LETTER.items() if key != "from"}
    read = read_letters({"a": plain, "b": LETTER}, "c", mailbox_of("desk@example.com"))
    assert (read["a"].sender.address, read["b"].sender.address) == ("desk@example.com", "refunds@example.com")


async def test_the_example_loads_as_it_stands(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 1
    (tmp_path / "interlock.toml").write_text(examples[0])
    connector = make_connector("letters", Settings.load({}, {}, tmp_path).connectors["letters"])
    assert isinstance(connector, MailConnector)
    assert connector.abilities.max_request_life == timedelta(minutes=10)
    await connector.close()


@pytest.mark.parametrize("key", [*LETTER_KEYS, *OPTION_KEYS])
def test_each_setting_is_documented(key: str) -> None:
    assert re.search(rf"^\|.*`{key}`.*\|.*\|.*\|$", README, re.MULTILINE)


@pytest.mark.parametrize("header", HEADERS)
def test_each_header_is_documented(header: str) -> None:
    assert f"`{header}`" in README
