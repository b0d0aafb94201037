"""One more server of the API and the console in a process of its own: see ``api_process``."""

from __future__ import annotations

from interlock.cli.api_process import serve_with
from interlock.console.app import create_site

if __name__ == "__main__":
    serve_with(create_site)
