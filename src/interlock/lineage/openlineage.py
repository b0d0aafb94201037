"""What happened as OpenLineage says it: run events of decisions, cases and actions. Pure.

Source: OpenLineage specification 2-0-2 (LF AI & Data), its run events and its facets parent, documentation,
sourceCodeLocation, jobType, schema, dataSource and version. What it has no word for stands in a facet of our own.

A decision point is a job; so is a workflow. A decision is a run, under its own id, and a case is one, which is the
parent of its decisions' runs. A contract's line is a dataset whose version is the contract's. What an action does is a
dataset of its connector: its domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID

import msgspec

from interlock.contracts import Field
from interlock.decisions.decision import Decision
from interlock.decisions.features.read import recorded_features
from interlock.lineage.influence import amount
from interlock.lineage.store import ActionTold, CaseTold

PRODUCER = f"urn:interlock:producer:{version('interlock')}"
EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
PARENT = f"{_FACETS}/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet"
DOCUMENTATION = f"{_FACETS}/1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet"
SOURCE_CODE = f"{_FACETS}/1-1-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet"
JOB_TYPE = f"{_FACETS}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
SCHEMA = f"{_FACETS}/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
DATA_SOURCE = f"{_FACETS}/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet"
DATASET_VERSION = f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
OURS = "urn:interlock:openlineage"
"""How the schemas of our own facets are called; docs/howto/trace-lineage.md says what they hold."""

TOLD = ("case.received", "decision.taken", "action.done", "action.undone", "case.done", "case.cancelled")
"""The kinds of ledger entries that are told."""
Event = dict[str, Any]


class FieldTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of a contract: its name, what its values are, and what it means."""

    name: str
    type: str
    description: str = ""
    fields: tuple[FieldTold, ...] = ()


def told_fields(fields: Sequence[Field]) -> tuple[FieldTold, ...]:
    """The fields of a contract as they are told."""
    return tuple(
        FieldTold(name=one.name, type=one.shape.value, description=one.description, fields=told_fields(one.fields))
        for one in fields
    )


Fields = Callable[[UUID, str], Sequence[FieldTold]]
"""The fields of a contract by tenant and whole name, as far as this process knows it; else none."""


def unknown_fields(_tenant: UUID, _contract: str) -> Sequence[FieldTold]:
    """Of a process that knows no contract."""
    return ()


class Teller:
    """Tells what happened in one tenant.

    Args:
        tenant: Its id.
        name: Its name.
        fields: What contracts hold.
    """

    def __init__(self, tenant: UUID, name: str, fields: Fields = unknown_fields) -> None:
        self.tenant = tenant
        self.namespace = f"interlock/{name}"
        self._fields = fields

    def decision(self, decision: Decision, case: CaseTold | None) -> Iterator[Event]:
        """The run of a decision: when it was begun, and when it was on record."""
        facets: Event = {"interlock_decision": _decision_facet(decision)}
        if case is not None:
            facets["parent"] = _facet(
                PARENT,
                run={"runId": str(case.id)},
                job={"namespace": self.namespace, "name": case.workflow},
            )
        what = f"The decision point {decision.point} of the workflow {decision.workflow}."
        job = self._job(f"{decision.workflow}.{decision.point}", what, f"declaration:{decision.declaration.hex()}")
        inputs = [self._contract(decision.input_contract)] if decision.input_contract else []
        inputs += [self._feature(name, used.version) for name, used in recorded_features(decision).items()]
        outputs = [self._contract(decision.output_contract)] if decision.output_contract else []
        run = {"runId": str(decision.id), "facets": facets}
        took = timedelta(microseconds=sum(msgspec.json.decode(decision.took_us, type=dict[str, int]).values()))
        for kind, at in (("START", decision.decided_at - took), ("COMPLETE", decision.decided_at)):
            yield _event(kind, at, run, job, inputs, outputs)

    def case(self, case: CaseTold, entry: str, at: datetime, contract: str | None) -> Event:
        """A turn of a case's run.

        Args:
            case: The case.
            entry: The kind of the ledger entry: case.received, case.done or case.cancelled.
            at: When.
            contract: What its input was held against, if the entry says so.
        """
        kind = {"case.received": "START", "case.done": "COMPLETE", "case.cancelled": "ABORT"}[entry]
        inputs = [self._contract(contract)] if contract else []
        return _event(kind, at, self._case_run(case), self._case_job(case), inputs, [])

    def action(self, action: ActionTold, case: CaseTold, entry: str, at: datetime) -> Event:
        """What an action wrote outside, as a part of its case's run."""
        run = self._case_run(case)
        run["facets"]["interlock_action"] = _facet(
            f"{OURS}:action-run-facet:1",
            action=str(action.id),
            name=action.name,
            state="undone" if entry == "action.undone" else "done",
            decision=str(action.decision_id) if action.decision_id else None,
            undoOf=str(action.undo_of) if action.undo_of else None,
            amount=_amount(action.exposure_minor, action.currency),
        )
        connector = f"{self.namespace}/connectors/{action.connector}"
        target = {
            "namespace": connector,
            "name": action.domain,
            "facets": {
                "dataSource": _facet(DATA_SOURCE, name=action.connector, uri=_urn("connector", action.connector))
            },
        }
        return _event("RUNNING", at, run, self._case_job(case), [], [target])

    def _case_run(self, case: CaseTold) -> Event:
        told = _facet(
            f"{OURS}:case-run-facet:1",
            workflow=case.workflow,
            version=case.version,
            caller=case.caller,
            exposure=_amount(case.exposure_minor, case.currency),
        )
        return {"runId": str(case.id), "facets": {"interlock_case": told}}

    def _case_job(self, case: CaseTold) -> Event:
        return self._job(case.workflow, f"The workflow {case.workflow}.", f"code:{case.code.hex}")

    def _job(self, name: str, what: str, code: str) -> Event:
        kind = "DECISION" if "." in name else "WORKFLOW"
        facets = {
            "documentation": _facet(DOCUMENTATION, description=what),
            "sourceCodeLocation": _facet(
                SOURCE_CODE, type="interlock", url=f"urn:interlock:{code}", version=code.partition(":")[2]
            ),
            "jobType": _facet(JOB_TYPE, processingType="SERVICE", integration="INTERLOCK", jobType=kind),
        }
        return {"namespace": self.namespace, "name": name, "facets": facets}

    def _contract(self, name: str) -> Event:
        """A contract's line as a dataset, of the contract's version."""
        known, _, number = name.partition("@")
        facets = {
            "dataSource": _facet(DATA_SOURCE, name=known, uri=_urn("contract", known)),
            "version": _facet(DATASET_VERSION, datasetVersion=number),
        }
        if fields := self._fields(self.tenant, name):
            facets["schema"] = _facet(SCHEMA, fields=msgspec.to_builtins(fields))
        line = f"{known}@{number.partition('.')[0]}"
        return {"namespace": f"{self.namespace}/contracts", "name": line, "facets": facets}

    def _feature(self, name: str, number: int) -> Event:
        facets = {
            "dataSource": _facet(DATA_SOURCE, name=name, uri=_urn("feature", name)),
            "version": _facet(DATASET_VERSION, datasetVersion=str(number)),
        }
        return {"namespace": f"{self.namespace}/features", "name": f"{name}@{number}", "facets": facets}


def _event(kind: str, at: datetime, run: Event, job: Event, inputs: Sequence[Event], outputs: Sequence[Event]) -> Event:
    return {
        "eventType": kind,
        "eventTime": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": run,
        "job": job,
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _decision_facet(decision: Decision) -> Event:
    return _facet(
        f"{OURS}:decision-run-facet:1",
        route=decision.route.value,
        component=decision.component,
        componentDigest=decision.component_digest.hex() if decision.component_digest else None,
        exposure=_amount(decision.exposure_minor, decision.currency),
        confidence=None if decision.confidence is None else str(decision.confidence),
        propensity=str(decision.propensity),
        inputHash=decision.input_hash.hex(),
        outputHash=decision.output_hash.hex() if decision.output_hash else None,
        declaration=decision.declaration.hex(),
        build=decision.build.hex() if decision.build else None,
        review=str(decision.review) if decision.review else None,
        supersedes=str(decision.supersedes) if decision.supersedes else None,
    )


def _facet(schema: str, **told: Any) -> Event:
    known = {name: value for name, value in told.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema, **known}


def _amount(minor: int | None, currency: str | None) -> str | None:
    return amount(minor, currency) if minor is not None and currency else None


def _urn(kind: str, name: str) -> str:
    return f"urn:interlock:{kind}:{name}"
