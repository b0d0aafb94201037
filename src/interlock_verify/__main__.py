"""``python3 -m interlock_verify`` is ``interlock-verify``."""

import sys

from interlock_verify.command import main

sys.exit(main())
