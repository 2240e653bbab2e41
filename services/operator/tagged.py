"""What every order of an operator is: a message with its kind in it, that may be refused."""

import msgspec

__all__ = ["OrderError", "Tagged"]


class OrderError(Exception):
    """The order cannot be carried out; nothing was done."""


class Tagged(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all orders: the name of the class tells them apart."""
