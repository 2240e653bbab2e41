"""Fees that change while markets trade (rules version 5, ADR 0047)."""

from exchange.contracts import codes
from exchange.contracts.commands import Command
from exchange.contracts.events import CommandRejected, Outcome
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
)
from exchange.contracts.limits import FEE_TIERS_MAX
from matching_engine.core.engine_state import EngineState
from matching_engine.core.fee_table import FeeTier, Standing
from matching_engine.core.rules import PPM, copy_of


def change_fees(state: EngineState, command: Command, events: Outcome) -> bool:
    """Decide a command about fees; False if it is none."""
    if isinstance(command, SetMarketFees):
        _set_market_fees(state, command, events)
    elif isinstance(command, SetFeeTier):
        _set_fee_tier(state, command, events)
    elif isinstance(command, SetAccountTier):
        _set_account_tier(state, command, events)
    elif isinstance(command, SetFeeDiscount):
        _set_fee_discount(state, command, events)
    elif isinstance(command, SwitchFeeDiscount):
        _switch_fee_discount(state, command, events)
    else:
        return False
    return True


def _set_market_fees(state: EngineState, command: SetMarketFees, events: Outcome) -> None:
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
    rules = copy_of(market.rules)
    rules.maker_fee_ppm, rules.taker_fee_ppm = maker_ppm, taker_ppm
    market.rules = rules
    events.append(MarketFeesChanged(command.market_id, maker_ppm, taker_ppm))


def _refuse(reason: int, user_id: int, detail: str, events: Outcome) -> None:
    events.append(CommandRejected(user_id, 0, reason, "", detail))


def _set_fee_tier(state: EngineState, command: SetFeeTier, events: Outcome) -> None:
    tier, asset_id, volume_atoms = command.tier, command.asset_id, command.volume_atoms_min
    maker_ppm, taker_ppm = command.maker_share_ppm, command.taker_share_ppm
    if not 0 < tier <= FEE_TIERS_MAX or maker_ppm > PPM or taker_ppm > PPM:
        _refuse(codes.REJECT_MALFORMED, 0, "no tier, or more than the whole fee", events)
        return
    if asset_id not in state.asset_decimals:
        _refuse(codes.REJECT_UNKNOWN_ASSET, 0, "", events)
        return
    if volume_atoms:
        state.fees.tiers[tier] = FeeTier(tier, asset_id, volume_atoms, maker_ppm, taker_ppm)
    else:
        state.fees.tiers.pop(tier, None)
    events.append(FeeTierChanged(tier, asset_id, volume_atoms, maker_ppm, taker_ppm))


def _set_account_tier(state: EngineState, command: SetAccountTier, events: Outcome) -> None:
    user_id, tier = command.user_id, command.tier
    if user_id <= 0 or (tier and tier not in state.fees.tiers):
        _refuse(codes.REJECT_MALFORMED, user_id, "no such tier", events)
        return
    state.stand(user_id, Standing(tier, state.fees.standing_of(user_id).pays_discounted))
    events.append(AccountTierChanged(user_id, tier))


def _set_fee_discount(state: EngineState, command: SetFeeDiscount, events: Outcome) -> None:
    asset_id, discount_ppm = command.asset_id, command.discount_ppm
    if asset_id and asset_id not in state.asset_decimals:
        _refuse(codes.REJECT_UNKNOWN_ASSET, 0, "", events)
        return
    if discount_ppm > PPM:
        _refuse(codes.REJECT_MALFORMED, 0, "more than the whole fee", events)
        return
    state.fees.discount_asset_id, state.fees.discount_ppm = asset_id, discount_ppm
    state.find_discount_markets()
    events.append(FeeDiscountChanged(asset_id, discount_ppm))


def _switch_fee_discount(state: EngineState, command: SwitchFeeDiscount, events: Outcome) -> None:
    user_id = command.user_id
    if user_id <= 0 or command.is_on > 1:
        _refuse(codes.REJECT_MALFORMED, user_id, "", events)
        return
    state.stand(user_id, Standing(state.fees.standing_of(user_id).tier, command.is_on == 1))
    events.append(FeeDiscountSwitched(user_id, command.is_on))
