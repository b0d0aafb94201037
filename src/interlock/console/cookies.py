"""The cookies of the console. No script reads them, and where people come by https they travel by nothing else.

They are sent along when somebody follows a link from elsewhere (SameSite=Lax): from a mail that tells of work, and from
the provider that they have just signed in at. With Strict they would stand before the door again. A form from another
site brings none of them, is told by its Origin, and lacks the session's key.

Source: RFC 6265bis, 4.1.3.2 (``__Host-``: no other host, and no plain http, can have set it) and 5.5 (SameSite).
"""

from __future__ import annotations

from typing import Any

from litestar import Response

from interlock.config import Settings

COOKIE = "interlock_session"
BROWSER = "interlock_browser"
"""Tells a browser that has signed somebody in from those that guess."""
BEGUN = "interlock_sign_in"
"""What a sign-in by a provider began with."""
BROWSER_S = 90 * 24 * 3600
BEGUN_S = 600


def is_secure(settings: Settings) -> bool:
    """Whether people come by https."""
    return settings.public_url.startswith("https://")


def cookie_name(settings: Settings, name: str) -> str:
    """What a cookie is called here."""
    return f"__Host-{name}" if is_secure(settings) else name


def give_cookie(
    response: Response[Any], settings: Settings, name: str, value: str, *, lasts_s: int | None = None
) -> None:
    """Give a browser a cookie.

    Args:
        response: The answer that it rides on.
        settings: Say how people come.
        name: One of those above.
        value: What it holds.
        lasts_s: For how long; None: until the browser is closed.
    """
    response.set_cookie(
        cookie_name(settings, name), value, max_age=lasts_s, path="/", secure=is_secure(settings), httponly=True,
        samesite="lax",
    )  # fmt: skip


def take_cookie(response: Response[Any], settings: Settings, name: str) -> None:
    """Take a cookie away again."""
    give_cookie(response, settings, name, "", lasts_s=0)
