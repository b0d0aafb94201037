"""What backtests read beside what replays and outcomes do."""

from __future__ import annotations

from uuid import UUID

from interlock.db.queries import load_queries

_SQL = load_queries(__file__)
SAMPLED_BACKTEST = _SQL.rows("sampled_backtest", UUID)
NEXT_BACKTEST = _SQL.rows("next_backtest", UUID)
NEWEST_CERTIFICATE = _SQL.rows("newest_certificate", UUID)
