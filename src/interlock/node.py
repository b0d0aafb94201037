"""A node: one process of Interlock with its database, writer, workflows and connectors, put together in one place."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from openfeature.provider import FeatureProvider

from interlock.actions.boundary import Boundaries, BoundaryTerms
from interlock.actions.circuit import CircuitRules
from interlock.actions.circuit_gate import CircuitGate
from interlock.actions.connector import Connector
from interlock.actions.dispatch import Dispatcher
from interlock.actions.store import action_gate
from interlock.authority.judge import Authority, load_authority
from interlock.authority.unread import UnreadAuthority, load_if_readable
from interlock.autonomy.audit.answer import AuditAnswers
from interlock.autonomy.audit.duty import keep_sampling
from interlock.autonomy.audit.store import drawing_gate
from interlock.autonomy.gate import AutonomyGate
from interlock.autonomy.issuing.store import monitor_gate
from interlock.autonomy.watch import Certificates
from interlock.business.count import keep_counting
from interlock.cases.audited import audited_points
from interlock.cases.build import keep_builds, keeping_published
from interlock.cases.certified_places import places
from interlock.cases.events import event_gate
from interlock.cases.flags.evaluate import Flags, provider_of
from interlock.cases.flags.file_provider import FileProvider
from interlock.cases.flags.refuse import refuse_in_workflows
from interlock.cases.held import Tools
from interlock.cases.in_force import tell_in_force
from interlock.cases.outcome_points import outcome_points
from interlock.cases.practice_asked import practice_demands
from interlock.cases.queues import queues_told
from interlock.cases.registry import Registry, load_registry
from interlock.cases.store import quarantine_gate
from interlock.cases.work_terms import work_terms
from interlock.cases.worker import Worker
from interlock.config import Settings
from interlock.connectors.registry import join, make_connector
from interlock.db.alone import Alone
from interlock.db.batch import Gate
from interlock.db.database import Database
from interlock.db.embedded import EmbeddedPostgres
from interlock.db.gates import CaseGate, KeyGate
from interlock.db.keep_doing import keep_doing
from interlock.db.migrate import check_schema, migrate
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.decisions.decide import Decider
from interlock.decisions.features.reader import FeatureReader
from interlock.decisions.record_audit import audit_every_record
from interlock.guards.dead_man import term_state_gate
from interlock.guards.gate import GuardGate
from interlock.guards.stop_gate import StopGate
from interlock.guards.stop_watch import StopWatch
from interlock.guards.stops import installation_stop_gate, stop_state_gate
from interlock.ledger.reconcile import Reconciler
from interlock.ledger.scheduled import ScheduledAudit
from interlock.ledger.seal import Sealer
from interlock.ledger.terms import ledger_terms
from interlock.levels.watch import DataLevels
from interlock.lineage.openlineage import FieldTold, told_fields
from interlock.lineage.upkeep import LineageUpkeep
from interlock.oversight.desk import Desk
from interlock.oversight.duty import keep_looking_after
from interlock.oversight.effect import keep_settling
from interlock.oversight.escalate import escalate
from interlock.oversight.quality.store import draw_gate
from interlock.oversight.shown_gate import ShownGate
from interlock.oversight.store import exception_gate, review_gate
from interlock.oversight.work_scale import WorkTerms
from interlock.privacy.master import MasterKeys
from interlock.privacy.subject import subject_gate
from interlock.privacy.vault import Vault
from interlock.publications.watch import Publications
from interlock.recall.duty import Recalling
from interlock.recall.means import Means
from interlock.setting_forms import Mode

if TYPE_CHECKING:
    from interlock.components.llm.provider import Providers

LEAST_PARTITIONS = 3
PARTITION_UPKEEP_S = 3600.0
ESCALATION_UPKEEP_S = 5.0
"""How often a process measures what the workflows' files tolerate."""
log = logging.getLogger("interlock.node")


def gates(circuits: CircuitGate | None = None) -> tuple[Gate, ...]:
    """Every gate, in the one global order of locks: stops and what is certified, cases, what belongs to cases, keys,
    circuits, guards last.

    Args:
        circuits: The gate of the circuits, if somebody is to hear from it which are not well.
    """  # noqa: D205 - one thought
    return (
        StopGate(),
        AutonomyGate(),
        stop_state_gate,
        installation_stop_gate,
        term_state_gate,
        CaseGate(),
        action_gate,
        review_gate,
        exception_gate,
        ShownGate(),
        quarantine_gate,
        event_gate,
        subject_gate,
        draw_gate,
        drawing_gate,
        monitor_gate,
        KeyGate(),
        circuits or CircuitGate(),
        GuardGate(),
    )


@dataclass(frozen=True, slots=True)
class Node:
    """One process.

    Attributes:
        settings: What it was told.
        url: The database that it uses.
        tenant: The tenant of the command line, and of keys made by it.
        database: Connections for reading.
        writer: The writer.
        notifier: Wakes.
        registry: The workflows that it carries.
        tools: What steps need.
        publications: What is published of what its workflows refer to.
        levels: How fresh and complete the data are that its workflows rest on.
        vault: Makes and opens tokens of personal data.
        authority: Says who may do what.
    """

    settings: Settings
    url: str
    tenant: UUID
    database: Database
    writer: Writer
    notifier: Notifier
    registry: Registry
    tools: Tools
    publications: Publications
    levels: DataLevels
    vault: Vault
    authority: Authority

    @property
    def work_terms(self) -> WorkTerms:
        """What is declared of the order of work."""
        return work_terms(self.registry, self.settings)

    @property
    def desk(self) -> Desk:
        """What people's work in the queue is done with."""
        follow = AuditAnswers(self.database, functools.partial(outcome_points, self.registry))
        return Desk(self.database, self.writer, self.authority, practice_demands(self.registry), follow)

    def worker(self, *, serves: UUID | None = None) -> Worker:
        """A worker of this process, to be entered; it takes every tenant's cases, or those of one.

        Raises:
            ConfigInvalid: the provider of flags is not there: every flag would silently be a default.
        """
        settings = self.settings
        if settings.flags_provider:
            provider_of(settings.flags_provider)
        return Worker(
            self.url,
            self.tools,
            self.registry,
            self.notifier,
            concurrency=settings.concurrency,
            lease_s=settings.lease.total_seconds(),
            probe_s=settings.probe.total_seconds(),
            poll_s=settings.poll.total_seconds(),
            serves=serves,
        )

    @asynccontextmanager
    async def sealing(self) -> AsyncGenerator[Sealer]:
        """Seal the ledger and carry recalls out while this is open, where nobody else does; for all that run long.

        Raises:
            LedgerBroken: the ledger is not the one that was published.
            ConfigInvalid: the key is not there, or is none.
        """
        async with self.database.installation() as connection:
            terms = await ledger_terms(self.settings, connection)
        records = functools.partial(audit_every_record, self.database, pause_s=1)
        audit = ScheduledAudit(self.url, self.writer, terms, records)
        async with (
            Reconciler(self.database, self.writer) as reconciler,
            Sealer(self.url, self.database.clock, terms, (reconciler.duty, audit.duty)) as sealer,
            Recalling(self.database, self.recall_means),
        ):
            try:
                yield sealer
            finally:
                await audit.close()

    @property
    def recall_means(self) -> Means:
        """What recalls are carried out with."""
        return Means(self.writer, self.tools.decider, self.registry)

    def lineage(self) -> LineageUpkeep:
        """Count what sources influenced and tell others, as the settings say, while this is open.

        Raises:
            ConfigInvalid: the key is not where the settings say.
        """
        settings = self.settings
        key = settings.lineage_key.resolve(os.environ) if settings.lineage_key else ""
        targets = [one for one in (settings.lineage_url, str(settings.lineage_file or "")) if one]
        return LineageUpkeep(self.url, tuple(targets), key=key, fields=self.contract_fields)

    def contract_fields(self, tenant: UUID, name: str) -> Sequence[FieldTold]:
        """The fields of a contract's version, if it is the one that counts here; else none."""
        for entry in self.registry.all:
            library = entry.library.for_tenant(tenant)
            for reference in entry.contracts:
                if library.contract_name(reference) == name:
                    return told_fields(library.contract(reference).record.fields)
        return ()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[str]:
    """The URL of the database: the one that is named, or the embedded one, which runs as long as this is open.

    Raises:
        DatabaseUnavailable: it does not answer or does not start.
        SchemaOutdated: a database that is named lacks a migration; the embedded one is brought up to date.
    """
    if settings.database_url:
        if newer := await check_schema(settings.admin_database_url or settings.database_url):
            log.warning("a newer Interlock ran %s on this database: see `interlock doctor`", ", ".join(newer))
        yield settings.database_url
        return
    with EmbeddedPostgres(Path(settings.data_dir) / "postgres") as server:
        await migrate(server.url)
        yield server.url


@asynccontextmanager
async def open_node(
    settings: Settings, *, registry: Registry | None = None, publishes: bool = False, only_stops: bool = False
) -> AsyncGenerator[Node]:
    """Put a process together and take it apart again.

    Args:
        settings: What it is told.
        registry: Its workflows, if they are not those of the settings.
        publishes: Whether it is to publish what its workflows refer to, so that not all of it can be there yet.
        only_stops: Whether it is there to stop something, which works even with policies that cannot be read.

    Raises:
        ConfigInvalid: the policies cannot be read.
        DeclarationInvalid: a workflow's file refers to what is not there; in production, to what is not published.
    """
    only_published = settings.mode is Mode.PRODUCTION
    authority = load_if_readable(settings.policies) if only_stops else load_authority(settings.policies)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(open_database(settings))
        known = (
            registry
            if registry is not None
            else load_registry(settings.workflows, only_published=only_published, checked=False)
        )
        database = await stack.enter_async_context(Database(url))
        await database.ensure_partitions()
        making = keep_doing("partitions of the coming months", lambda: _make_partitions(database), PARTITION_UPKEEP_S)
        _go_on(stack, making, "partitions")
        tenant = await database.ensure_tenant(settings.tenant)
        notifier = await stack.enter_async_context(Notifier(url))
        if settings.llm:
            providers = _providers(settings)
            stack.push_async_callback(providers.close)
            known.connect(providers)
        if not publishes:  # whoever decides names what it decides with
            await keep_builds(database, known)
        publications = await stack.enter_async_context(
            Publications(database, notifier, known.references, before=keeping_published(database, known))
        )
        vault = Vault(database, _master_keys(settings))
        known = known.joined(publications, only_published=only_published, vault=vault)
        if not publishes and (only_published or registry is None):
            known.check(tenant)
        circuits = CircuitGate()
        writer = await stack.enter_async_context(Writer(url, database.clock, gates(circuits), notifier))
        if not publishes:
            loaded = only_published or registry is None
            told = None if isinstance(authority, UnreadAuthority) else authority
            await tell_in_force(database, writer, known, tenant, components=loaded, authority=told)
        _look_after(stack, database, writer, known, queues=not publishes)
        _tell(stack, database, writer, known, settings)
        alone = await stack.enter_async_context(Alone(url, database.clock, gates(circuits), notifier))
        watch = await stack.enter_async_context(StopWatch(database, notifier))
        features = await stack.enter_async_context(FeatureReader(url))
        if any(feature.entity for entry in known.all for feature in entry.declaration.features.values()):
            await features.connect()
        connectors: dict[str, Connector] = {}
        for name, terms in settings.connectors.items():
            connectors[name] = make_connector(name, terms, now=database.clock.now)
            stack.push_async_callback(connectors[name].close)
            join(connectors[name], url)
        dispatcher = Dispatcher(database, writer, _boundaries(settings, database, circuits), alone, vault=vault)
        flags = _flags(settings)
        stack.push_async_callback(flags.close)
        data = DataLevels(database, writer, notifier, known.measured, known.lines)
        levels = await stack.enter_async_context(data)
        certificates = await stack.enter_async_context(Certificates(database, notifier, known.autonomous))
        decider = Decider(database, writer, watch, features, levels, vault, certificates)
        stack.push_async_callback(decider.close)
        tools = Tools(database, writer, decider, dispatcher, connectors, flags)
        yield Node(
            settings, url, tenant, database, writer, notifier, known, tools, publications, levels, vault, authority
        )


def _master_keys(settings: Settings) -> MasterKeys:
    """Where the master key of personal data is; with an embedded database, beside it unless it is said."""
    beside = None if settings.database_url else Path(settings.data_dir)
    return MasterKeys(settings.privacy_key, settings.privacy_key_previous, beside=beside)


def _flags(settings: Settings) -> Flags:
    """The flags of this process. The provider is found when the first flag is asked for: one that is set up wrong must
    not keep anybody from stopping a workflow.
    """  # noqa: D205 - one thought
    refuse_in_workflows()

    def make() -> FeatureProvider:
        if settings.flags_provider:
            return provider_of(settings.flags_provider)()
        return FileProvider(settings.flags_file)

    return Flags(make, timeout=settings.flags_timeout)


def _providers(settings: Settings) -> Providers:
    # who asks no language model pays neither for an HTTP client nor for price tables: 0.2 s
    from interlock.components.llm.provider import Providers  # noqa: PLC0415

    return Providers(settings.llm)


def _boundaries(settings: Settings, database: Database, gate: CircuitGate) -> Boundaries:
    terms = {
        name: BoundaryTerms(
            concurrency=one.concurrency,
            circuit=CircuitRules(failures=one.circuit_failures, pause=one.circuit_pause, longest=one.circuit_longest),
        )
        for name, one in settings.connectors.items()
    }
    return Boundaries(database, gate, terms, slots=settings.concurrency)


async def _make_partitions(database: Database) -> None:
    """Make the coming months' partitions: a process that is never restarted must not run out."""
    if made := await database.ensure_partitions():
        log.info("made %s partitions for the coming months", made)


def _look_after(stack: AsyncExitStack, database: Database, writer: Writer, known: Registry, *, queues: bool) -> None:
    """See, while the process runs, to what no person has to be awake for."""
    rules = [rule for entry in known.all for rule in entry.declaration.escalation]
    if rules:
        measuring = keep_doing("tolerances", lambda: escalate(database, writer, rules), ESCALATION_UPKEEP_S)
        _go_on(stack, measuring, "escalation")
    follow = AuditAnswers(database, functools.partial(outcome_points, known))
    _go_on(stack, keep_settling(database, writer, follow), "verdicts")
    if known.all and queues:
        told = queues_told(entry.declaration for entry in known.all)
        _go_on(stack, keep_looking_after(database, writer, told), "oversight")
        _go_on(stack, keep_counting(database), "business")
    if queues and (points := audited_points(known)):
        _go_on(stack, keep_sampling(database, writer, points), "audit")
    if queues and known.autonomous:
        # who certifies nothing pays for no mathematics
        from interlock.autonomy.figures.measure import keep_measuring  # noqa: PLC0415
        from interlock.autonomy.issuing.duty import keep_certificates  # noqa: PLC0415

        _go_on(stack, keep_certificates(database, writer, functools.partial(places, known)), "certificates")
        _go_on(stack, keep_measuring(database, functools.partial(places, known)), "figures")


def _tell(stack: AsyncExitStack, database: Database, writer: Writer, known: Registry, settings: Settings) -> None:
    """Tell people of work, while a process that carries workflows runs."""
    if not settings.notify or not known.all:
        return
    # who tells nobody pays for no HTTP client and no mail
    from interlock.notices.duty import keep_telling  # noqa: PLC0415

    stand_ins = {one.declaration.workflow: one.declaration.dossier.stand_in for one in known.all}
    shown = settings.public_url.rstrip("/") or f"http://{settings.api_host}:{settings.api_port}"
    channels = tuple(settings.notify.values())
    worth = work_terms(known, settings).worth
    owners = {one.declaration.workflow: one.declaration.dossier.owner for one in known.all}
    told = keep_telling(database, writer, settings.tenant, channels, stand_ins, shown, worth, owners)
    _go_on(stack, told, "notices")


def _go_on(stack: AsyncExitStack, duty: Coroutine[Any, Any, None], name: str) -> None:
    """Do a duty until the stack unwinds."""
    stack.push_async_callback(_end, asyncio.create_task(duty, name=f"interlock-{name}"))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
