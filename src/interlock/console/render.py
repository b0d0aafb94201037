"""Rendering: templates, what every page knows, and how amounts, times and ids are written."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

import jinja2
from litestar import Response
from markupsafe import Markup, escape

from interlock import percentages
from interlock.autonomy.issuing.promise import evidence_said
from interlock.console.assets import asset_path
from interlock.console.visit import Visit
from interlock.errors import MoneyInvalid
from interlock.money import Money
from interlock.oversight.escalation import shown_age
from interlock.privacy.token import hide_in

HTML = "text/html"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
}
"""Those of a page; the others are on every answer."""


def render(
    visit: Visit, template: str, /, *, status: int = 200, headers: dict[str, str] | None = None, **shown: Any
) -> Response[bytes]:
    """A page, or a part of one: ``visit`` is known to every template, with what the function is given.

    INVARIANT: no token of personal data leaves in a page: ``(personal)`` stands in its place.

    Args:
        visit: The request.
        template: The file under ``templates/``.
        status: The HTTP status.
        headers: Others beside a page's own.
        shown: What the template names.
    """
    text = templates().get_template(template).render(visit=visit, now=visit.node.database.clock.now(), **shown)
    return Response(
        hide_in(text).encode(errors="replace"),
        status_code=status,
        media_type=f"{HTML}; charset=utf-8",
        headers=HEADERS | (headers or {}),
    )


@cache
def templates() -> jinja2.Environment:
    """The templates, compiled once.

    INVARIANT: everything is escaped unless our own code made it HTML.
    """
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("interlock.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters = cast("dict[str, Any]", made.filters)
    filters |= {
        "money": money, "when": when, "ago": ago, "short": short, "percent": percent,
        "lasting": lasting, "grouped": grouped, "evidence": evidence,
    }  # fmt: skip
    cast("dict[str, Any]", made.globals)["asset"] = asset_path
    return made


def money(amount: Money | None, *, none: str = "–") -> Markup:
    """An amount, grouped in thousands, its currency apart: ``1,234.50 EUR``."""
    if amount is None:
        return Markup('<span class="money none">{}</span>').format(none)
    return _ours(
        f'<span class="money"><span class="amount">{amount.amount:,}</span> '
        f'<span class="currency">{escape(amount.currency)}</span></span>'
    )


def grouped(text: str) -> str:
    """An amount that is at hand as a text, grouped in thousands: ``20,000.00 EUR``; any other text as it is."""
    try:
        amount = Money.parse(text)
    except MoneyInvalid:
        return text
    return f"{amount.amount:,} {amount.currency}"


@jinja2.pass_context
def when(context: jinja2.runtime.Context, moment: datetime | None, *, none: str = "–") -> Markup:
    """A moment, in UTC, with its year where that is not this one; the script shows how long ago it is beside it."""
    if moment is None:
        return Markup('<span class="none">{}</span>').format(none)
    now: object = context.get("now")
    this_year = isinstance(now, datetime) and now.year == moment.year
    return _time(moment, f"{moment:%b %d %H:%M}" if this_year else f"{moment:%b %d, %Y %H:%M}")


def evidence(factor: float | None) -> str:
    """How strongly decisions speak against a certificate."""
    return "–" if factor is None else evidence_said(factor)


def ago(moment: datetime | None, now: datetime, *, none: str = "–") -> Markup:
    """How long ago, or in how long: ``4m``, ``in 2h``."""
    if moment is None:
        return Markup('<span class="none">{}</span>').format(none)
    away = moment - now
    text = f"in {lasting(away)}" if away > timedelta(0) else lasting(-away)
    return _time(moment, text, " data-ago")


def _time(moment: datetime, text: str, more: str = "") -> Markup:
    seconds, day = moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M:%S")
    return _ours(f'<time datetime="{seconds}" title="{day} UTC"{more}>{text}</time>')


def _ours(text: str) -> Markup:
    """What we made ourselves, of numbers and times: a page of a list has hundreds, and to fill a form in costs more."""
    return Markup(text)  # noqa: S704 - numbers, times, and what is escaped


def lasting(length: timedelta | float) -> str:
    """A length of time in its two largest units: ``49h 2m``, ``8s``."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    return shown_age(round(seconds))


def short(identity: UUID | None) -> str:
    """The end of an id, enough to tell it from its neighbours; the beginning of UUIDv7s is the time."""
    return "–" if identity is None else identity.hex[-8:]


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one as a percentage."""
    return "–" if share is None else percentages.percent(share, digits)
