"""How far behind the log's end the audit is, in time and in records. Pure."""

__all__ = ["Lag"]


class Lag:
    """Told now and then where the log ends, and after each round how far the audit is.

    The time is that of our own clock between two of our own looks: the log's stamps say how old an event is,
    but not whether anything came after it. Times in seconds of any one clock that only goes forward.
    """

    def __init__(self, now_s: float) -> None:
        self._whole_at_s = now_s
        self._end_offset = 0
        # A look that the audit has not reached yet; later ones wait until it has.
        self._looked_at_s: float | None = None
        self._wanted_offset = 0

    def log_ends(self, looked_at_s: float, end_offset: int) -> None:
        """The log ended at `end_offset` at a moment not before `looked_at_s`."""
        self._end_offset = end_offset
        if self._looked_at_s is None:
            self._looked_at_s, self._wanted_offset = looked_at_s, end_offset

    def audited(self, next_offset: int) -> None:
        """All records before `next_offset` are audited."""
        if self._looked_at_s is not None and next_offset >= self._wanted_offset:
            self._whole_at_s, self._looked_at_s = self._looked_at_s, None

    def milliseconds(self, now_s: float) -> int:
        """How long ago all that was then on the log had been audited; it grows while nobody can look."""
        return max(0, round((now_s - self._whole_at_s) * 1000))

    def records(self, next_offset: int) -> int:
        """Records that lay behind the audited ones at the last look."""
        return max(0, self._end_offset - next_offset)
