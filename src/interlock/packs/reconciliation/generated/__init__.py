"""A made-up month of a mid-size company, with its truth: for the demo, for tests, and for trying settings out.

``make_month`` plans what happened and what belongs together; ``make_files`` writes what an ERP, banks and providers
would hand in of it, in their formats, with the faults that such files have. Both are pure: equal arguments give equal
bytes. All names are invented.
"""

from __future__ import annotations

from interlock.packs.reconciliation.generated.files import HandedFile, make_files
from interlock.packs.reconciliation.generated.month import Belongs, Month, Planned, make_month

__all__ = ["Belongs", "HandedFile", "Month", "Planned", "make_files", "make_month"]
