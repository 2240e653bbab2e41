"""Administration: assets, markets, trading modes, leaders, rules."""

from exchange.contracts import codes
from exchange.contracts.codec import UNKNOWN_TAG, first_rules_version
from exchange.contracts.commands import (
    ActivateRules,
    Command,
    KeepTime,
    LeaderElected,
    Malformed,
    RegisterAsset,
    RegisterMarket,
    SetTradingMode,
    SkipCommand,
)
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    LeaderChanged,
    MarketRegistered,
    Outcome,
    RulesActivated,
    SkipRecorded,
    TimeKept,
    TradingModeChanged,
)
from exchange.contracts.filter_commands import SetFilter
from matching_engine.core.accounts import AssetTotals
from matching_engine.core.attendance import AHEAD_MAX_MS
from matching_engine.core.engine_state import EngineState
from matching_engine.core.fees import change_fees
from matching_engine.core.filter_changes import set_filter
from matching_engine.core.follow_ups import follow_up_backlog
from matching_engine.core.retiring import close_retired, retire
from matching_engine.core.rules import market_rejection
from matching_engine.core.rules_version import (
    bounds_work,
    check_rules_version,
    has_constant_texts,
    has_filters,
    never_goes_back,
)

DECIMALS_MAX = 12
NO_COMMAND = "no command"
ID_MAX = 2**31 - 1  # what the ledger's columns hold


def administer(state: EngineState, command: Command, events: Outcome) -> None:
    """Everything that is neither an order nor money."""
    if first_rules_version(command) > state.rules_version:
        # As code without this kind of command decides it; its first rules version brings it to life.
        _refuse_malformed(state, Malformed(command.command_id, UNKNOWN_TAG, 0), events)
    elif isinstance(command, RegisterAsset):
        _register_asset(state, command, events)
    elif isinstance(command, RegisterMarket):
        _register_market(state, command, events)
    elif isinstance(command, SetTradingMode):
        _set_trading_mode(state, command, events)
    elif isinstance(command, SetFilter):
        set_filter(state, command, events)
    elif isinstance(command, LeaderElected):
        # Counted here: two that claim at once expect the same epoch, and a wrong number must not stand.
        state.epoch += 1
        state.leader_id = command.leader_id
        state.attended_ms = state.now_ms
        events.append(LeaderChanged(command.leader_id, state.epoch))
    elif isinstance(command, SkipCommand):
        events.append(SkipRecorded(command.offset, command.index))
    elif isinstance(command, KeepTime):
        _keep_time(state, command, events)
    elif isinstance(command, ActivateRules):
        _activate_rules(state, command, events)
    elif isinstance(command, Malformed):
        _refuse_malformed(state, command, events)
    elif not change_fees(state, command, events):
        events.append(CommandRejected(0, 0, codes.REJECT_UNKNOWN_COMMAND, "", ""))


def _refuse_malformed(state: EngineState, command: Malformed, events: Outcome) -> None:
    """Say what is no command; the words of the decoder's library only where the rules are version 1."""
    detail = command.detail
    if has_constant_texts(state.rules_version):
        detail = NO_COMMAND
    events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", detail))


def _keep_time(state: EngineState, command: KeepTime, events: Outcome) -> None:
    if command.epoch != state.epoch:
        events.append(CommandRejected(0, 0, codes.REJECT_STALE, "", "another leads"))
        return
    # Where a broker's clock creeps away, what it stamps becomes unattended, and is held to the leader's.
    state.attended_ms = min(state.now_ms, command.wall_ms + AHEAD_MAX_MS)
    events.append(TimeKept(command.epoch))
    if state.backlog:
        follow_up_backlog(state, events)
    if state.retiring and events.count == 1:
        # A word that has sent orders to work has done enough.
        close_retired(state, events)


def _activate_rules(state: EngineState, command: ActivateRules, events: Outcome) -> None:
    if command.version == 0:
        events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", "rules begin with version 1"))
        return
    check_rules_version(command.version)
    if command.version < state.rules_version and never_goes_back(state.rules_version):
        events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", "rules never go back"))
        return
    state.rules_version = command.version
    state.attended_ms = state.now_ms
    events.append(RulesActivated(command.version))


def _register_asset(state: EngineState, command: RegisterAsset, events: Outcome) -> None:
    asset_id = command.asset_id
    if asset_id in state.asset_decimals or command.code in state.asset_codes.values():
        events.append(CommandRejected(0, 0, codes.REJECT_ALREADY_EXISTS, "", command.code))
    elif bounds_work(state.rules_version) and len(state.asset_decimals) >= state.limits.assets_max:
        events.append(CommandRejected(0, 0, codes.REJECT_OVERFLOW, "", "no more assets"))
    elif not 0 < asset_id <= ID_MAX or not command.code or command.decimals > DECIMALS_MAX:
        events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", command.code))
    else:
        state.asset_decimals[asset_id] = command.decimals
        state.asset_codes[asset_id] = command.code
        state.accounts.totals[asset_id] = AssetTotals(0, 0, 0)
        events.append(AssetRegistered(asset_id, command.code, command.decimals))


def _register_market(state: EngineState, command: RegisterMarket, events: Outcome) -> None:
    market_id = command.market_id
    decimals = state.asset_decimals.get(command.base_asset_id)
    taken = [market.rules.symbol for market in state.markets.values()]
    if market_id in state.markets or command.symbol in taken:
        events.append(CommandRejected(0, market_id, codes.REJECT_ALREADY_EXISTS, "", command.symbol))
        return
    if decimals is None or command.quote_asset_id not in state.asset_decimals:
        events.append(CommandRejected(0, market_id, codes.REJECT_UNKNOWN_ASSET, "", command.symbol))
        return
    base_unit = 1
    for _ in range(decimals):
        base_unit *= 10
    problem = market_rejection(command, base_unit)
    if bounds_work(state.rules_version):
        if len(state.markets) >= state.limits.markets_max:
            events.append(CommandRejected(0, market_id, codes.REJECT_OVERFLOW, "", "no more markets"))
            return
        if command.open_orders_max > state.limits.open_orders_max:
            problem = "too many open orders"
    if problem or not 0 < market_id <= ID_MAX or not command.symbol:
        events.append(CommandRejected(0, market_id, codes.REJECT_MALFORMED, "", problem))
        return
    unit_atoms = command.tick_atoms * command.lot_atoms // base_unit
    state.markets[market_id] = state.new_market(command, unit_atoms, codes.MODE_TRADING)
    if command.base_asset_id == state.fees.discount_asset_id:
        state.find_discount_markets()
    events.append(_market_registered(command, unit_atoms))


def _set_trading_mode(state: EngineState, command: SetTradingMode, events: Outcome) -> None:
    known = not command.market_id or command.market_id in state.markets
    # One market after the other ends: its open orders are cancelled, for which one command has room.
    retires = (
        command.mode == codes.MODE_RETIRED and has_filters(state.rules_version) and command.market_id > 0
    )
    if not known or not (retires or codes.MODE_HALTED <= command.mode <= codes.MODE_TRADING):
        reason = codes.REJECT_MALFORMED if known else codes.REJECT_UNKNOWN_MARKET
        events.append(CommandRejected(0, command.market_id, reason, "", ""))
        return
    if command.market_id and state.markets[command.market_id].mode == codes.MODE_RETIRED:
        events.append(CommandRejected(0, command.market_id, codes.REJECT_MARKET_CLOSED, "", "it has ended"))
        return
    # By id, not by arrival: a snapshot restores the markets sorted. What has ended stays so.
    for market_id in sorted(state.markets):
        if command.market_id in (0, market_id) and state.markets[market_id].mode != codes.MODE_RETIRED:
            state.markets[market_id].mode = command.mode
            events.append(TradingModeChanged(market_id, command.mode))
    if retires:
        retire(state, state.markets[command.market_id], events)
    if events.count == 0:
        events.append(CommandRejected(0, 0, codes.REJECT_UNKNOWN_MARKET, "", ""))


def _market_registered(command: RegisterMarket, unit_atoms: int) -> MarketRegistered:
    return MarketRegistered(
        command.market_id,
        command.symbol,
        command.base_asset_id,
        command.quote_asset_id,
        command.tick_atoms,
        command.lot_atoms,
        unit_atoms,
        command.price_ticks_min,
        command.price_ticks_max,
        command.quantity_lots_min,
        command.quantity_lots_max,
        command.market_quantity_lots_max,
        command.notional_atoms_min,
        command.notional_atoms_max,
        command.bid_multiplier_up_ppm,
        command.bid_multiplier_down_ppm,
        command.ask_multiplier_up_ppm,
        command.ask_multiplier_down_ppm,
        command.open_orders_max,
        command.maker_fee_ppm,
        command.taker_fee_ppm,
    )
