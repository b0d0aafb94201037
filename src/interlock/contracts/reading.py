"""One reading of a contract's file: where it is, and what it gathers on the way."""

from __future__ import annotations

import msgspec

from interlock.contracts.contract import Rule
from interlock.contracts.document import Document
from interlock.contracts.measure import Measure
from interlock.contracts.shown import Path, pointer


class Spot(msgspec.Struct, frozen=True):
    """The same thing in two places.

    Attributes:
        file: The path in the contract's file, for lines.
        data: The path in the data that the contract describes, with ``*`` for every item.
    """

    file: Path
    data: Path

    def key(self, *steps: str | int) -> Path:
        """The path in the file of something below."""
        return (*self.file, *steps)


class Reading:
    """What a reading gathers beside the fields.

    Attributes:
        document: The file; what is wrong is noted there.
        api: The version of the standard that it was written for.
        rules: The rules between fields.
        measures: What is demanded of many records together.
        keys: The fields of the primary key, by the object that they stand in.
        not_enforced: What reads like a demand and is enforced nowhere.
    """

    def __init__(self, document: Document, api: str) -> None:
        self.document = document
        self.api = api
        self.rules: list[Rule] = []
        self.measures: list[Measure] = []
        self.keys: dict[Path, list[str]] = {}
        self.not_enforced: list[str] = []

    def refuse(self, path: Path, what: str, rule: str, todo: str = "") -> None:
        """Note what is wrong at a place in the file."""
        self.document.refuse(path, what, rule, todo)

    def leave(self, data: Path, what: str) -> None:
        """Name a demand that is not enforced."""
        self.not_enforced.append(f"{pointer(data) or '/'}: {what}")
