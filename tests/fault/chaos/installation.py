"""The installation that chaos befalls: as in the books' test, with two providers and wires that can be cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
from books.world import LEASE_S, SERVER, WORKERS, World
from chaos.orders import WORKFLOWS
from chaos.wires import Wires, doors_of

from interlock.db._supervisor import PORT, SOCKET
from interlock.sim import FaultPlan, SimulatedProvider

GRACE_S = 2.5
"""How long the kernel timers of these workers wait after a request's deadline; 20 seconds in earnest."""
TIMEOUT_S = 2.0
"""Of one attempt, as the workflows' files say."""
LIFE_S = 5
"""How long a request can live at the providers, as the settings declare."""

_SETTINGS = """\
data_dir = "{data_dir}"
tenant = "{tenant}"
workflows = {workflows}
api_port = {port}
lease = "{lease}s"
probe = "300ms"
poll = "200ms"
"""
_CONNECTOR = """
[connectors.{name}]
url = "{url}"
simulated = true
can_look_up = true
max_request_life = "{life}s"
circuit_failures = 100
concurrency = 64
{abilities}

[connectors.{name}.operations.pay]
method = "POST"
path = "/payments"
body = {{to = "{{to}}", amount = "{{amount.amount}}", currency = "{{amount.currency}}", reference = "{{key}}"}}
{void}
[connectors.{name}.operations.pay.look_up]
path = "/payments?key={{key}}"
pending = {{field = "state", is = "pending"}}
match = {{to = "to", amount = "amount", currency = "currency"}}
{done}
[connectors.{name}.operations.refund]
method = "POST"
path = "/payments/{{undoes.response.id}}/refund"
{void}
[connectors.{name}.operations.refund.look_up]
path = "/refunds?key={{key}}"
pending = {{field = "state", is = "pending"}}
match = {{payment = "{{undoes.response.id}}"}}
{done}
"""
_FORWARD = """
[connectors.keyed.operations.forward]
method = "POST"
path = "/payments"
body = {to = "{to}", amount = "{amount.amount}", currency = "{amount.currency}", reference = "{key}"}

[connectors.keyed.operations.forward.look_up]
path = "/payments?key={key}"
match = {to = "to", amount = "amount", currency = "currency"}

[connectors.keyed.reads.payment]
path = "/payments?key={hold}"
value = "/id"
"""
_VOID = 'void = {method = "POST", path = "/keys/{key}/void", found = 409}\n'
_DONE = 'done = {field = "state", is = ["settled", "refunded"]}\n'
_ABILITIES = {
    "keyed": 'honours_keys = true\nkey_retention = "30d"',
    "seen": "",
    "voided": "can_void = true",
}


class Installation(World):
    """An API server, workers that reach PostgreSQL through wires of their own, and two providers.

    Args:
        folder: For settings, logs and the providers' books.
        data_dir: Where the database is; with a short path.
        tenant: Whose cases these are.
        plan: What goes wrong at the provider that honours keys and can make them void.
        seen_plan: What goes wrong at the one that ignores keys.

    Attributes:
        seen: The provider that ignores keys.
        wires: What the workers' connections go through.
    """

    wires: Wires

    def __init__(self, folder: Path, data_dir: Path, *, tenant: str, plan: FaultPlan, seen_plan: FaultPlan) -> None:
        super().__init__(folder, data_dir, tenant=tenant, plan=plan, workers=())
        self.seen = SimulatedProvider(folder / "seen-book", faults=seen_plan)
        self.code = Path(__file__).with_name("shop")
        self.clocks = {name: folder / f"clock-{number}" for number, name in enumerate(WORKERS)}
        self.token = folder / "token"
        self._stack = ExitStack()
        self._inputs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in self.clocks.values():
            file.write_bytes(bytes(8))
        super().__enter__()
        try:
            # a socket's path must be short
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ilw-", dir="/tmp")))
            self._doors = doors_of(folder, WORKERS, PORT)
            self.wires = self._stack.enter_context(Wires(self._layout.run / SOCKET, self._doors))
            self.want(*WORKERS)
            self.revive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, raised, trace)
        for process in self._inputs:
            if process.stdin:
                process.stdin.close()
        self._stack.close()

    @property
    def providers(self) -> tuple[SimulatedProvider, ...]:
        """Both."""
        return (self.provider, self.seen)

    def settings(self) -> str:
        """The text of interlock.toml."""
        text = _SETTINGS.format(
            data_dir=self._data_dir,
            tenant=self.tenant,
            workflows=json.dumps([f"payouts:{name}" for name in WORKFLOWS]),
            port=self.port,
            lease=f"{LEASE_S:.0f}",
        )
        for name, abilities in _ABILITIES.items():
            url = (self.seen if name == "seen" else self.provider).url
            void = _VOID if name == "voided" else ""
            text += _CONNECTOR.format(name=name, url=url, abilities=abilities, void=void, done=_DONE, life=LIFE_S)
        return text + _FORWARD

    def spawn(self, name: str) -> subprocess.Popen[bytes]:
        """Start the server as everybody does, and a worker with what chaos turns."""
        if name == SERVER:
            return super().spawn(name)
        environment = {
            "CHAOS_CLOCK": str(self.clocks[name]),
            "CHAOS_TOKEN": str(self.token),
            "CHAOS_GRACE": str(GRACE_S),
            "INTERLOCK_DATABASE_URL": self._url(name),
        }
        command = [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(os.getpid())]
        process = self.run(name, command, environment, stdin=subprocess.PIPE)
        self._inputs.append(process)
        if process.stdin:
            process.stdin.write(b"{}\n")
            process.stdin.flush()
        return process

    def processes(self, *names: str) -> list[psutil.Process]:
        """Those of these that live."""
        mine = [self._running[name] for name in names if name != SERVER and name in self._running]
        found = [psutil.Process(process.pid) for process in mine if process.poll() is None]
        return [*super().processes(*[name for name in names if name == SERVER]), *found]

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/interlock?host={quote(str(self._doors[name].parent), safe='')}&port={PORT}"
