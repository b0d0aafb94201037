"""Sending one message: by mail, by a signed webhook, or to a chat.

At least once: whoever dies between the message and its record sends it again, under the same Message-ID or webhook id.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import urlsplit

import aiosmtplib
import httpx
import msgspec

from interlock.connectors.webhook.signature import read_secrets, sign
from interlock.errors import InterlockError
from interlock.notices.notice import Notice, letter_of
from interlock.notify_settings import ChannelKind, NotifySettings

TIMEOUT_S = 15.0
_SMTP, _SMTPS = 25, 465


class NotSent(InterlockError):
    """A message did not go; it goes again later."""

    code = "not-sent"


async def send(channel: NotifySettings, notices: Sequence[Notice], public_url: str, now: datetime) -> None:
    """Send the notices of one letter in one message.

    Args:
        channel: By which.
        notices: Of one letter, at least one.
        public_url: Where people reach the console.
        now: For the signature of a webhook.

    Raises:
        NotSent: it did not go, as far as is known.
        ConfigInvalid: an address or a secret is not where the settings say.
    """
    try:
        if channel.kind is ChannelKind.MAIL:
            await _mail(channel, notices, public_url)
        else:
            await _post(channel, notices, public_url, now)
    except InterlockError:
        raise
    except Exception as cause:  # an address that is none fails in many ways, and delays nobody else
        raise NotSent(f"{channel.name}: {type(cause).__name__}") from cause  # its words may hold a secret address


async def _mail(channel: NotifySettings, notices: Sequence[Notice], public_url: str) -> None:
    subject, text = letter_of(notices, public_url)
    address = urlsplit(channel.address(os.environ))
    letter = EmailMessage()
    letter["From"], letter["To"] = channel.sender, notices[0].recipient
    letter["Subject"] = f"[Interlock] {subject}".replace("\n", " ").replace("\r", " ")
    letter["Message-ID"] = f"<{notices[0].letter}@{channel.sender.partition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    is_tls = address.scheme == "smtps"
    await aiosmtplib.send(
        letter,
        hostname=address.hostname,
        port=address.port or (_SMTPS if is_tls else _SMTP),
        use_tls=is_tls,
        username=channel.user or None,
        password=channel.secret.resolve(os.environ) if channel.secret else None,
        timeout=TIMEOUT_S,
    )


async def _post(channel: NotifySettings, notices: Sequence[Notice], public_url: str, now: datetime) -> None:
    subject, text = letter_of(notices, public_url)
    key = str(notices[0].letter)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    if channel.kind is ChannelKind.CHAT:
        body = msgspec.json.encode({"text": text})
    else:
        told = [{"kind": one.kind, "text": one.line, "url": public_url + one.path} for one in notices]
        body = msgspec.json.encode({"id": key, "title": subject, "notices": told})
        if channel.secret is not None:
            headers |= sign(read_secrets(channel.secret.resolve(os.environ)), key, now, body)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        answer = await client.post(channel.address(os.environ), content=body, headers=headers)
    if not answer.is_success:
        raise NotSent(f"{channel.name}: it answered {answer.status_code}")
