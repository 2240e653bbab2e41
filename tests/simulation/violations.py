"""A promise that a run has broken."""

__all__ = ["Violation", "require"]


class Violation(Exception):
    """A promise is broken."""


def require(condition: bool, message: str) -> None:
    """Raise Violation unless the condition holds."""
    if not condition:
        raise Violation(message)
