"""Opening a table by its name: the form is what the name ends in, or ``sql:`` before a SELECT."""

from __future__ import annotations

from pathlib import Path

from interlock.batch.csv_table import CsvTable
from interlock.batch.jsonl_table import JsonlTable
from interlock.batch.parquet_table import ParquetTable
from interlock.batch.rows import Reading
from interlock.batch.sql_table import SqlTable
from interlock.batch.table import Table
from interlock.errors import Refused

SQL = "sql:"


def open_table(name: str, reading: Reading, *, url: str = "") -> Table:
    """A table, checked as far as its columns go.

    Args:
        name: A file that ends in .csv, .tsv, .jsonl or .parquet; or ``sql:SELECT ...``.
        reading: How its rows are read.
        url: The database of a query.

    Raises:
        Refused: the name says no form, or the table cannot be read or does not fit the contract.
    """
    if name.startswith(SQL):
        if not url:
            todo = "name the environment variable that holds its postgresql:// URL with --database-url-from"
            raise Refused("no database is named for the query", where="--in", todo=todo)
        return SqlTable(name.removeprefix(SQL).strip(), url, reading)
    path = Path(name)
    match path.suffix.lower():
        case ".csv":
            return CsvTable(path, reading)
        case ".tsv":
            return CsvTable(path, reading, delimiter="\t")
        case ".jsonl" | ".ndjson":
            return JsonlTable(path, reading)
        case ".parquet":
            return ParquetTable(path, reading)
        case _:
            todo = "end it in .csv, .tsv, .jsonl or .parquet, or write sql: before a SELECT"
            raise Refused(f"{path.name!r} does not say what kind of table it is", where="--in", todo=todo)
