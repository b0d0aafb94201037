"""What a contract demands of all rows of a table together: each row is held against those before it, in their order.

A row that repeats what must be unique is refused before anybody decides it. Counts and shares are known after the last
row: by then the others are decided. What was seen is not stored: a run that is taken up reads the rows before it again,
which is exact, and costs no more than reading.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import cast

from interlock.batch.rows import Reading, Row
from interlock.batch.table import Place, Table
from interlock.contracts import BatchCheck, Contract, check
from interlock.contracts.keys import Keys
from interlock.errors import ContractViolated, Violation

_DIGEST = 16


class Together:
    """One pass over the rows of a table; its owner closes it.

    Args:
        reading: How the rows are read.
    """

    def __init__(self, reading: Reading) -> None:
        batch = BatchCheck(reading.contract) if reading.contract else None
        self._batch = None if batch is None or batch.idle else batch
        self._contract = reading.contract
        # without a column of keys no two rows have the same
        self._keys = Keys() if self._batch and reading.key else None

    async def catch_up(self, table: Table, place: Place) -> None:
        """Look at the rows before a place, which are settled.

        Raises:
            StateConflict: the table has changed meanwhile.
        """
        if self._batch is None or not place.row:
            return
        chunks = table.chunks(Place())
        try:
            while rows := await asyncio.to_thread(next, chunks, ()):
                table.check_unchanged()
                self.look([row for row in rows if row.number <= place.row])
                if rows[-1].number >= place.row:
                    return
        finally:
            chunks.close()

    def look(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The next rows, in their order: one that repeats an earlier one has become one that is wrong."""
        if self._batch is None or self._contract is None:
            return rows
        return [self._look_at(row, self._batch, self._contract) for row in rows]

    def _look_at(self, row: Row, batch: BatchCheck, contract: Contract) -> Row:
        if row.wrong is not None or not isinstance(row.value, dict):
            batch.refuse()
            return row
        digest = _digest(row.key) if self._keys else b""
        if self._keys and self._keys.first(digest):
            batch.refuse()  # the same key is the same question, asked twice, and no second record
            return row
        record = cast("object", row.value)
        if not row.sure and check(contract, record):
            batch.refuse()  # whoever decides it names everything that is wrong
            return row
        if twice := batch.note(record):
            todo = "send each one once; where both are meant, mend what tells them apart"
            return row._replace(wrong=ContractViolated(f"the row breaks {contract.reference}", twice, todo=todo))
        if self._keys:
            self._keys.put(digest, row.number)
        return row if row.sure else row._replace(sure=True)

    def end(self) -> tuple[Violation, ...]:
        """What is wrong with all rows together, after the last one."""
        return self._batch.end() if self._batch else ()

    def close(self) -> None:
        """Give back the memory and the temporary files."""
        if self._batch:
            self._batch.close()
        if self._keys:
            self._keys.close()


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
