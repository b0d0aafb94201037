"""Statements: files of banks and providers, and tables of what is expected, read as entries.

``read_statements`` reads a file of any form, ``read_query`` what a query on PostgreSQL gives. Amounts stay exact, and
nothing is guessed: a table's columns, and how they are written, are declared by a ``Dialect``. A broken entry ends
among ``Statement.broken`` while its file goes on; only a file that as a whole gives no statement is refused. Each entry
is held against the contract ``entry@1``. ``findings_of`` says where a statement does not add up.
"""

from interlock.packs.reconciliation.statements.dialect import FIELDS, CsvDialect, Dialect, check_dialect
from interlock.packs.reconciliation.statements.findings import StatementFinding, findings_of
from interlock.packs.reconciliation.statements.held import entry_contract
from interlock.packs.reconciliation.statements.query import read_query
from interlock.packs.reconciliation.statements.read import FORMATS, format_of, read_statements

__all__ = [
    "FIELDS",
    "FORMATS",
    "CsvDialect",
    "Dialect",
    "StatementFinding",
    "check_dialect",
    "entry_contract",
    "findings_of",
    "format_of",
    "read_query",
    "read_statements",
]
