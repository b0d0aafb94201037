"""The routes of a review's page, of handing a task on, of exceptions, of deciding many alike, of answering."""

from __future__ import annotations

from interlock.console.asked import ROUTES as ASKED
from interlock.console.bulk import ROUTES as BULK
from interlock.console.item.decide import ROUTES as DECIDE
from interlock.console.item.hand import ROUTES as HAND
from interlock.console.item.page import ROUTES as PAGE
from interlock.console.trouble.pages import ROUTES as TROUBLE

ROUTES = (*PAGE, *DECIDE, *HAND, *TROUBLE, *BULK, *ASKED)
