"""``python -m interlock.sim``: the same as ``python -m interlock.sim.provider``."""

from __future__ import annotations

import sys

from interlock.sim.provider import main

sys.exit(main())
