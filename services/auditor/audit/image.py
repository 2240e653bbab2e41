"""The state as canonical bytes and back: equal states give equal bytes. Pure.

Only what cannot be derived is written: balances' holds, totals and books follow from the rest.
"""

from typing import Annotated, Final, NamedTuple

import msgspec

from exchange.contracts.codes import STATE_WORKING
from exchange.contracts.limits import INTEGER_MAX
from services.auditor.audit.recount import recount
from services.auditor.audit.state import (
    Asset,
    AuditState,
    Fees,
    Market,
    Order,
    OrderList,
    SpentIds,
    Withdrawal,
)

__all__ = ["ImageError", "state_of", "to_bytes"]

FORMAT: Final = 3
# Those before lack what only rules version 4 knows, and then 5.
FORMAT_BEFORE: Final = 1


class ImageError(Exception):
    """These bytes are no image of a state, or of one that does not add up."""


class _AssetRow(NamedTuple):
    asset_id: int
    code: str
    decimals: int
    fees: int
    # They only grow; as text once they are more than msgpack's integers hold.
    deposited: int | str
    withdrawn: int | str


class _MarketRow(NamedTuple):
    market_id: int
    symbol: str
    base_asset_id: int
    quote_asset_id: int
    lot_atoms: int
    unit_atoms: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    mode: int
    last_trade_id: int
    touched_seq: int
    last_price_ticks: int = 0
    highs: list[tuple[int, int]] = []  # noqa: RUF012 - msgspec makes a new one for each
    lows: list[tuple[int, int]] = []  # noqa: RUF012


class _OrderRow(NamedTuple):
    order_id: int
    user_id: int
    market_id: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    open_lots: int
    hold_atoms: int
    state: int = STATE_WORKING
    holds_as_told: bool = False
    shown_lots: int = -1  # all that are open
    order_list_id: int = 0
    stop_price_ticks: int = 0
    trailing_bips: int = 0
    iceberg_lots: int = 0
    extreme_ticks: int = 0
    seq: int = 0


class _Spent(NamedTuple):
    forgotten_max: int
    ids: list[int]


class _FeesRow(NamedTuple):
    # (tier, maker's share, taker's share), (user, tier), and who pays discounted.
    tiers: list[tuple[int, int, int]]
    tier_of: list[tuple[int, int]]
    discount_asset_id: int
    discount_ppm: int
    discounted: list[int]


class _Image(NamedTuple):
    form: Annotated[int, msgspec.Meta(ge=FORMAT_BEFORE, le=FORMAT)]
    seq: int
    hash: bytes
    next_offset: int
    command_offset: int
    command_index: int
    time_ms: int
    last_order_id: int
    assets: list[_AssetRow]
    markets: list[_MarketRow]
    balances: list[tuple[int, int, int, int]]
    orders: list[_OrderRow]
    withdrawals: list[tuple[int, int, int, int]]
    deposit_ids: _Spent
    withdrawal_ids: _Spent
    last_order_list_id: int = 0
    # (list, user, market, contingency, its orders)
    order_lists: list[tuple[int, int, int, int, list[int]]] = []  # noqa: RUF012
    fees: _FeesRow = _FeesRow([], [], 0, 0, [])


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Image)


def to_bytes(state: AuditState, next_offset: int) -> bytes:
    """The image. `next_offset`: where the event log goes on behind the state."""
    image = _Image(
        FORMAT,
        state.seq,
        state.hash,
        next_offset,
        state.command_offset,
        state.command_index,
        state.time_ms,
        state.last_order_id,
        [
            _AssetRow(a.asset_id, a.code, a.decimals, a.fees, _counter(a.deposited), _counter(a.withdrawn))
            for _, a in sorted(state.assets.items())
        ],
        [_market_row(market) for _, market in sorted(state.markets.items())],
        [(*key, balance.available, balance.held) for key, balance in sorted(state.balances.items())],
        [_order_row(order) for _, order in sorted(state.orders.items())],
        [
            (key, w.balance.user_id, w.balance.asset.asset_id, w.amount_atoms)
            for key, w in sorted(state.withdrawals.items())
        ],
        _Spent(state.deposit_ids.forgotten_max, list(state.deposit_ids.ids)),
        _Spent(state.withdrawal_ids.forgotten_max, list(state.withdrawal_ids.ids)),
        state.last_order_list_id,
        [
            (key, x.user_id, x.market_id, x.contingency, x.order_ids)
            for key, x in sorted(state.order_lists.items())
        ],
        _fees_row(state.fees),
    )
    return _encoder.encode(image)


def state_of(body: bytes) -> tuple[AuditState, int]:
    """The state and the next offset of the event log. Raises ImageError."""
    try:
        image = _decoder.decode(body)
        state = _restore(image)
    except (msgspec.DecodeError, KeyError) as error:
        raise ImageError(f"no image of a state: {error!r}") from error
    breaches = recount(state)
    if breaches:
        raise ImageError(f"the image does not add up: {breaches[0].detail}")
    return state, image.next_offset


def _counter(value: int) -> int | str:
    return value if value <= INTEGER_MAX else str(value)


def _fees_row(fees: Fees) -> _FeesRow:
    return _FeesRow(
        [(tier, *shares) for tier, shares in sorted(fees.tiers.items())],
        sorted(fees.tier_of.items()),
        fees.discount_asset_id,
        fees.discount_ppm,
        sorted(fees.discounted),
    )


def _restore_fees(fees: Fees, row: _FeesRow) -> None:
    fees.tiers = {tier: (maker, taker) for tier, maker, taker in row.tiers}
    fees.tier_of = dict(row.tier_of)
    fees.discount_asset_id, fees.discount_ppm = row.discount_asset_id, row.discount_ppm
    fees.discounted = set(row.discounted)


def _market_row(market: Market) -> _MarketRow:
    return _MarketRow(
        market.market_id,
        market.symbol,
        market.base.asset_id,
        market.quote.asset_id,
        market.lot_atoms,
        market.unit_atoms,
        market.maker_fee_ppm,
        market.taker_fee_ppm,
        market.mode,
        market.last_trade_id,
        market.touched_seq,
        market.last_price_ticks,
        market.highs,
        market.lows,
    )


def _order_row(order: Order) -> _OrderRow:
    return _OrderRow(
        order.order_id,
        order.user_id,
        order.market.market_id,
        order.client_order_id,
        order.side,
        order.order_type,
        order.time_in_force,
        order.price_ticks,
        order.quantity_lots,
        order.open_lots,
        order.hold_atoms,
        order.state,
        order.holds_as_told,
        order.shown_lots,
        order.order_list_id,
        order.stop_price_ticks,
        order.trailing_bips,
        order.iceberg_lots,
        order.extreme_ticks,
        order.seq,
    )


def _restore(image: _Image) -> AuditState:
    state = AuditState()
    state.seq, state.hash = image.seq, image.hash
    state.command_offset, state.command_index = image.command_offset, image.command_index
    state.time_ms, state.last_order_id = image.time_ms, image.last_order_id
    for asset_row in image.assets:
        asset = Asset(asset_row.asset_id, asset_row.code, asset_row.decimals)
        asset.fees = asset_row.fees
        asset.deposited, asset.withdrawn = int(asset_row.deposited), int(asset_row.withdrawn)
        state.assets[asset.asset_id] = asset
    for row in image.markets:
        state.markets[row.market_id] = _market(state, row)
    for user_id, asset_id, available, held in image.balances:
        balance = state.balance(user_id, state.assets[asset_id])
        balance.available, balance.held, balance.worth = available, held, available + held
        balance.asset.kept += balance.worth
    for order_row in image.orders:
        _rest(state, order_row)
    for withdrawal_id, user_id, asset_id, amount_atoms in image.withdrawals:
        balance = state.balances[user_id, asset_id]
        balance.explained += amount_atoms
        state.withdrawals[withdrawal_id] = Withdrawal(balance, amount_atoms)
    for spent, kept in ((state.deposit_ids, image.deposit_ids), (state.withdrawal_ids, image.withdrawal_ids)):
        _remember(spent, kept)
    state.last_order_list_id = image.last_order_list_id
    for list_id, user_id, market_id, contingency, order_ids in image.order_lists:
        state.order_lists[list_id] = OrderList(list_id, user_id, market_id, contingency)
        state.order_lists[list_id].order_ids += order_ids
    _restore_fees(state.fees, image.fees)
    return state


def _market(state: AuditState, row: _MarketRow) -> Market:
    market = Market(
        row.market_id,
        row.symbol,
        state.assets[row.base_asset_id],
        state.assets[row.quote_asset_id],
        row.lot_atoms,
        row.unit_atoms,
        row.maker_fee_ppm,
        row.taker_fee_ppm,
    )
    market.mode, market.last_trade_id, market.touched_seq = row.mode, row.last_trade_id, row.touched_seq
    market.last_price_ticks, market.highs, market.lows = row.last_price_ticks, list(row.highs), list(row.lows)
    return market


def _rest(state: AuditState, row: _OrderRow) -> None:
    """Between outcomes every open order rests that does not wait and is not pending."""
    market = state.markets[row.market_id]
    order = Order(
        row.order_id,
        row.user_id,
        market,
        row.client_order_id,
        row.side,
        row.order_type,
        row.time_in_force,
        row.price_ticks,
        row.quantity_lots,
        state.trader(row.user_id, market),
    )
    order.open_lots, order.hold_atoms = row.open_lots, row.hold_atoms
    order.shown_lots = row.open_lots if row.shown_lots < 0 else row.shown_lots
    order.state, order.holds_as_told, order.order_list_id = row.state, row.holds_as_told, row.order_list_id
    order.stop_price_ticks, order.trailing_bips = row.stop_price_ticks, row.trailing_bips
    order.iceberg_lots, order.extreme_ticks, order.seq = row.iceberg_lots, row.extreme_ticks, row.seq
    order.is_resting = row.state == STATE_WORKING
    order.pays.explained += order.hold_atoms
    if order.is_resting:
        market.side(order.side).change(order.price_ticks, order.shown_lots)
    state.orders[order.order_id] = order
    state.names_of(order.user_id)[order.client_order_id] = order


def _remember(spent: SpentIds, kept: _Spent) -> None:
    spent.forgotten_max = kept.forgotten_max
    spent.ids = dict.fromkeys(kept.ids)
