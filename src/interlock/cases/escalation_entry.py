"""Reading the escalation rules of a workflow's file: tolerances, and what happens when one is left. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec

from interlock.cases.forms import PAUSE
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.oversight.escalation import AGES, FORMS, EscalationRule, Measure, Response
from interlock.spelling import meant

ESCALATION_KEYS = ("when", "do", "for")
MOST_RULES = 50
LARGEST_SAMPLE = 1000
LONGEST_WINDOW = timedelta(days=31)
_SECOND = timedelta(seconds=1)

_CONDITION = re.compile(
    r"([a-z]+(?: [a-z]+)*) ?(>=|>) ?([0-9]{1,9})(%|[a-z]{1,2})?(?: (in|of) ([0-9a-z]+)( reviews)?)?\Z"
)


class _Condition:
    """What stands behind ``when``, taken apart."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        found = _CONDITION.match(self.text)
        name = str(found[1]) if found else re.split(r"[^a-z ]", self.text.lower(), maxsplit=1)[0].strip()
        if name not in FORMS:
            raise Refused(f"{self.text[:60]!r} measures nothing that is known", todo=_forms(name))
        self.measure = Measure(name)
        if found is None:
            raise self.refusal()
        self.number, self.strict = int(found[3]), found[2] == ">"
        self.unit, self.link, self.over, self.reviews = found[4] or "", found[5] or "", found[6] or "", bool(found[7])

    def refusal(self) -> Refused:
        """It is not of its measure's form."""
        return Refused(
            f"{self.text[:60]!r} is no condition on {self.measure}", todo=f'write it as in "{FORMS[self.measure]}"'
        )

    def at_least(self, bound: int, rest: int = 0) -> int:
        """The least whole value that satisfies it, of a bound that is ``rest`` more than whole or not."""
        return bound + 1 if self.strict or rest else bound


def read_escalation(section: Section, workflow: str) -> tuple[EscalationRule, ...]:
    """The escalation rules, from the top of the file, in its order.

    Args:
        section: The top of the file.
        workflow: The workflow's name.
    """
    form = Form[EscalationRule | None]("escalation", lambda at: _rule(at, workflow), None)
    rules = [rule for rule in section.may("escalation", list_of(form), ()) if rule is not None]
    place = section.at("escalation")
    if place is not None and len(rules) > MOST_RULES:
        place.refuse(f"there are {len(rules)} rules", "escalation", f"keep it to {MOST_RULES}")
    said = [(rule.when, rule.do) for rule in rules]
    twice = sorted({f'"{when}" with do: {do}' for when, do in said if said.count((when, do)) > 1})
    if place is not None and twice:
        place.refuse(f"{twice[0]} stands here twice", "escalation", "remove one of them")
    return tuple(rules)


def _rule(place: Place, workflow: str) -> EscalationRule | None:
    section = Section(place, ESCALATION_KEYS)
    condition = Form[EscalationRule | None]("escalation", lambda at: _measured(at, workflow), None)
    rule = section.need("when", condition, f'say when, as in when: "{FORMS[Measure.OPEN_EXCEPTIONS]}"')
    do = section.need("do", _RESPONSE, "say what happens then: notify, pause or stop")
    span = section.at("for")
    if do is Response.PAUSE and span is None:
        place.refuse('"for" is missing', "missing-key", "say how long, as in for: 1h; without an end it is do: stop")
    if do in (Response.NOTIFY, Response.STOP) and span is not None:
        span.refuse(f"{do} has no end", "escalation", "remove it, or write do: pause")
    pause = section.may("for", PAUSE, None)
    return None if rule is None or do is None else msgspec.structs.replace(rule, do=do, pause=pause)


def _measured(place: Place, workflow: str) -> EscalationRule:
    """The condition as a rule that does nothing but notify yet."""
    said = _Condition(place.text())
    bound, window, sample = _bound(said)
    if bound < 1:
        raise Refused(f"{said.text!r} always holds", todo="write a bound above zero")
    return EscalationRule(
        workflow=workflow,
        when=said.text,
        measure=said.measure,
        bound=bound,
        window=window,
        sample=sample,
        do=Response.NOTIFY,
    )


def _bound(said: _Condition) -> tuple[int, timedelta | None, int | None]:
    """The least value, the window and the sample."""
    match said.measure:
        case measure if measure in AGES:
            if not said.unit or said.unit == "%" or said.link:
                raise said.refusal()
            return said.at_least(_whole_seconds(f"{said.number}{said.unit}")), None, None
        case Measure.FAILED_ACTIONS:
            if said.unit or said.link != "in" or said.reviews:
                raise said.refusal()
            window = parse_duration(said.over)
            if not _SECOND <= window <= LONGEST_WINDOW:
                raise Refused(f"{said.over} is no window", todo="count over a second to 31 days, as in 15m")
            return said.at_least(said.number), window, None
        case Measure.OVERRIDES:
            return _share(said)
        case _:
            if said.unit or said.link:
                raise said.refusal()
            return said.at_least(said.number), None, None


def _share(said: _Condition) -> tuple[int, None, int]:
    """A share of a sample, as a number of it."""
    if said.unit != "%" or said.link != "of" or not said.reviews or not said.over.isdigit():
        raise said.refusal()
    sample = int(said.over)
    if not 1 <= sample <= LARGEST_SAMPLE:
        raise Refused(f"{sample} reviews are no sample", todo=f"count the last 1 to {LARGEST_SAMPLE} reviews")
    whole, rest = divmod(said.number * sample, 100)
    bound = said.at_least(whole, 0 if said.strict else rest)
    if bound > sample:
        raise Refused(f"{said.text!r} never holds", todo="write a share of at most 100%")
    return bound, None, sample


def _whole_seconds(text: str) -> int:
    span = parse_duration(text)
    if span % _SECOND:
        raise Refused(f"{text} is no whole number of seconds", todo="measure ages in seconds or more, as in 48h")
    return span // _SECOND


def _response(place: Place) -> Response | None:
    text = place.text()
    try:
        return Response(text)
    except ValueError as cause:
        raise Refused(f"{text[:60]!r} is nothing that can be done", todo="write notify, pause or stop") from cause


def _forms(name: str) -> str:
    return f"{meant(name, list(Measure))}; {FORMS[Measure.OPEN_EXCEPTIONS]!r} is a condition"


_RESPONSE = Form[Response | None]("response", _response, None)
