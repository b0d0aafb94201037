"""Places within the console: where somebody is led who comes back. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote

HOME = "/console"
_LONGEST = 2000
_OWN = re.compile(r"/console(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]-]*)?\Z")
_NO_PLACES = ("/console/sign-in", "/console/sign-out", "/console/password")


def own_path(wanted: str) -> str:
    """The place that is wanted, if it is a page of ours; else the beginning.

    INVARIANT: what this gives is a path on this host, whatever a browser makes of slashes, backslashes, dots, control
    characters and percent signs: it leads nobody elsewhere.
    """
    if len(wanted) > _LONGEST or not _OWN.match(wanted):
        return HOME
    path = unquote(wanted.partition("?")[0])
    steps = path.split("/")[1:]
    if "\\" in path or not path.isprintable() or any(step in ("", ".", "..") for step in steps):
        return HOME
    return HOME if path.startswith(_NO_PLACES) else wanted
