"""Prints the SQL that makes the inbox: ``python -m interlock.connectors.sql | psql URL``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.stdout.write(Path(__file__).with_name("inbox.sql").read_text("utf-8"))
