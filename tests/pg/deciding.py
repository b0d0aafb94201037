"""Decisions for tests, put on record by SQL with what is known of them: many in a second, of known truth."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from interlock.autonomy.issuing.place import Place
from interlock.autonomy.terms import AutonomyTerms, LossBudget, LossTerms, OutcomeTerms
from interlock.clock import first_id
from interlock.money import Money

DIGEST = hashlib.sha256(b"m").digest()
_COLUMNS = (
    "id", "tenant", "workflow", "point", "key", "input", "input_hash", "output", "output_hash", "component",
    "component_digest", "propensity", "attempts", "confidence", "confidence_needed", "exposure_minor", "currency",
    "findings", "verdicts", "reasons", "route", "review", "evidence", "cost", "declaration", "took_us", "decided_at",
)  # fmt: skip
_WORDS = (
    "id, tenant, decision, workflow, point, source, key, is_right, label, loss_minor, currency, became_at, said_by, "
    "said_at, turn"
)
_COUNTS = """\
insert into decision_outcome (decision, tenant, workflow, point, standing, outcome, is_right, loss_minor, currency,
                              decided_at, first_at, changed_at, words)
select o.decision, o.tenant, o.workflow, o.point, 'known', o.id, o.is_right, o.loss_minor, o.currency, d.decided_at,
       o.said_at, o.said_at, 1
from outcome o join decision d on d.id = o.decision
on conflict do nothing
"""
_INPUT, _OUTPUT = b'{"grade":"a"}', b'{"approved":true}'


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is made up.

    Attributes:
        at: When it was taken.
        confidence: How sure it was.
        exposure: The money at stake, in cents.
        right: Whether it was; None: nobody says.
        route: What happened to it.
        loss: What was lost, in cents; None: as declared.
        verdicts: What was demanded.
        attempts: Who was asked.
        digest: Of who answered.
        currency: Of the amounts.
    """

    at: datetime
    confidence: float = 0.99
    exposure: int = 2000
    right: bool | None = True
    route: str = "automatic"
    loss: int | None = None
    verdicts: bytes = b"[]"
    attempts: bytes = b"[]"
    digest: bytes = DIGEST
    currency: str = "EUR"


def terms(**changed: Any) -> AutonomyTerms:
    """What a point states: 20 EUR at most, 0.40 EUR a decision, truth a minute later."""
    stated = AutonomyTerms(
        review_cost=Money("3.20", "EUR"),
        budget=LossBudget(written=Money("0.40", "EUR")),
        cap=Money("20.00", "EUR"),
        wrong=LossTerms(),
        outcome=OutcomeTerms(after=timedelta(minutes=1)),
        window=timedelta(hours=3),
        valid_for=timedelta(days=30),
    )
    return msgspec.structs.replace(stated, **changed)


def place(tenant: UUID, stated: AutonomyTerms | None = None, **changed: Any) -> Place:
    """The point ``approve.approve``."""
    made = Place(
        tenant=tenant, workflow="approve", point="approve", terms=stated or terms(),
        components={DIGEST.hex(): "onnx:m@1"},
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def known_truth(now: datetime, number: int, *, wrong: float = 0.002, seed: int = 8, **of: Any) -> Iterator[Made]:
    """Decisions over some minutes, the oldest first: of the sure ones so many are wrong, of others every third."""
    drawn = random.Random(seed)
    for at in range(number):
        sure = drawn.random() < 0.8
        right = drawn.random() >= (wrong if sure else 0.3)
        moment = now - timedelta(minutes=8) * (number - at) / number - timedelta(minutes=2)
        yield Made(at=moment, confidence=0.99 if sure else 0.6, right=right, **of)


def put(url: str, it: Place, made: Iterable[Made]) -> list[UUID]:
    """Put decisions on record, with their outcomes, in one commit; their ids."""
    drawn, rows, said = random.Random(1), list(made), list[tuple[UUID, Made]]()
    with psycopg.connect(url, options="-c search_path=interlock -c timezone=UTC") as admin:
        with admin.cursor() as cursor, cursor.copy(f"copy decision ({', '.join(_COLUMNS)}) from stdin") as copy:
            for one in rows:
                identity = UUID(int=first_id(one.at).int | 7 << 76 | 2 << 62 | drawn.getrandbits(60))
                said.append((identity, one))
                copy.write_row(_row(it, identity, one))
        with admin.cursor() as cursor, cursor.copy(f"copy outcome ({_WORDS}) from stdin") as copy:
            for identity, one in said:
                if one.right is not None:
                    currency = one.currency if one.loss is not None else None
                    copy.write_row((
                        identity, it.tenant, identity, it.workflow, it.point, "feed", str(identity), one.right, "",
                        one.loss, currency, one.at, "feed", one.at, 1,
                    ))  # fmt: skip
        admin.execute(_COUNTS)
        admin.execute("analyze decision, decision_outcome")
    return [identity for identity, _ in said]


def _row(it: Place, identity: UUID, one: Made) -> tuple[Any, ...]:
    return (
        identity, it.tenant, it.workflow, it.point, str(identity), _INPUT, hashlib.sha256(_INPUT).digest(), _OUTPUT,
        hashlib.sha256(_OUTPUT).digest(), "onnx:m@1", one.digest, 1, one.attempts, one.confidence, 0.5, one.exposure,
        one.currency, b"[]", one.verdicts, b"[]", one.route, identity if one.route == "review" else None, b"{}", 0,
        it.file or bytes(32), b"{}", one.at,
    )  # fmt: skip
