"""Files that are checked before they are used: workflows, contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from interlock.autonomy.terms import AutonomyTerms
from interlock.autonomy.words import terms_said
from interlock.cases.declaration import Declaration, load_declaration
from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen
from interlock.contracts import load_contract

app = commands()
workflows = commands("workflow", "Workflow files: check one before it is used.")
contracts = commands("contract", "Contract files: check one before it is used.")
app.add_typer(workflows)
app.add_typer(contracts)
File = Annotated[Path, typer.Argument(help="The file.")]


@workflows.callback()
@contracts.callback()
def check_one() -> None:
    """Check one file before it is used."""


@workflows.command(name="check")
def check_workflow(file: File, *, as_json: Json = False) -> None:
    """Read a workflow's file and name everything that is wrong in it, by file and line."""
    screen = Screen(as_json=as_json)
    declaration = load_declaration(file)
    missing = declaration.dossier.missing()
    if as_json:
        screen.document(
            {
                "workflow": declaration.workflow,
                "contract": declaration.contract,
                "decisions": list(declaration.decisions),
                "autonomy": {name: terms_said(terms) for name, terms in _autonomous(declaration)},
                "actions": list(declaration.actions),
                "escalation": [rule.said for rule in declaration.escalation],
                "dossier_lacks": missing,
                "digest": declaration.digest.hex(),
            }
        )
    screen.facts(
        [
            ("workflow", declaration.workflow),
            ("contract", declaration.contract),
            ("decisions", ", ".join(declaration.decisions)),
            *((f"{name} answers alone", terms_said(terms)) for name, terms in _autonomous(declaration)),
            ("actions", ", ".join(declaration.actions) or "none"),
            ("escalation", "; ".join(rule.said for rule in declaration.escalation) or "none"),
            ("dossier", f"lacks {', '.join(missing)}: simulated connectors only" if missing else "complete"),
        ]
    )


def _autonomous(declaration: Declaration) -> Iterator[tuple[str, AutonomyTerms]]:
    return ((name, point.autonomy) for name, point in declaration.decisions.items() if point.autonomy is not None)


@contracts.command(name="check")
def check_contract(file: File, *, as_json: Json = False) -> None:
    """Read a contract's file and name everything that is wrong in it."""
    screen = Screen(as_json=as_json)
    contract = load_contract(file)
    if as_json:
        screen.document(
            {
                "contract": contract.reference,
                "status": contract.status,
                "owner": contract.owner,
                "rules": len(contract.rules),
                "measures": [measure.name for measure in contract.measures],
                "not_enforced": contract.not_enforced,
                "digest": contract.digest.hex(),
            }
        )
    screen.facts(
        [
            ("contract", contract.reference),
            ("status", contract.status),
            ("owner", contract.owner),
            ("rules between fields", len(contract.rules)),
            *([("demands on many records", len(contract.measures))] if contract.measures else []),
        ]
    )
    if contract.not_enforced:
        screen.line("Not enforced:")
        screen.lines(f"- {demand}" for demand in contract.not_enforced)
