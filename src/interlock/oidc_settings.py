"""The settings of one provider that people sign in by: ``[oidc.NAME]``. OpenID Connect, with code and PKCE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import msgspec

from interlock.errors import Refused
from interlock.setting_forms import NAME, SECRET, TEXT, WEB_ADDRESS, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,8}\Z")
_CLAIM = re.compile(r"[!-~]{1,100}\Z")
_PAIR = re.compile(r"(.{1,200})=([^=]{1,200})\Z")
_NEEDED = ("issuer", "client_id")


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people sign in by one provider, and who may.

    Attributes:
        name: Its name, which stands in the address that it sends people back to.
        issuer: Its issuer, as its metadata say it.
        client_id: What it knows Interlock by.
        secret: Where the client's secret is found; None: a public client, which PKCE alone protects.
        label: How the button is called; empty: by the name.
        tenant: Whose people they are; empty: the process's.
        scopes: What is asked for.
        roles_claim: The claim that says somebody's groups; empty: roles are given here, by hand.
        roles: ``GROUP=ROLE``: the role of who is in a group; ``*=ROLE``: of everybody whom the provider lets in.
        teams_claim: The claim that says their teams; empty: teams are given here.
        domains: The domains of the verified addresses of those who may sign in; none: any.
        requires: ``CLAIM=VALUE``, each of which must hold of who signs in.
        source: The places that its values came from.
    """

    name: str
    issuer: str
    client_id: str
    secret: SecretRef | None = None
    label: str = ""
    tenant: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    roles_claim: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    teams_claim: str = ""
    domains: tuple[str, ...] = ()
    requires: tuple[tuple[str, str], ...] = ()
    source: str = ""

    @property
    def makes_people(self) -> bool:
        """Whether who comes for the first time is made known; else somebody links them by hand."""
        return bool(self.roles)


def _list(raw: Raw) -> tuple[str, ...]:
    value = raw.value
    if isinstance(value, str) and not raw.from_file:
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[object]", value)):
        raise Refused(f"{value!r} is no list of texts", todo='write ["one", "another"]')
    return tuple(cast("list[str]", value))


def _each(form: re.Pattern[str], todo: str) -> SettingForm[tuple[str, ...]]:
    def parse(raw: Raw, _environ: Mapping[str, str]) -> tuple[str, ...]:
        for text in (found := _list(raw)):
            if not form.match(text):
                raise Refused(f"{text[:60]!r} is not usable here", todo=todo)
        return found

    return SettingForm(parse, ())


def _pairs(todo: str) -> SettingForm[tuple[tuple[str, str], ...]]:
    def parse(raw: Raw, _environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        found = [_PAIR.match(text) for text in _list(raw)]
        if not all(found):
            raise Refused("one has no = in its middle", todo=todo)
        return tuple((pair[1], pair[2]) for pair in found if pair)

    return SettingForm(parse, ())


def _printable(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not text.isprintable() or not text.strip():
        raise Refused("is empty, or cannot be printed", todo="write it in quotes")
    return text


_TEXT = SettingForm(_printable, "")
OIDC_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "issuer": WEB_ADDRESS,
        "client_id": _TEXT,
        "secret": SECRET,
        "label": _TEXT,
        "tenant": NAME,
        "scopes": _each(_CLAIM, 'write ["openid", "profile", "email"]'),
        "roles_claim": _TEXT,
        "roles": _pairs('write ["GROUP=reviewer"]'),
        "teams_claim": _TEXT,
        "domains": _each(_DOMAIN, 'write ["example.com"]'),
        "requires": _pairs('write ["CLAIM=VALUE"]'),
    }
)
"""The keys of a provider's table, with how each is written."""


def read_oidc(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> OidcSettings | None:
    """Read one provider; None if something is wrong with it, which ``problems`` then says."""
    where = f"oidc.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME or name == "password":  # which says how others sign in
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    unknown = sorted(table.keys() - OIDC_FORMS.keys())
    for key in unknown:
        problems.add(table[key].where, "there is no such setting", meant(key, OIDC_FORMS))
    missing = [key for key in _NEEDED if key not in table]
    for key in missing:
        problems.add(where, f"{key} is missing", f"say {key}")
    if unknown or missing:
        return None
    values = {key: OIDC_FORMS[key].read(raw, problems, environ) for key, raw in table.items()}
    provider = OidcSettings(name=name, source=", ".join(dict.fromkeys(raw.source for raw in table.values())), **values)
    if "openid" not in provider.scopes:
        problems.add(where, "scopes lack openid", 'write scopes = ["openid", ...]')
    if provider.roles and not provider.roles_claim and any(group != "*" for group, _ in provider.roles):
        problems.add(where, "roles name groups, and no roles_claim says who is in them", "say roles_claim")
    return provider
