"""Colours: text stands out from its ground by 4.5:1 or more, and edges of controls by 3:1, in both themes."""

from __future__ import annotations

import re

import pytest

from interlock.console.assets import assets

TEXT = 4.5
EDGE = 3.0
_PAIRS = (
    *((ink, ground, TEXT) for ink in ("ink", "soft", "accent") for ground in ("ground", "surface", "raised")),
    *((kind, f"{kind}-ground", TEXT) for kind in ("accent", "good", "warn", "bad", "busy")),
    *((kind, "surface", TEXT) for kind in ("good", "warn", "bad", "busy")),
    *((kind, "ground", TEXT) for kind in ("good", "warn", "bad")),
    ("on-accent", "accent", TEXT),
    ("ink", "mark", TEXT),
    ("ink", "accent-ground", TEXT),
    ("soft", "accent-ground", TEXT),
    *(("edge", ground, EDGE) for ground in ("ground", "surface", "raised")),
)
_COLOUR = re.compile(r"--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)")


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [1, 2], ids=["light", "dark"])
def test_every_pair_of_text_and_ground_has_contrast(theme: int) -> None:
    tokens = {found[1]: found[theme + 1] for found in _COLOUR.finditer(assets()["console.css"].content.decode())}
    found = {(one, other): _contrast(tokens[one], tokens[other]) for one, other, _ in _PAIRS}
    assert {
        pair: round(ratio, 2) for pair, ratio in found.items() if ratio < {(a, b): c for a, b, c in _PAIRS}[pair]
    } == {}
