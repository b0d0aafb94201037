"""Reading what an action's entry says about failures: ``errors`` and ``retry``. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from interlock.actions.action import FIRST_PAUSE, LONGEST_PAUSE
from interlock.actions.failure import ErrorRule, FailureClass, Retry
from interlock.cases.forms import DURATION, TEXT
from interlock.cases.sections import Form, Place, Section
from interlock.errors import Refused
from interlock.plain_yaml import Mapping as Written
from interlock.spelling import meant

RETRY_KEYS = ("first", "longest")
ERROR_KEYS = ("as", "because")

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MOST_CODES = 100
NO_ERRORS: Mapping[str, ErrorRule] = MappingProxyType({})
"""Every error is taken as the connector says."""


def _class(place: Place) -> FailureClass:
    text = place.text()
    try:
        return FailureClass(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is no class of failure", todo=meant(text, [*FailureClass])) from cause


_CLASS = Form("failure-class", _class, FailureClass.IN_DOUBT)


def _rule(place: Place) -> ErrorRule:
    if not isinstance(place.node, Written):
        return ErrorRule(taken_as=place.take(_CLASS))
    section = Section(place, ERROR_KEYS)
    todo = "write why it is known that this error had no effect, for whoever reads the file"
    return ErrorRule(
        taken_as=section.need("as", _CLASS, f"write one of {', '.join(FailureClass)}"),
        because=section.need("because", TEXT, todo),
    )


def _errors(place: Place) -> Mapping[str, ErrorRule]:
    entries = place.entries()
    if len(entries) > _MOST_CODES:
        raise Refused(f"{len(entries)} codes are more than {_MOST_CODES}", todo="mend the connector instead")
    rules: dict[str, ErrorRule] = {}
    for code, at in entries:
        if not _CODE.match(code):
            todo = "write the connector's code for the error, as in 503 or insufficient-funds"
            at.refuse(f"{code[:60]!r} is no error code", "error-code", todo)
        rules[code] = at.take(_RULE)
    return MappingProxyType(rules)


def _retry(place: Place) -> Retry:
    section = Section(place, RETRY_KEYS)
    retry = Retry(
        first=section.may("first", DURATION, FIRST_PAUSE), longest=section.may("longest", DURATION, LONGEST_PAUSE)
    )
    if retry.first > retry.longest:
        place.refuse("first is longer than longest", "retry", "lower first or raise longest")
    return retry


_RULE = Form("error", _rule, ErrorRule(taken_as=FailureClass.IN_DOUBT))
ERRORS: Form[Mapping[str, ErrorRule]] = Form("errors", _errors, NO_ERRORS)
RETRY = Form[Retry | None]("retry", _retry, None)
