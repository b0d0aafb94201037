"""Pauses between sign-ins that fail: how long, and what they are counted by. Pure.

Guesses are counted by name and by address. INVARIANT: a pause has an end, and whoever keeps a name paused keeps nobody
out who signs in where they have been signed in before: such a browser has a count of its own.

Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from types import MappingProxyType

SHORTEST = timedelta(seconds=30)
LONGEST = timedelta(minutes=15)


class Counted(StrEnum):
    """What failures are counted by."""

    NAME = "name"
    ADDRESS = "address"
    BROWSER = "browser"


FREE: Mapping[Counted, int] = MappingProxyType({Counted.NAME: 5, Counted.ADDRESS: 30, Counted.BROWSER: 5})
"""How many may fail in a row without a pause."""


def pause_after(counted: Counted, failures: int) -> timedelta:
    """How long nothing is tried after so many failures in a row: 30 s, and twice as long each time, to 15 minutes."""
    over = failures - FREE[counted]
    if over < 0:
        return timedelta(0)
    return min(SHORTEST * 2 ** min(over, 10), LONGEST)


def network_of(address: str) -> str:
    """Whom an address stands for: of IPv6 the /64, since everybody has as many addresses as they like.

    What is no address counts as one place.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))
    return str(found)
