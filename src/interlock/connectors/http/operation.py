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
class LookUp:
    """How an effect is found by its key.

    Attributes:
        path: Path and query.
        found: The status of an answer that shows the effect.
        absent: The status of an answer that says that there is none.
        pending: What an answer says while there is no effect yet.
        done: What an answer says once there is; nothing declared: whatever is not pending.
        match: What must be as it was asked for.
    """

    path: Template
    found: int
    absent: int
    pending: StateRule | None
    done: StateRule | None
    match: tuple[Match, ...]


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
    key_header: str
    key_bare: bool
