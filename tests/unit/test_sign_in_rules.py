"""The pure rules of signing in: where one is led back to, how long a pause is, which passwords are taken."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some

from interlock.console.places import HOME, own_path
from interlock.errors import Refused
from interlock.identity.password import check_password, make_password
from interlock.identity.pauses import FREE, LONGEST, Counted, network_of, pause_after


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "/console\\..\\..", "/console//evil.example",
        "/console/../v1", "/console/%2e%2e/v1", "/console/%2f%2fevil.example", "/console/%5cevil", "/console/a%0d%0ab",
        "/consolevil", "/console@evil.example", "javascript:alert(1)", "/console/\u2025/x", "/console/ x", "",
        "/console/sign-in?to=/console/sign-in", "/console/sign-out", "/console/password", "/console/" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_page_of_ours_leads_to_the_beginning(wanted: str) -> None:
    assert own_path(wanted) == HOME


@pytest.mark.parametrize("wanted", ["/console", "/console/queue?team=a&after=x%2Fy", "/console/reviews/0-1_2~3"])
def test_a_page_of_ours_is_led_to(wanted: str) -> None:
    assert own_path(wanted) == wanted


@given(some.text(alphabet="/\\.%:@?#c2fo5onsle \t\n", max_size=30).map(lambda text: "/console" + text))
def test_nobody_is_ever_led_elsewhere(wanted: str) -> None:
    led = urlsplit(urljoin("https://here.example/console/sign-in", own_path(wanted)))
    assert (led.scheme, led.netloc) == ("https", "here.example")
    assert led.path == "/console" or led.path.startswith("/console/")


@given(some.sampled_from(Counted), some.integers(0, 10**9))
def test_pauses_grow_and_end(counted: Counted, failures: int) -> None:
    pause = pause_after(counted, failures)
    assert pause_after(counted, max(failures - 1, 0)) <= pause <= LONGEST
    assert (pause == timedelta(0)) == (failures < FREE[counted])


def test_an_address_stands_for_those_who_have_its_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("testclient") == network_of("") == ""


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "ana.example.org",
        "password1234",
        "P@ssword12345",
        "aaaaaaaaaaaaaaaa",
        "x" * 129,
        "seven herons\0at noon",
    ],
)
def test_passwords_that_are_not_taken(password: str) -> None:
    with pytest.raises(Refused):
        check_password(password, name="ana.example.org")


def test_passwords_that_are_taken() -> None:
    for password in ("seven herons at noon", "мой пароль длинный", "q7!Zk-w2Lp9x", make_password()):
        check_password(password, name="ana")
    assert make_password() != make_password()
