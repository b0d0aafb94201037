"""What can be stopped by name: what the workflows' files and the settings name. A misspelt stop stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from interlock.authority.actor import known_as
from interlock.authority.judge import Resource
from interlock.cases.declaration import Declaration, load_declaration
from interlock.cases.registry import import_workflow
from interlock.components.component import Kind
from interlock.errors import Refused
from interlock.guards.scope import component_scopes, is_of_the_installation
from interlock.spelling import meant


def stoppable(declarations: Iterable[Declaration], connectors: Iterable[str] = ()) -> frozenset[str]:
    """Every scope that these workflows have.

    Args:
        declarations: Their files.
        connectors: Those that the settings name, whether or not a workflow uses them.
    """
    scopes = {"everything", *(f"connector:{name}" for name in connectors)}
    for declaration in declarations:
        flow = declaration.workflow
        scopes.add(f"workflow:{flow}")
        for point in declaration.decisions.values():
            scopes.add(f"point:{flow}.{point.name}")
            shares = [share for choice in point.steps for share in choice.shares]
            scopes |= {f"component:{one.component}" for one in shares if one.component.kind is not Kind.PERSON}
        for action in declaration.actions.values():
            scopes |= {f"action:{flow}.{action.name}", f"connector:{action.connector}", f"domain:{action.domain}"}
    return frozenset(scopes)


def stop_resource(
    tenant: UUID,
    scope: str,
    declarations: Iterable[Declaration],
    *,
    installation: bool = False,
    set_by: str | None = None,
) -> Resource:
    """A stop, or what is to be stopped, as policies see it.

    Who answers for it answers for every workflow that it holds: whoever owns one workflow does not stop the bank that
    another one pays by.

    Args:
        tenant: Whose.
        scope: What it names.
        declarations: The files of the workflows that there are.
        installation: Whether it reaches beyond the tenant.
        set_by: Who set the stop, if there is one.
    """
    named = [who for one in declarations if _touches(scope, one) and (who := _answering(one))]
    owners = [who for who in named[0] if all(who in others for others in named)] if named else []
    return Resource(
        kind="Scope",
        id=scope,
        tenant=tenant,
        facts={
            "scope": scope,
            "owners": owners,
            "answered": bool(named),
            "installation": installation or is_of_the_installation(scope),
            "set_by": set_by,
        },
    )


def _touches(scope: str, declaration: Declaration) -> bool:
    kind, _, name = scope.partition(":")
    if kind == "agent":
        return True  # whatever an agent submits: no file names it
    known = stoppable((declaration,))
    return scope in known or (kind == "component" and not known.isdisjoint(component_scopes(name)))


def _answering(declaration: Declaration) -> frozenset[str]:
    dossier = declaration.dossier
    return frozenset(known_as(who) for who in (dossier.owner, dossier.stand_in, *dossier.may_stop) if who.strip())


def check_known(scope: str, known: frozenset[str]) -> None:
    """Refuse a stop of what is not there: whoever misspells a name in a hurry believes that it is stopped.

    Raises:
        Refused: nothing here bears that name.
    """
    kind, _, name = scope.partition(":")
    if kind == "component" and not known.isdisjoint(component_scopes(name)):
        return  # a version of a line that a file names
    if scope not in known:
        alike = [one for one in known if one.startswith(f"{kind}:")]
        raise Refused(
            f"nothing here is {scope!r}; nothing is stopped",
            where="/scope",
            todo=meant(scope, alike) if alike else "write everything to stop all that there is",
        )


def read_declarations(references: Sequence[str]) -> tuple[list[Declaration], list[str]]:
    """The files of the workflows that can be read, without their components, and what is wrong with the others.

    Args:
        references: Workflows as ``module:name``.
    """
    found: list[Declaration] = []
    wrong: list[str] = []
    for reference in references:
        try:
            found.append(load_declaration(import_workflow(reference).file))
        except (Exception, SystemExit) as cause:  # noqa: BLE001 - whatever a workflow's module raises keeps nobody from stopping it
            wrong.append(f"{reference}: {cause}")
    return found, wrong
