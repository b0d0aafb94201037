"""What one operation of an HTTP connector asks for, and how its answers are to be read. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.connectors.http.template import Body, Template

KEY_HEADER = "Idempotency-Key"
"""Draft-ietf-httpapi-idempotency-key-header."""


@dataclass(frozen=True, slots=True)
class StateRule:
    """Which values of a field mean something.

    Attributes:
        field: The dotted name of a field of the answer.
        values: The texts that it may have.
    """

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """One field of an answer that must be what was asked for.

    Attributes:
        field: The dotted name of the answer's field.
        expected: What was asked for.
        amount: Whether the two are compared as exact decimals; else as text.
    """

    field: str
    expected: Template
    amount: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """How an answer shows an effect.

    Attributes:
        pending: What it says while there is no effect yet.
        done: What it says once there is; nothing declared: whatever is not pending.
        match: What must be as it was asked for.
    """

    pending: StateRule | None
    done: StateRule | None
    match: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class LookUp:
    """How an effect is found by its key.

    Attributes:
        path: Path and query.
        found: The status of an answer that shows the effect.
        absent: The status of an answer that says that there is none.
        shown: How an answer shows the effect.
    """

    path: Template
    found: int
    absent: int
    shown: Shown


@dataclass(frozen=True, slots=True)
class Void:
    """How a key is made void, so that no request under it has an effect any more.

    Attributes:
        method: POST, PUT, PATCH or DELETE.
        path: Path and query.
        body: The JSON to send; None: nothing is sent.
        voided: The statuses of an answer that says that the key is void.
        state: What such an answer says besides; nothing declared: the status is enough.
        found: The statuses that say that an effect came first.
        shown: How an answer of those shows the effect; None: the effect is looked up.
    """

    method: str
    path: Template
    body: Body
    voided: frozenset[int]
    state: StateRule | None
    found: frozenset[int]
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: The action's name in the workflow's file.
        method: POST, PUT, PATCH or DELETE.
        path: Path and query, after the connector's url.
        body: The JSON to send; None: nothing is sent.
        success: The statuses of an answer that says that it took effect.
        not_executed: Statuses that, at this provider, surely mean no effect now: it may be sent again.
        refused: Statuses that, at this provider, surely mean no effect ever.
        pending: What a successful answer says while there is no effect yet.
        done: What it says once there is; nothing declared: whatever is not pending.
        look_up: How its effect is found; None: it cannot be.
        void: How its key is made void; None: it cannot be.
        code: The dotted name of the field in which an error's name stands; empty: the status is its name.
        key_header: The header that carries the idempotency key.
        key_bare: Whether the key goes as it is, instead of as a quoted string (RFC 9651, section 3.3.3).
    """

    name: str
    method: str
    path: Template
    body: Body
    success: frozenset[int]
    not_executed: frozenset[int]
    refused: frozenset[int]
    pending: StateRule | None
    done: StateRule | None
    look_up: LookUp | None
    void: Void | None
    code: str
    key_header: str
    key_bare: bool
