"""Invented companies and accounts; any likeness is chance. Pure."""

from __future__ import annotations

import random

_FIRST = (
    "Aldermoor", "Brackwin", "Cindrel", "Dovastra", "Elmgarth", "Fenwolde", "Gravenia", "Hollimar", "Istravel",
    "Jorvinta", "Kestrelle", "Lumbrano", "Marvholt", "Nordaviq", "Ostermund", "Pellwick", "Quarvane", "Rosthelm",
    "Sundervik", "Tarrowby", "Ulvestad", "Vandermoss", "Wexcombe", "Yarrowin", "Zelmora",
)  # fmt: skip
_SECOND = (
    "Bearings", "Castings", "Ceramics", "Coatings", "Fabrics", "Fittings", "Foods", "Freight", "Glass", "Optics",
    "Paper", "Polymers", "Pumps", "Seeds", "Timber", "Tools", "Valves", "Works",
)  # fmt: skip
_FORM = ("AG", "BV", "GmbH", "Ltd", "Oy", "SA", "SpA")


def company(chance: random.Random) -> str:
    """The name of a company that does not exist."""
    return f"{chance.choice(_FIRST)} {chance.choice(_SECOND)} {chance.choice(_FORM)}"


def iban(number: int) -> str:
    """A German account number with right check digits (ISO 13616) at a bank that does not exist.

    Args:
        number: Of the account.
    """
    basic = f"00000000{number:010d}"
    check = 98 - int(f"{basic}131400") % 97  # D is 13, E is 14, 00 stands for the digits that are sought
    return f"DE{check:02d}{basic}"
