"""Replay: a recorded decision made again with the exact versions that made it, and compared stage by stage.

``Replayer.replay`` takes one decision; ``replay_sample`` many, for the rate. Invariants: nothing is written and nobody
outside is asked unless the caller says so; what cannot be run again is said to be so, with the reason, and never counts
as equal; the same functions weigh, judge and route as when the decision was taken.
"""
