"""Whatever a payload holds, a mail has the headers and recipients of its letter, and ends where it ends."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.actions.connector import Request
from interlock.connectors.mail.letter import read_letters
from interlock.connectors.mail.message import compose, stuffed
from interlock.errors import Refused

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LETTER = {
    "from": "refunds@example.com",
    "to": "{to}",
    "subject": "For {subject}",
    "body": "{body}\n",
    "headers": {"Reply-To": "{desk}", "X-Case": "{case}"},
}
NAMES = [
    "From", "To", "Subject", "Date", "Message-ID", "Interlock-Key", "Auto-Submitted", "Reply-To", "X-Case",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
]  # fmt: skip
GOOD = {"to": "ana@example.org", "subject": "you", "body": "Dear Ana", "desk": "desk@example.org", "case": "c-1"}
PIECES = ["a", " ", "\r", "\n", "\r\n", ".", "\r\n.\r\n", "Bcc: b@c", "=?utf-8?q?=0A?=", "ß", ",", "<", "@", "\0"]

texts = st.text(max_size=120) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize("place", GOOD)
@given(text=texts)
def test_a_payload_changes_values_and_nothing_else(place: str, text: str) -> None:
    payload = GOOD | {place: text}
    letter = read_letters({"tell": LETTER}, "c", None)["tell"]
    try:
        mail = letter.filled(Request(operation="tell", key="k", payload=payload, deadline=NOW), NOW)
        content = compose(mail)
    except (Refused, UnicodeError):
        assert place != "body" or "\0" in text, "a body may hold whatever a mail can carry"
        return
    assert mail.recipients == (payload["to"],)
    assert re.fullmatch(r"[^\s,<>@]+@[^\s,<>@]+", payload["to"])
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.keys() == NAMES
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content), "every line ends in CR LF"
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\r\n.\r\n" not in stuffed(content), "only the end of a mail looks like one"
    shown = re.split(r"\r\n|\r|\n", message.get_content().rstrip("\r\n"))
    assert shown == re.split(r"\r\n|\r|\n", payload["body"].rstrip("\r\n"))
