"""One tree of errors. Each says what is wrong, where, and what to do next.

InterlockError
├── Refused                      the caller's to mend; nothing was changed
│   ├── ConfigInvalid            a setting that is unknown or malformed
│   ├── DeclarationInvalid       a workflow's file: file, line, key
│   ├── DossierIncomplete        a live connector without a complete dossier
│   ├── MalformedJson            bytes that are not the JSON that we accept
│   ├── EventInvalid             no CloudEvent, or none with JSON data: every violation
│   ├── ContractInvalid          a contract's file
│   ├── ContractViolated         data against its contract: every violation
│   ├── FeatureUnusable          a decision needs a feature whose value is absent, too old, late or wrong
│   ├── RulesInvalid             a decision table: every cell that is wrong
│   ├── ComponentInvalid         a component's folder: manifest, models, code
│   ├── ArchiveRefused           what decides cannot be kept: too large, unreadable, or changing
│   ├── MoneyInvalid             an amount that is not exact or not possible
│   ├── StatementUnreadable      a file or a query that gives no statement that can be used
│   ├── KeyReused                the same idempotency key with another payload
│   ├── NotFound                 nothing of that id here
│   │   └── ArchiveMissing       what a decision was made with is not in the archive
│   ├── StateConflict            not possible in the state that it is in
│   │   └── ShownChanged         what somebody decides on is not what they saw
│   ├── PurposeRefused           personal data for a purpose that is not theirs
│   ├── PersonalErased           personal data whose key is erased
│   ├── Unauthenticated          no valid key
│   ├── Forbidden                a valid key without the right
│   │   ├── FormStale            a form comes without the key of the session that sends it
│   │   └── PasswordDue          a person must choose a password of their own first
│   └── LimitReached             a guard or a stop said no
│       └── ScopeStopped         somebody has stopped it, or nobody authorized it in time
├── ComponentFailed              a component gave no usable answer
│   └── ComponentLate            not within its part of the budget
├── ComponentTooDear             a component could cost more than there is, and was not asked
├── PublicationUnusable          what is published cannot be loaded by this process
├── DecisionLate                 not on record by the time that its caller stated; it may be taken all the same
├── DecisionRejected             a workflow used the output of a decision that was rejected
├── ActionFailed                 an action ended without effect
├── EventLate                    an outside event did not come in time
├── StepFailed                   a function that a workflow ran as a step raised
├── CaseFailed                   a workflow says that its case has failed: what it did is taken back
├── Fenced                       the case belongs to another worker now
├── CancelWanted                 the case is to be cancelled: nothing new begins in it
├── RecordRefused                what was to be recorded of a case does not fit what is on record: a person looks
├── WorkflowMisuse               workflow code did what cannot be replayed
│   └── StepLimitReached         more steps than one run may have
├── DatabaseUnavailable          the database cannot be reached
│   ├── PostgresNotStarted       the embedded server did not come up
│   ├── ClockSkewed              this machine's clock is too far from the database's
│   └── SchemaOutdated           the database's schema is not the one that this code needs
├── LedgerBroken                 the ledger is not what it was: a hash, a node or a signed checkpoint says so
├── ArchiveDamaged               what the archive holds is not what was kept
├── WorkFailed                   one unit of work was refused by the database
└── SimulationFailed             a simulated outside system cannot start, or its book is damaged
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import msgspec

from interlock.usage import Usage


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, so that a caller can point at it.

    Attributes:
        where: A JSON Pointer (RFC 6901) into the data, or ``file:line`` for a file.
        what: What is wrong, with the value that was found.
        rule: The name of the rule that it breaks, stable enough to count by.
        todo: What would make it right.
    """

    where: str
    what: str
    rule: str
    todo: str = ""

    def __str__(self) -> str:
        text = f"{self.where or '/'}: {self.what}"
        return f"{text} ({self.todo})" if self.todo else text


class InterlockError(Exception):
    """The root: ``code`` names the fact for programs, ``status`` is its HTTP status, ``exit_code`` the command's.

    Args:
        what: One sentence that names what is wrong.
        where: The place: a pointer, a file and line, an id.
        todo: What to do next.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        self.what = what
        self.where = where
        self.todo = todo
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  to do: {self.todo}" if self.todo else text


class Refused(InterlockError):
    """The caller's to mend; nothing was changed."""

    code = "refused"
    status = 400
    exit_code = 2


class ManyRefused(Refused):
    """A refusal that names every violation at once, so that nobody mends them one by one."""

    def __init__(self, what: str, violations: tuple[Violation, ...], *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.violations = violations

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {violation}" for violation in self.violations)])


class ConfigInvalid(Refused):
    """A setting that is unknown or malformed."""

    code = "config-invalid"


class DeclarationInvalid(ManyRefused):
    """A workflow's file is not a declaration; each violation's ``where`` is ``file:line`` and names the key."""

    code = "declaration-invalid"


class DossierIncomplete(ManyRefused):
    """A workflow would act on a live connector without a complete dossier."""

    code = "dossier-incomplete"
    status = 409


class MalformedJson(Refused):
    """Bytes that are not the JSON that we accept: see ``interlock.contracts.door``."""

    code = "malformed-json"


class EventInvalid(ManyRefused):
    """What came is no CloudEvent, or none with JSON data; every violation is named."""

    code = "event-invalid"


class ContractInvalid(ManyRefused):
    """A contract's file is not a contract that we can hold data to."""

    code = "contract-invalid"


class ContractViolated(ManyRefused):
    """Data against its contract: every violation is named; ``quarantine`` is where the data wait, if they do."""

    code = "contract-violated"
    status = 422

    def __init__(
        self, what: str, violations: tuple[Violation, ...], *, where: str = "", todo: str = "", quarantine: str = ""
    ) -> None:
        super().__init__(what, violations, where=where, todo=todo)
        self.quarantine = quarantine


class FeatureUnusable(ManyRefused):
    """Nothing is decided without a feature whose value is absent, too old, late or of another type; each is named."""

    code = "feature-unusable"
    status = 409
    exit_code = 5


class RulesInvalid(ManyRefused):
    """A decision table with cells that would never fire or never end; each violation names row and column."""

    code = "rules-invalid"


class ComponentInvalid(ManyRefused):
    """A component's folder cannot be loaded: its manifest, a model file or its code."""

    code = "component-invalid"


class ArchiveRefused(Refused):
    """What decides cannot be kept, so nothing is decided with it."""

    code = "archive-refused"


class MoneyInvalid(Refused):
    """An amount that is not exact, not finite, out of range, or of no known currency."""

    code = "money-invalid"


class StatementUnreadable(Refused):
    """A file or a query that as a whole gives no statement that can be used; single broken entries do not raise it."""

    code = "statement-unreadable"
    status = 422


class KeyReused(Refused):
    """The same idempotency key came with another payload; ``holder`` is the id that the key belongs to."""

    code = "key-reused"
    status = 409

    def __init__(self, what: str, *, holder: str, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo or "use a new key for a new payload, or send the first one again")
        self.holder = holder


class NotFound(Refused):
    """Nothing of that id in this tenant."""

    code = "not-found"
    status = 404
    exit_code = 4


class ArchiveMissing(NotFound):
    """What a decision was made with is not in the archive."""

    code = "archive-missing"


class StateConflict(Refused):
    """What was asked is not possible in the state that the thing is in."""

    code = "state-conflict"
    status = 409
    exit_code = 5


class ShownChanged(StateConflict):
    """What somebody decides on is not what they had before them: it is shown anew."""

    code = "changed-since-shown"


class PurposeRefused(Refused):
    """Personal data were to be read for a purpose that their contract does not name, or for none."""

    code = "purpose-refused"
    status = 403


class PersonalErased(Refused):
    """Personal data whose key is erased: nobody can read them again."""

    code = "personal-erased"
    status = 410
    exit_code = 4


class Unauthenticated(Refused):
    """No key, or one that is unknown or revoked."""

    code = "unauthenticated"
    status = 401


class Forbidden(Refused):
    """A valid key without the right that this needs."""

    code = "forbidden"
    status = 403


class FormStale(Forbidden):
    """A form comes without the key of the session that sends it: its page was made for another."""

    code = "form-stale"


class PasswordDue(Forbidden):
    """A person must choose a password of their own before anything else."""

    code = "password-due"


class LimitReached(Refused):
    """A guard or a stop said no; ``until`` is when to ask again, if that is known."""

    code = "limit-reached"
    status = 429
    exit_code = 6


class ScopeStopped(LimitReached):
    """Somebody has stopped it, or nobody authorized it in time.

    Args:
        what: Who stopped what and why.
        stop: The stop, or the lapsed term.
    """

    code = "stopped"

    def __init__(self, what: str, *, stop: UUID) -> None:
        super().__init__(what, where=str(stop), todo="`interlock stops` lists what is stopped, by whom and why")
        self.stop = stop


class ComponentFailed(InterlockError):
    """A component gave no usable answer; the declared fallback answers instead.

    Attributes:
        cost: What asking it cost all the same, in USD beside compute; exact.
        usage: The tokens that it used up; None: it uses none.
    """

    code = "component-failed"
    cost: Decimal = Decimal(0)
    usage: Usage | None = None


class ComponentLate(ComponentFailed):
    """A component did not answer within its part of the latency budget."""

    code = "component-late"


class PublicationUnusable(InterlockError):
    """What is published cannot be loaded by this process; no older version takes its place."""

    code = "publication-unusable"
    status = 503


class ComponentTooDear(InterlockError):
    """A component could cost more than its decision, or the day of its point, may; it was not asked."""

    code = "component-too-dear"


class DecisionRejected(InterlockError):
    """A workflow used the output of a decision that was rejected; uncaught, it ends the case as rejected."""

    code = "decision-rejected"


class ActionFailed(InterlockError):
    """An action ended without effect; uncaught, the case becomes an exception that somebody owns."""

    code = "action-failed"


class DecisionLate(InterlockError):
    """A decision was not on record by the time that its caller stated. It may be taken nevertheless: its key tells."""

    code = "late"
    status = 503


class EventLate(InterlockError):
    """An outside event did not come within the time that the workflow gave it; the workflow may handle it."""

    code = "event-late"


class StepFailed(InterlockError):
    """A function that a workflow ran as a step raised; its error is in the message."""

    code = "step-failed"


class CaseFailed(InterlockError):
    """Raised by workflow code: the case has failed. What it did is taken back, the latest first; it ends cancelled."""

    code = "case-failed"


class CancelWanted(InterlockError):
    """The case is to be cancelled; what its worker was about to begin was not begun. No workflow code sees this."""

    code = "cancel-wanted"


class Fenced(InterlockError):
    """The case belongs to another worker now; what this one was about to write was not written."""

    code = "fenced"


class RecordRefused(InterlockError):
    """What was to be recorded of a case does not fit what is on record of it; nothing was written. A person looks."""

    code = "record-refused"


class WorkflowMisuse(InterlockError):
    """Workflow code did what cannot be replayed: threads, tasks, files, clocks or awaits that are not the case's."""

    code = "workflow-misuse"


class StepLimitReached(WorkflowMisuse):
    """More steps than one run may have; ``case.continue_as`` starts a fresh one."""

    code = "step-limit-reached"


class DatabaseUnavailable(InterlockError):
    """The database cannot be reached or does not answer."""

    code = "database-unavailable"
    status = 503
    exit_code = 7


class PostgresNotStarted(DatabaseUnavailable):
    """The embedded server did not come up; the end of its log is in the message."""

    code = "postgres-not-started"


class ClockSkewed(DatabaseUnavailable):
    """This machine's clock is more than five minutes from the database's."""

    code = "clock-skewed"


class SchemaOutdated(DatabaseUnavailable):
    """The database's schema is not the one that this code needs."""

    code = "schema-outdated"


class LedgerBroken(InterlockError):
    """The ledger is not what it was."""

    code = "ledger-broken"
    exit_code = 9


class ArchiveDamaged(InterlockError):
    """What the archive holds is not what was kept."""

    code = "archive-damaged"


class WorkFailed(InterlockError):
    """One unit of work was refused by the database, alone; the others of its batch went on."""

    code = "work-failed"


class SimulationFailed(InterlockError):
    """A simulated outside system did not start, does not answer, or its book is damaged."""

    code = "simulation-failed"
