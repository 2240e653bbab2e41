"""The types of a message's fields, as msgspec checks them when it decodes."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

import msgspec

from exchange.contracts.limits import INTEGER_MAX, LEG_NAME_LENGTH_MAX, LEGS_MAX, TEXT_LENGTH_MAX
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.tables import LEG_FIELDS, LEGS_FIELD, TEXT_FIELDS

__all__ = ["fields_decoder", "fields_of_leg"]


def _field_type(name: str, text_length_max: int) -> Any:
    if name in TEXT_FIELDS:
        return Annotated[str, msgspec.Meta(max_length=text_length_max)]
    if name == LEGS_FIELD:
        return Annotated[list[OrderLeg], msgspec.Meta(max_length=LEGS_MAX)]
    return Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]


def _fields_type(names: Sequence[str], text_length_max: int = TEXT_LENGTH_MAX) -> Any:
    # Built at run time: typing has no spelling for "a tuple of these types in this order".
    types = tuple(_field_type(name, text_length_max) for name in names)
    return cast(Any, tuple).__class_getitem__(types)


_LEG_TYPE: Final = _fields_type(LEG_FIELDS, LEG_NAME_LENGTH_MAX)


def _leg_of(kind: type[Any], fields: Any) -> OrderLeg:
    """A leg from its array. Raises msgspec.ValidationError, as for any field."""
    assert kind is OrderLeg, "the one class that is told within a message"
    return OrderLeg(*msgspec.convert(fields, _LEG_TYPE))


def fields_of_leg(leg: Any) -> tuple[Any, ...]:
    """A leg as an array, for an encoder that meets one within a message."""
    assert isinstance(leg, OrderLeg), "the one class that is told within a message"
    return tuple(getattr(leg, name) for name in LEG_FIELDS)


def fields_decoder(names: Sequence[str]) -> msgspec.msgpack.Decoder[Any]:
    """Decodes a message's fields, in order, each within its bounds."""
    return msgspec.msgpack.Decoder(_fields_type(names), dec_hook=_leg_of)
