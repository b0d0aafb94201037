"""How shares are written for people, everywhere the same way: ``12.5 %``. Pure."""

from __future__ import annotations


def percent(share: float, digits: int = 1) -> str:
    """A share of one as a percentage, as the International System of Units writes it: with a space before the sign.

    Args:
        share: The share.
        digits: How many decimals.
    """
    return f"{share * 100:.{digits}f} %"
