"""The two ways in which the verifier says no."""


class Unreadable(ValueError):
    """What was given is not in its form, so that nothing can be said of what it claims."""


class Unproved(ValueError):
    """What was given is in its form, and does not prove what it claims.

    Args:
        what: What is wrong, in words.
        rule: The name of the check that failed, stable enough to count by.
    """

    def __init__(self, what: str, rule: str = "proof") -> None:
        super().__init__(what)
        self.rule = rule


def plain(text: str, most: int = 120) -> str:
    """Text of unknown origin, fit to be printed: without control characters, and cut where it is long."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:most])
    return shown + ("..." if len(text) > most else "")
