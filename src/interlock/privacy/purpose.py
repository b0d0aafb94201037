"""For what personal data may be read. Pure."""

from __future__ import annotations

from interlock.contracts import Contract
from interlock.contracts.shown import pointer
from interlock.errors import PurposeRefused


def needs_purpose(contract: Contract, purpose: str) -> None:
    """See that a contract's personal fields may be read for a purpose.

    Raises:
        PurposeRefused: one may not, or no purpose is stated.
    """
    for path, mark in contract.personal.fields if contract.personal else ():
        if purpose not in mark.purposes:
            raise refused_purpose(f"{pointer(path)} of {contract.reference}", mark.purposes, purpose)


def refused_purpose(place: str, purposes: tuple[str, ...], purpose: str) -> PurposeRefused:
    """The error that says that a field may not be read for a purpose."""
    what = f"{place or 'it'} is personal: it may be read for {', '.join(purposes)}, and {purpose or 'none'} is stated"
    return PurposeRefused(what, where=place, todo="state a purpose that its contract names, or leave the field out")
