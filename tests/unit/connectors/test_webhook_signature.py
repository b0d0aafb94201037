from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from interlock.connectors.webhook import Delivery, read_secrets, sign, verify
from interlock.connectors.webhook.signature import TOLERANCE
from interlock.errors import ConfigInvalid, Unauthenticated

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BODY = b'{"type":"invoice.paid","data":{"amount":"31.00"}}'
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 64).decode()
SECRETS = read_secrets(NEW)


def test_the_signature_is_that_of_the_specification_s_own_example() -> None:
    """From the tests of the specification's reference libraries."""
    secrets = read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_was_signed_is_believed_by_headers_in_any_case() -> None:
    headers = {name.title(): value for name, value in sign(SECRETS, "i-17", NOW, BODY).items()}
    assert verify(headers, BODY, SECRETS, now=NOW) == Delivery("i-17", NOW)


def test_while_secrets_change_receivers_with_either_believe() -> None:
    headers = sign(read_secrets(f"{NEW}\n{OLD}\n"), "i", NOW, BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for known in (NEW, OLD):
        assert verify(headers, BODY, read_secrets(known), now=NOW)
    assert verify(sign(read_secrets(OLD), "i", NOW, BODY), BODY, read_secrets(f"{NEW} {OLD}"), now=NOW)


def test_signatures_of_other_schemes_are_passed_over() -> None:
    headers = sign(SECRETS, "i", NOW, BODY)
    headers["webhook-signature"] = f"v1a,AAAA v2,BBBB v1 {headers['webhook-signature']}"
    assert verify(headers, BODY, SECRETS, now=NOW)


@pytest.mark.parametrize("away", [TOLERANCE, -TOLERANCE])
def test_a_time_within_the_tolerance_is_believed_and_none_beyond(away: timedelta) -> None:
    headers = sign(SECRETS, "i", NOW, BODY)
    assert verify(headers, BODY, SECRETS, now=NOW + away)
    with pytest.raises(Unauthenticated, match="from now"):
        verify(headers, BODY, SECRETS, now=NOW + away + (away / abs(away)) * timedelta(seconds=1))


@pytest.mark.parametrize(
    ("header", "value", "what"),
    [
        ("webhook-id", None, "webhook-id is missing"),
        ("webhook-id", "a.b", "webhook-id is missing or malformed"),
        ("webhook-id", "other", "no v1 signature"),
        ("webhook-timestamp", None, "no time in seconds"),
        ("webhook-timestamp", "hello", "no time in seconds"),
        ("webhook-timestamp", "1.5", "no time in seconds"),
        ("webhook-timestamp", "-1", "no time in seconds"),
        ("webhook-timestamp", "99999999999", "from now"),
        ("webhook-timestamp", "999999999999", "no time in seconds"),
        ("webhook-signature", None, "no v1 signature"),
        ("webhook-signature", "v1,", "no v1 signature"),
        ("webhook-signature", "v1,dawfeoifkpqwoekfpqoekf", "no v1 signature"),
        ("webhook-signature", "v1,schlüssel", "no v1 signature"),
        ("webhook-signature", "v1,\ud800", "no v1 signature"),
    ],
)
def test_what_is_missing_or_wrong_is_not_believed(header: str, value: str | None, what: str) -> None:
    headers = sign(SECRETS, "i-17", NOW, BODY)
    if value is None:
        del headers[header]
    else:
        headers[header] = value
    with pytest.raises(Unauthenticated, match=what):
        verify(headers, BODY, SECRETS, now=NOW)


def test_a_copied_signature_is_not_believed_under_another_time() -> None:
    headers = sign(SECRETS, "i", NOW, BODY) | {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}
    with pytest.raises(Unauthenticated):
        verify(headers, BODY, SECRETS, now=NOW)


@pytest.mark.parametrize("position", [0, 20, len(BODY) - 1])
def test_another_body_is_not_believed(position: int) -> None:
    changed = bytearray(BODY)
    changed[position] ^= 1
    with pytest.raises(Unauthenticated):
        verify(sign(SECRETS, "i", NOW, BODY), bytes(changed), SECRETS, now=NOW)


def test_another_secret_is_not_believed() -> None:
    with pytest.raises(Unauthenticated):
        verify(sign(read_secrets(OLD), "i", NOW, BODY), BODY, SECRETS, now=NOW)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "0 signing secrets"),
        (" \n", "0 signing secrets"),
        (" ".join([OLD] * 5), "5 signing secrets"),
        (f"{OLD} s3cret-of-mine", "secret 2 is no signing secret"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "secret 1 is no signing secret"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "secret 1 is no signing secret"),
        ("schlüssel", "secret 1 is no signing secret"),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(text: str, what: str) -> None:
    with pytest.raises(ConfigInvalid, match=what) as refused:
        read_secrets(text)
    assert "s3cret" not in str(refused.value)
