"""What becomes of a decision while the data that it rests on are not as their contract promises. Pure."""

from __future__ import annotations

import msgspec

from interlock.components.component import ComponentRef

CODE = "data_level_broken"
"""The reason's code."""


class DataTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Which data a point rests on, and its fallback while one of their levels is broken.

    Attributes:
        contract: The contract of these data: that of the point's input, else that of the case's.
        own: Whether these data come with the decision, so that they are counted with it; a case's came with the case.
        refuse: Whether nothing is decided meanwhile.
        component: Who alone is asked meanwhile, before a person; None: a person decides.
    """

    contract: str = ""
    own: bool = False
    refuse: bool = False
    component: ComponentRef | None = None
