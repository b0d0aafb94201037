"""The settings of one provider of language models: ``[llm.NAME]``. Which models are asked, components say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec

from interlock.connector_settings import CONNECTOR_FORMS
from interlock.errors import Refused
from interlock.setting_forms import COUNT, DURATION, SECRET, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_OURS = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection", "accept", "user-agent"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SCHEMES = frozenset({"http", "https"})


class LlmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one provider, or a server of one's own, that speaks the OpenAI-compatible chat protocol.

    Attributes:
        name: The name that components use.
        base_url: Where ``/chat/completions`` stands below, such as ``https://api.openai.com/v1``.
        secret: Where its key is found; None: it needs none.
        secret_header: The header that carries the key; as a bearer token, if it is ``Authorization``.
        timeout: The longest that one request may take, within the time that the decision has.
        concurrency: How many requests of one process may be under way to it at once.
        attempts: How often one request is sent at most, the first time included.
        circuit_failures: After how many failures in a row it is left alone.
        circuit_pause: For how long it is left alone the first time; each further time in a row twice as long.
        circuit_longest: The longest that it is left alone.
        source: The places that its values came from.
    """

    name: str
    base_url: str
    secret: SecretRef | None = None
    secret_header: str = "Authorization"  # noqa: S105 - the name of a header
    timeout: timedelta = timedelta(seconds=60)
    concurrency: int = 16
    attempts: int = 3
    circuit_failures: int = 5
    circuit_pause: timedelta = timedelta(seconds=1)
    circuit_longest: timedelta = timedelta(minutes=1)
    source: str = ""


def _header(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not _HEADER.match(text) or text.lower() in _OURS:
        raise Refused(f"{text[:60]!r} is no header for a key", todo='write its name, as in "api-key"')
    return text


def _base_url(raw: Raw, environ: Mapping[str, str]) -> str:
    text = str(CONNECTOR_FORMS["url"].parse(raw, environ))
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES or parts.query or parts.fragment or not text.isascii() or not text.isprintable():
        todo = "write https://HOST/PATH, without the /chat/completions behind it"
        raise Refused(f"{text[:60]!r} is no address of such a server", todo=todo)
    return text.removesuffix("/chat/completions")


LLM_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "base_url": SettingForm(_base_url, "https://invalid"),
        "secret": SECRET,
        "secret_header": SettingForm(_header, "Authorization"),
        "timeout": DURATION,
        "concurrency": COUNT,
        "attempts": COUNT,
        "circuit_failures": COUNT,
        "circuit_pause": DURATION,
        "circuit_longest": DURATION,
    }
)
"""The keys of a provider's table, with how each is written."""


def read_llm(name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]) -> LlmSettings | None:
    """Read one provider; None if something is wrong with it, which ``problems`` then says."""
    where = f"llm.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    unknown = table.keys() - LLM_FORMS.keys()
    for key in sorted(unknown):
        problems.add(table[key].where, "there is no such setting", meant(key, LLM_FORMS))
    if "base_url" not in table:
        problems.add(where, "base_url is missing", 'say where it is, as in base_url = "https://api.openai.com/v1"')
    if unknown or "base_url" not in table:
        return None
    values = {key: LLM_FORMS[key].read(raw, problems, environ) for key, raw in table.items()}
    provider = LlmSettings(name=name, source=", ".join(dict.fromkeys(raw.source for raw in table.values())), **values)
    parts = urlsplit(provider.base_url)
    if parts.scheme == "http" and provider.secret and parts.hostname not in _LOOPBACK:
        problems.add(where, "the secret would travel in the clear", "use https")
    if provider.circuit_pause > provider.circuit_longest:
        problems.add(where, "circuit_pause is longer than circuit_longest", "raise circuit_longest or lower the pause")
    return provider
