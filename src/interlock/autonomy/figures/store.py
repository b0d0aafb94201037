"""The rows of a point's figures."""

from __future__ import annotations

from uuid import UUID

import msgspec

from interlock.autonomy.figures.figures import BandCount, PointFigures
from interlock.db.database import Database
from interlock.db.queries import load_queries

_SQL = load_queries(__file__)
_DECODER = msgspec.json.Decoder(PointFigures)


class VersionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A component version that answered: the SHA-256 of all that makes its answers, and its reference."""

    digest: bytes
    component: str


TENANTS_MEASURED = _SQL.rows("tenants_measured", UUID)
TAKE_FIGURES = _SQL.rows("take_figures", bool)
KEEP_FIGURES = _SQL.command("keep_figures")
FIGURES_OF = _SQL.rows("figures_of", bytes)
NEWEST_OF_POINT = _SQL.rows("newest_of_point", UUID)
VERSIONS_SEEN = _SQL.rows("versions_seen", VersionSeen)
EXPOSURE_BANDS = _SQL.rows("exposure_bands", BandCount)


async def figures_of(database: Database, tenant: UUID, workflow: str, point: str) -> PointFigures | None:
    """The figures of a point as measured last; None: they were not yet, or by another version of the code."""
    async with database.tenant(tenant) as connection:
        content = await FIGURES_OF.one(connection, {"workflow": workflow, "point": point})
    try:
        return _DECODER.decode(content) if content is not None else None
    except msgspec.ValidationError:
        return None
