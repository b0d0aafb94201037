"""Signatures of webhooks, and how a receiver checks them. Pure.

Source: the Standard Webhooks specification 1.0.0 (github.com/standard-webhooks/standard-webhooks), symmetric scheme
``v1``: HMAC-SHA256 over ``id.timestamp.body``, in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from interlock.errors import ConfigInvalid, Unauthenticated

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE = timedelta(minutes=5)
"""How far a webhook's time may be from the receiver's, so that a copied one cannot be played back later."""
MOST_SECRETS = 4

_PREFIX = "whsec_"
_SHORTEST_SECRET = 24
_LONGEST_SECRET = 64
_VERSION = "v1"
_SECONDS = re.compile(r"[0-9]{1,11}\Z")
_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]+\Z")
"""Visible ASCII without the full stop, which separates the parts of what is signed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of a webhook whose signature is right.

    Attributes:
        id: The same at each attempt: a receiver that keeps the ids that it has acted upon, acts once.
        at: When this attempt was made, UTC, to the second.
    """

    id: str
    at: datetime


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Read signing secrets: ``whsec_`` and 24 to 64 bytes in base64; several, while one replaces another.

    Args:
        text: One secret, or up to four with white space between them, the newest first.

    Raises:
        ConfigInvalid: there is none, there are too many, or one is malformed; their text is in no message.
    """
    words = text.split()
    if not 1 <= len(words) <= MOST_SECRETS:
        raise ConfigInvalid(
            f"{len(words)} signing secrets were found", todo=f"put 1 to {MOST_SECRETS} there, with spaces between them"
        )
    return tuple(_secret(word, number) for number, word in enumerate(words, 1))


def sign(secrets: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a webhook.

    Args:
        secrets: As ``read_secrets`` gives them; each signs.
        message_id: Visible ASCII without a full stop.
        at: The time of this attempt, UTC.
        body: Exactly the bytes that are sent.
    """
    seconds = str(int(at.timestamp()))
    signatures = (f"{_VERSION},{_signature(secret, message_id, seconds, body)}" for secret in secrets)
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: seconds, SIGNATURE_HEADER: " ".join(signatures)}


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[bytes],
    *,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Delivery:
    """Check a webhook that came in, before anything of it is believed. Signatures are compared in constant time.

    Args:
        headers: Those of the request, by name in any case.
        body: Exactly the bytes that came, before any parsing.
        secrets: As ``read_secrets`` gives them; one of them must have signed.
        now: The receiver's time, UTC.
        tolerance: How far from it the webhook's time may be, either way.

    Returns:
        Its id, by which a receiver tells a repetition, and its time.

    Raises:
        Unauthenticated: a header is missing or malformed, it is too old or from the future, or no signature is right.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    message_id, seconds = given.get(ID_HEADER, ""), given.get(TIMESTAMP_HEADER, "")
    if not _ID.match(message_id):
        raise _refused(f"{ID_HEADER} is missing or malformed")
    if not _SECONDS.match(seconds):
        raise _refused(f"{TIMESTAMP_HEADER} is missing or no time in seconds")
    at = datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(seconds))
    if abs(now - at) > tolerance:
        raise _refused(f"it is of {at.isoformat()}, more than {tolerance} from now")
    due = [_signature(secret, message_id, seconds, body).encode() for secret in secrets]
    right = False
    for signature in given.get(SIGNATURE_HEADER, "").split():
        version, _, text = signature.partition(",")
        if version == _VERSION:
            for one in due:  # all of them, so that the time taken says nothing about which one it was
                right |= hmac.compare_digest(one, text.encode("utf-8", "replace"))
    if not right:
        raise _refused(f"no {_VERSION} signature in {SIGNATURE_HEADER} is right")
    return Delivery(message_id, at)


def _secret(word: str, number: int) -> bytes:
    try:
        secret = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _SHORTEST_SECRET <= len(secret) <= _LONGEST_SECRET:
        raise ConfigInvalid(
            f"secret {number} is no signing secret",
            todo=f"write {_PREFIX} and {_SHORTEST_SECRET} to {_LONGEST_SECRET} random bytes in base64",
        )
    return secret


def _signature(secret: bytes, message_id: str, seconds: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _refused(what: str) -> Unauthenticated:
    return Unauthenticated(f"this webhook is not believed: {what}", todo="answer 401 and do nothing else")
