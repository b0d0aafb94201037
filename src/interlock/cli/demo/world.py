"""The demo's world: its folder, its settings, a provider that is its own process and misbehaves by a plan."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from interlock.config import Settings
from interlock.sim import Down, FaultKind, FaultPlan, FaultRule, SimulatedProvider

WORKFLOW = "interlock.packs.receipts.workflow:receipts"
CURRENCY = "MYR"

_SETTINGS = """\
# Written by `interlock demo`. Commands that are run in this folder see the demo's cases.
data_dir = "."
tenant = "{tenant}"
workflows = ["{workflow}"]
api_port = {port}

[connectors.payments]
kind = "http"
url = "{provider}"
simulated = true
timeout = "5s"
honours_keys = true
key_retention = "30d"
can_look_up = true
max_request_life = "30s"

[connectors.payments.operations.pay]
method = "POST"
path = "/payments"
body = {{to = "{{to}}", amount = "{{amount.amount}}", currency = "{{amount.currency}}", reference = "{{key}}"}}
look_up = {look_up}

[connectors.payments.operations.refund]
method = "POST"
path = "/payments/{{payment}}/refund"
look_up = {look_up_refund}
"""

_FIRST = (1,)

_LOOK_UP = (
    '{path = "/payments?key={key}", pending = {field = "state", is = "pending"}, '
    'match = {to = "to", amount = "amount", currency = "currency"}}'
)
_LOOK_UP_REFUND = (
    '{path = "/refunds?key={key}", pending = {field = "state", is = "pending"}, '
    'match = {amount = "{amount.amount}", currency = "{amount.currency}"}}'
)


def fault_plan(seed: int) -> FaultPlan:
    """What goes wrong at the provider: a quarter of the first attempts meets something."""
    return FaultPlan(
        seed=seed,
        rules=(
            FaultRule(kind=FaultKind.RATE_LIMIT, probability=0.04, retry_after=1, attempts=_FIRST),
            FaultRule(kind=FaultKind.FAIL_BEFORE, probability=0.04, attempts=_FIRST),
            FaultRule(kind=FaultKind.FAIL_AFTER, probability=0.04, attempts=_FIRST),
            FaultRule(kind=FaultKind.DROP_BEFORE, probability=0.04, attempts=_FIRST),
            FaultRule(kind=FaultKind.DROP_AFTER, probability=0.04, attempts=_FIRST),
            FaultRule(kind=FaultKind.SLOW_AFTER, probability=0.03, seconds=0.5, attempts=_FIRST),
            FaultRule(kind=FaultKind.LATE_EFFECT, probability=0.02, seconds=2.0, attempts=_FIRST),
        ),
    )


def going_down(plan: FaultPlan, seconds: float) -> FaultPlan:
    """The same plan, with the provider refusing every connection for a while."""
    return FaultPlan(seed=plan.seed, rules=plan.rules, down=Down(seconds=seconds))


@contextmanager
def demo_world(
    data_dir: Path, *, seed: int, now: datetime, flags: Mapping[str, object]
) -> Generator[tuple[Settings, SimulatedProvider, Path]]:
    """Make the folder, start the provider, write the settings that later commands find there.

    Args:
        data_dir: Where the embedded database lives.
        seed: Of the faults.
        now: Names the tenant: every demo has its own, so that demos never meet.
        flags: What the command line said.
    """
    folder = data_dir.resolve() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    tenant = f"demo-{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    with SimulatedProvider(folder / f"{tenant}.book", faults=fault_plan(seed)) as provider:
        text = _SETTINGS.format(
            tenant=tenant,
            workflow=WORKFLOW,
            port=0,
            provider=provider.url,
            look_up=_LOOK_UP,
            look_up_refund=_LOOK_UP_REFUND,
        )
        (folder / "interlock.toml").write_text(text, encoding="utf-8")
        # A database and settings of its own: no worker that acts for real ever sees the demo's cases.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        yield Settings.load(flags, environ, folder), provider, folder
