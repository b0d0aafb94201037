"""What a recall is carried out with."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.cases.registry import Registry
from interlock.db.writer import Writer
from interlock.decisions.decide import Decider


@dataclass(frozen=True, slots=True)
class Means:
    """What ending and deciding anew need.

    Attributes:
        writer: For commits.
        decider: The one path.
        registry: The workflows.
    """

    writer: Writer
    decider: Decider
    registry: Registry
