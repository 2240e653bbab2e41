"""The one error of the local servers."""


class ServerError(RuntimeError):
    """A server could not be installed, started or stopped; the message says what to do or where to look."""
