"""How long work waits for people: Erlang's formula, corrected for variability. Pure.

Sources: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917 (the probability of waiting); J. F. C. Kingman, "The single server queue in heavy traffic", 1961, and
A. O. Allen, "Probability, statistics and queueing theory", 1990, for several people (the correction).
"""

from __future__ import annotations

import math

MOST_PEOPLE = 10_000
"""More are never looked for."""
PROMISED = 0.05
"""What part may wait longer than promised."""


def waits_at_all(people: int, load: float) -> float:
    """The probability that work which comes finds everybody busy (Erlang C).

    Args:
        people: Who work.
        load: The work that comes while one piece is done: arrivals an hour times the hours that one takes.
    """
    if load >= people:
        return 1.0
    return _from_blocked(_blocked(people, load), people, load)


def waits_beyond(people: int, arrivals: float, service: float, due: float, variability: float = 1.0) -> float:
    """The probability that work waits longer than promised, once things have settled.

    INVARIANT: with more people it never grows, with more arrivals it never falls.

    Args:
        people: Who work.
        arrivals: How many come in an hour.
        service: The hours that one takes.
        due: The hours within which one should be begun.
        variability: Half the sum of the squared coefficients of variation of the times between arrivals and of the
            times that pieces take; 1 is Erlang's own case.
    """
    load = arrivals * service
    if load >= people:
        return 1.0
    return waits_at_all(people, load) * math.exp(-(people - load) * due / (service * variability))


def least_people(
    arrivals: float, service: float, due: float, variability: float = 1.0, promised: float = PROMISED
) -> int | None:
    """The fewest people with whom no more than a part of the work waits longer than promised; None: nobody could.

    Args:
        arrivals: How many come in an hour.
        service: The hours that one takes.
        due: The hours within which one should be begun.
        variability: As in ``waits_beyond``.
        promised: That part.
    """
    load = arrivals * service
    if load <= 0:
        return 0
    people, blocked = 0, 1.0
    while people < MOST_PEOPLE:
        people += 1
        blocked = load * blocked / (people + load * blocked)
        if load >= people:
            continue
        waits = _from_blocked(blocked, people, load)
        if waits * math.exp(-(people - load) * due / (service * variability)) <= promised:
            return people
    return None


def _blocked(people: int, load: float) -> float:
    """Erlang B, by its recursion: that everybody is busy where nobody waits."""
    blocked = 1.0
    for busy in range(1, people + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked


def _from_blocked(blocked: float, people: int, load: float) -> float:
    return blocked / (1 - load / people * (1 - blocked))
