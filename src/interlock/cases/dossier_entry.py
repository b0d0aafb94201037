"""Reading the dossier out of a workflow's file: what is empty is a gap, what is malformed is refused. Pure."""

from __future__ import annotations

from decimal import Decimal

from interlock.cases.dossier import Baseline, Dossier, Harm, Success, Wrong
from interlock.cases.forms import COUNT, NUMBER, TEXT
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.cases.worth import MEASURED, WORTH, Measured
from interlock.errors import Refused
from interlock.spelling import meant

DOSSIER_KEYS = ("owner", "stand_in", "may_stop", "success", "wrong", "value")
SUCCESS_KEYS = ("measure", "baseline", "target", "figure")
BASELINE_KEYS = ("value", "from", "sample", "window")
WRONG_KEYS = ("loses", "harm")

_NUMBER = Form[Decimal | None](NUMBER.name, NUMBER.read, None)


def read_dossier(section: Section) -> Dossier:
    """Read the dossier from the top of the file, whose gaps count as absent."""
    dossier = Dossier(
        owner=section.may("owner", TEXT, ""),
        stand_in=section.may("stand_in", TEXT, ""),
        may_stop=section.may("may_stop", list_of(TEXT), ()),
        success=section.may("success", Form("success", _success, Success()), Success()),
        wrong=section.may("wrong", Form("wrong", _wrong, Wrong()), Wrong()),
        worth=section.may("value", WORTH, None),
    )
    place = section.at("stand_in")
    if place is not None and dossier.owner and dossier.owner == dossier.stand_in:
        place.refuse("is the owner, who cannot stand in for themselves", "stand-in", "name somebody else")
    return dossier


def _success(place: Place) -> Success:
    section = Section(place, SUCCESS_KEYS, gaps=True)
    success = Success(
        measure=section.may("measure", TEXT, ""),
        baseline=section.may("baseline", Form("baseline", _baseline, Baseline()), Baseline()),
        target=section.may("target", _NUMBER, None),
        figure=section.may("figure", MEASURED, None),
    )
    if success.figure in {Measured.STRAIGHT, Measured.EXCEPTIONS}:
        for name, value in (("baseline", success.baseline.value), ("target", success.target)):
            if value is not None and not 0 <= value <= 1:
                raise Refused(f"the {name} {value} is no share", todo="write it from 0 to 1, 62 % as 0.62")
    return success


def _baseline(place: Place) -> Baseline:
    section = Section(place, BASELINE_KEYS, gaps=True)
    return Baseline(
        value=section.may("value", _NUMBER, None),
        source=section.may("from", TEXT, ""),
        sample=section.may("sample", COUNT, 0),
        window=section.may("window", TEXT, ""),
    )


def _wrong(place: Place) -> Wrong:
    section = Section(place, WRONG_KEYS, gaps=True)
    return Wrong(
        loses=section.may("loses", TEXT, ""),
        harm=section.may("harm", Form[Harm | None]("harm", _harm, None), None),
    )


def _harm(place: Place) -> Harm:
    text = place.text()
    try:
        return Harm(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no kind of harm", todo=meant(text, [*Harm])) from cause
