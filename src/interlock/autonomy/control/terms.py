"""Which share of the cases is the control group, when; and by which lot. Pure.

A case is in the control group if and only if its lot, the HMAC-SHA256 of its id under the secret key of its workflow
(``autonomy.sampling``), taken as a fraction, is below the share that counted when it began. So every process draws the
same case alike, nobody foretells it, and whoever holds the key can check it afterwards. A roll-out in steps is a share
that becomes smaller: each case keeps the share of the day on which it began.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.sampling import is_drawn

ASKED = "person_asked"
"""The code of the reason of a decision that would have gone by itself. It does not name the group: whoever reviews is
blind to it; that a case is in the group is on record beside the decision, for auditors."""
ASKED_WHAT = "the workflow asks a person"
SETTLES = timedelta(days=7)


class ControlStep(msgspec.Struct, frozen=True):
    """A share of the cases that begin from a moment on."""

    since: datetime
    share: Fraction


class ControlTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's file says of its control group.

    Attributes:
        steps: Ascending by their moments, the first of which begins it.
        until: Cases that begin from then on are in no group; None: there is no end.
        settles: How long after it began a case is compared, so that those that take long are not left out.
    """

    steps: tuple[ControlStep, ...]
    until: datetime | None = None
    settles: timedelta = SETTLES

    def step_at(self, moment: datetime) -> ControlStep | None:
        """The step that counts for what begins at a moment; None: none does."""
        if self.until is not None and moment >= self.until:
            return None
        return next((step for step in reversed(self.steps) if step.since <= moment), None)


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """How a case was drawn.

    Attributes:
        is_control: Whether a person takes its decisions.
        share: With which probability it was to be so.
        step: Since when that share counted.
        kept: Whether it is on record already.
    """

    is_control: bool
    share: Fraction
    step: datetime
    kept: bool = False

    @property
    def said(self) -> str:
        """In words, for auditors."""
        told = "control group: a person takes every decision" if self.is_control else "not in the control group"
        return f"{told} (share {self.share} of the cases that began since {self.step:%Y-%m-%d})"


def lot_of(terms: ControlTerms, key: bytes, subject: UUID, began: datetime) -> Lot | None:
    """The lot of what began at a moment; None: it is in no group.

    Args:
        terms: What is declared.
        key: The workflow's.
        subject: The case; of a question without one, the digest of its key.
        began: When it began.
    """
    step = terms.step_at(began)
    if step is None:
        return None
    return Lot(is_control=is_drawn(key, subject, step.share), share=step.share, step=step.since)
