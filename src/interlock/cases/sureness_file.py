"""A file that says how sure an answer must be, as a workflow's file says it: ``sure_from`` alone. Pure."""

from __future__ import annotations

from interlock.cases.cascade_entry import read_sureness
from interlock.cases.sections import Findings, Place, Section
from interlock.decisions.sureness import SURE_FROM, Sureness
from interlock.errors import DeclarationInvalid, Refused
from interlock.plain_yaml import parse_yaml


def read_sureness_file(data: bytes, file: str) -> Sureness:
    """Read ``sure_from: 0.9``, or ``sure_from:`` with bands.

    Args:
        data: The file's bytes.
        file: Its name, for the places of what is wrong.

    Raises:
        DeclarationInvalid: anything in it is wrong; all of it is named.
    """
    root, unreadable = parse_yaml(data, file)
    findings, found = Findings(file), Sureness(SURE_FROM)
    if not unreadable:
        try:
            place = Section(Place(findings, root, ""), ("sure_from",)).at("sure_from")
            if place is None:
                findings.add(1, "", "it says no sure_from", "missing-key", "write sure_from: with bands")
            else:
                found = read_sureness(place, "")
        except Refused as cause:
            findings.add(1, "", cause.what, "sureness", cause.todo)
    violations = (*unreadable, *findings.all())
    if violations:
        raise DeclarationInvalid("the file says no sureness", violations, where=file)
    return found
