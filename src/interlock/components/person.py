"""A person who decides: asked by a review, never called. Pure."""

from __future__ import annotations

import hashlib

from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.errors import ComponentFailed


class Person:
    """The component ``person``, so that every step of a decision point has a reference and a digest."""

    @property
    def ref(self) -> ComponentRef:
        """``person``."""
        return ComponentRef(Kind.PERSON, "person")

    @property
    def digest(self) -> bytes:
        """The same for all people: who it was stands in the review."""
        return hashlib.sha256(b"interlock.components.person.1\0").digest()

    def answer(self, question: Question) -> Answer:
        """Never answers.

        Raises:
            ComponentFailed: always; a review asks the person.
        """
        del question
        raise ComponentFailed("a person answers through a review", todo="open a review")
