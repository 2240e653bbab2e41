"""What an order has beside a plain one: trigger, slice to show, peg, strategy (binance-spot-api 2.4)."""

from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    filter_failure,
    invalid_data,
    not_required,
)
from exchange.contracts.limits import ICEBERG_PARTS_MAX, TRAILING_BIPS_MAX, TRAILING_BIPS_MIN
from exchange.http.query_parameters import Parameters, integer, optional
from services.order.requests.parameters import amount, price_ticks_of
from services.order.view.model import Market

__all__ = [
    "PLAIN",
    "TERM_NAMES",
    "TRIGGERED",
    "WITHOUT_PRICE",
    "WITH_TIME_IN_FORCE",
    "Terms",
    "check_term_filters",
    "parse_peg",
    "parse_terms",
]

# Kinds that wait until the market's last price reaches theirs; the second pair becomes a limit order then.
TRIGGERED: Final = frozenset(
    [codes.STOP_LOSS, codes.TAKE_PROFIT, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT_LIMIT]
)
WITHOUT_PRICE: Final = frozenset([codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT])
WITH_TIME_IN_FORCE: Final = frozenset([codes.LIMIT, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT_LIMIT])
STRATEGY_TYPE_MIN: Final = 1_000_000
_PEGS: Final = {name: code for code, name in codes.PEG_PRICE_TYPE_NAMES.items()}
_PEG_OFFSET_TYPES: Final = frozenset({"PRICE_LEVEL"})
_PEG_OFFSET_MAX: Final = 100
_NEW_ORDER_REJECTED: Final = -2010


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order has beside a plain one; 0: not set."""

    stop_price_ticks: int = 0
    trailing_bips: int = 0
    iceberg_lots: int = 0
    strategy_id: int = 0
    strategy_type: int = 0
    peg_price_type: int = 0
    peg_offset_levels: int = 0


PLAIN: Final = Terms()
TERM_NAMES: Final = frozenset(
    {
        *("stopPrice", "trailingDelta", "icebergQty", "strategyId", "strategyType"),
        *("pegPriceType", "pegOffsetValue", "pegOffsetType"),
    }
)


def parse_peg(parameters: Parameters, order_type: int) -> tuple[int, int]:
    """codes.PEG_* and the levels deeper; before the price, which a pegged order has not, is asked for."""
    price_type = optional(parameters, "pegPriceType")
    offset_type = optional(parameters, "pegOffsetType")
    levels = integer(parameters, "pegOffsetValue")
    if price_type is not None and price_type not in _PEGS:
        raise ApiError(-1210, "Invalid pegPriceType.")
    if offset_type is not None and offset_type not in _PEG_OFFSET_TYPES:
        raise ApiError(-1211, "Invalid pegOffsetType.")
    if (offset_type is None) != (levels is None) or (price_type is None and levels is not None):
        raise bad_combination()
    if price_type is None:
        return codes.PEG_NONE, 0
    if levels is not None and not 1 <= levels <= _PEG_OFFSET_MAX:
        raise invalid_data("pegOffsetValue")
    if order_type in WITHOUT_PRICE:
        raise ApiError(_NEW_ORDER_REJECTED, "This order type may not use pegged price.")
    peg = _PEGS[price_type]
    if peg == codes.PEG_MARKET and order_type == codes.LIMIT_MAKER:
        raise ApiError(_NEW_ORDER_REJECTED, "This price peg cannot be used with this order type.")
    if "price" in parameters:
        raise not_required("price")
    return peg, levels or 0


def parse_terms(
    parameters: Parameters,
    found: Market,
    order_type: int,
    time_in_force: int,
    lots: int,
    peg: int,
    peg_offset_levels: int,
) -> Terms:
    """What the order has beside a plain one; PLAIN when that is nothing."""
    stop_price_ticks, trailing_bips = _trigger(parameters, found, order_type)
    iceberg_lots = _iceberg_lots(parameters, found, order_type, time_in_force, lots)
    strategy_id, strategy_type = integer(parameters, "strategyId"), integer(parameters, "strategyType")
    if strategy_type is not None and strategy_type < STRATEGY_TYPE_MIN:
        raise ApiError(-1134, "strategyType was less than 1000000.")
    terms = Terms(
        stop_price_ticks,
        trailing_bips,
        iceberg_lots,
        strategy_id or 0,
        strategy_type or 0,
        peg,
        peg_offset_levels,
    )
    return PLAIN if terms == PLAIN else terms


def _trigger(parameters: Parameters, found: Market, order_type: int) -> tuple[int, int]:
    """Stop price in ticks and trailing delta in hundredths of a percent: one of them for kinds that wait."""
    if order_type not in TRIGGERED:
        for name in ("stopPrice", "trailingDelta"):
            if name in parameters:
                raise not_required(name)
        return 0, 0
    stop_price_ticks = price_ticks_of(parameters, found, "stopPrice") if parameters.get("stopPrice") else 0
    trailing_bips = integer(parameters, "trailingDelta") if parameters.get("trailingDelta") else None
    if not stop_price_ticks and trailing_bips is None:
        raise ApiError(-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")
    if trailing_bips is not None and not TRAILING_BIPS_MIN <= trailing_bips <= TRAILING_BIPS_MAX:
        raise filter_failure("TRAILING_DELTA")
    return stop_price_ticks, trailing_bips or 0


def _iceberg_lots(
    parameters: Parameters, found: Market, order_type: int, time_in_force: int, lots: int
) -> int:
    """How much of it the book shows, 0: all."""
    atoms = amount(parameters, "icebergQty", found.base.decimals)
    if not atoms:
        return 0
    if order_type in WITHOUT_PRICE:
        raise not_required("icebergQty")
    if time_in_force != codes.GTC:
        raise ApiError(_NEW_ORDER_REJECTED, "Unsupported order combination")
    if atoms % found.rules.lot_atoms:
        raise filter_failure("LOT_SIZE")
    iceberg_lots = atoms // found.rules.lot_atoms
    if iceberg_lots >= lots > 0:
        raise ApiError(_NEW_ORDER_REJECTED, "IcebergQty exceeds QTY.")
    return iceberg_lots


def check_term_filters(terms: Terms, quantity_lots: int, found: Market) -> None:
    """The filters that need neither the book nor the accounts. Raises -1013."""
    rules = found.rules
    stop_price_ticks, iceberg_lots = terms.stop_price_ticks, terms.iceberg_lots
    if stop_price_ticks and not rules.price_ticks_min <= stop_price_ticks <= rules.price_ticks_max:
        raise filter_failure("PRICE_FILTER")
    if not iceberg_lots:
        return
    if iceberg_lots < rules.quantity_lots_min:
        raise filter_failure("LOT_SIZE")
    if -(-quantity_lots // iceberg_lots) > ICEBERG_PARTS_MAX:
        raise filter_failure("ICEBERG_PARTS")
