"""Fetches a connector's secret when it is used, so that a new one counts at once and none is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from interlock.setting_forms import SecretRef


async def fetch_secret(reference: SecretRef | None, environ: Mapping[str, str]) -> str:
    """The secret; empty if the settings name none. A file is read beside the event loop.

    Args:
        reference: Where it is.
        environ: Where secrets are that are kept in the environment.

    Raises:
        ConfigInvalid: it is not there; its text is in no message.
    """
    if reference is None:
        return ""
    if reference.source == "file":
        return await asyncio.to_thread(reference.resolve, environ)
    return reference.resolve(environ)
