"""Fees that change while markets trade (rules version 5, ADR 0047)."""

from exchange.contracts import codes
from exchange.contracts.commands import Command, RegisterMarket
from exchange.contracts.events import CommandRejected, Event
from exchange.contracts.fee_commands import SetMarketFees
from exchange.contracts.fee_events import MarketFeesChanged
from matching_engine.core.engine_state import EngineState
from matching_engine.core.rules import PPM


def change_fees(state: EngineState, command: Command, events: list[Event]) -> bool:
    """Decide a command about fees; False if it is none."""
    if isinstance(command, SetMarketFees):
        _set_market_fees(state, command, events)
    else:
        return False
    return True


def _set_market_fees(state: EngineState, command: SetMarketFees, events: list[Event]) -> None:
    """Every trade from now on pays the new fees, of orders that rest already too."""
    market = state.markets.get(command.market_id)
    if market is None:
        events.append(CommandRejected(0, command.market_id, codes.REJECT_UNKNOWN_MARKET, "", ""))
        return
    maker_ppm, taker_ppm = command.maker_fee_ppm, command.taker_fee_ppm
    if maker_ppm > PPM or taker_ppm > PPM:
        reason = codes.REJECT_MALFORMED
        events.append(CommandRejected(0, command.market_id, reason, "", "a fee above 100 %"))
        return
    market.rules = _with_fees(market.rules, maker_ppm, taker_ppm)
    events.append(MarketFeesChanged(command.market_id, maker_ppm, taker_ppm))


def _with_fees(rules: RegisterMarket, maker_fee_ppm: int, taker_fee_ppm: int) -> RegisterMarket:
    """The same rules with other fees: a command that was read belongs to its reader and is not changed."""
    return RegisterMarket(
        rules.command_id,
        rules.market_id,
        rules.symbol,
        rules.base_asset_id,
        rules.quote_asset_id,
        rules.tick_atoms,
        rules.lot_atoms,
        rules.price_ticks_min,
        rules.price_ticks_max,
        rules.quantity_lots_min,
        rules.quantity_lots_max,
        rules.market_quantity_lots_max,
        rules.notional_atoms_min,
        rules.notional_atoms_max,
        rules.bid_multiplier_up_ppm,
        rules.bid_multiplier_down_ppm,
        rules.ask_multiplier_up_ppm,
        rules.ask_multiplier_down_ppm,
        rules.open_orders_max,
        maker_fee_ppm,
        taker_fee_ppm,
    )
