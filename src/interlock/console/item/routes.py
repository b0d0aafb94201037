"""The routes of a review's page, and of handing a task on."""

from __future__ import annotations

from interlock.console.item.decide import ROUTES as DECIDE
from interlock.console.item.hand import ROUTES as HAND
from interlock.console.item.page import ROUTES as PAGE

ROUTES = (*PAGE, *DECIDE, *HAND)
