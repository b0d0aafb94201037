"""What is wrong with an installation, before it shows: a list of checks, each with what to do."""

from interlock.cli.doctor.command import app

__all__ = ["app"]
