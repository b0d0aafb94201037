"""Replay: a recorded decision, run again with exactly what it was made with, and compared stage by stage."""
