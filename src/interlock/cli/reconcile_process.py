"""One reconciliation in a process of its own, as `interlock up` starts it; it speaks over its pipes as a worker does.

It takes in what comes and goes through rounds. It dies with its parent; a SIGKILL loses nothing: a file is taken whole
or not at all, and the next round goes on where this one was.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from interlock.cli.reconcile_take import intake_of
from interlock.cli.serving import Ready, serve_as_child
from interlock.config import Settings
from interlock.node import open_node
from interlock.packs.reconciliation.configured import settings_of, terms_of
from interlock.packs.reconciliation.feeds import looks, run_feeds
from interlock.packs.reconciliation.rounds.open import open_rounds
from interlock.packs.reconciliation.rounds.watch import Watch
from interlock.reconciliation_settings import ReconciliationSettings


def main() -> None:
    """Run the reconciliation until SIGTERM, or the parent's end."""
    serve_as_child(_run)


async def _run(settings: Settings, ended: asyncio.Event, ready: Ready) -> None:
    name = sys.argv[2]
    await serve_reconciliation(settings, settings_of(settings, name), ended, lambda: ready(name))


async def serve_reconciliation(
    settings: Settings, mine: ReconciliationSettings, ended: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Open a node, take in what comes and go through rounds until ``ended`` is set; ``ready`` is called first.

    Raises:
        ConfigInvalid: a source is set up in a way that cannot be.
        NotFound: this process does not carry the workflow of the terms.
    """
    terms = terms_of(mine)
    async with open_node(settings) as node, node.sealing():
        rounds = open_rounds(node, terms)
        feeds = looks(intake_of(node, mine, f"reconciliation:{terms.name}"), mine, os.environ)
        ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_feeds(feeds, ended), name="interlock-feeds")
            tasks.create_task(Watch(rounds, terms.name).run(ended), name="interlock-rounds")


if __name__ == "__main__":
    main()
