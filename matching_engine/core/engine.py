"""The engine: `apply(command, time_ms)` returns the events, and is the only way to change its state.

Read it from `apply` down. Every command yields at least one event (invariant I10). What a user can
cause is answered by an event; what nobody can cause is an assertion, and ends the process.
"""

from collections.abc import Callable

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    LeaderElected,
    Malformed,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
)
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    Event,
    LeaderChanged,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from matching_engine.core.accounts import Accounts
from matching_engine.core.book import Book
from matching_engine.core.id_window import IdWindow
from matching_engine.core.market import Market, within_limit
from matching_engine.core.order import Order
from matching_engine.core.rules import (
    fee_atoms,
    limit_order_rejection,
    market_order_rejection,
    market_rejection,
)

DECIMALS_MAX = 12


class Withdrawal:
    """Money held until it is settled or released."""

    def __init__(self, withdrawal_id: int, user_id: int, asset_id: int, amount: int) -> None:
        self.withdrawal_id = withdrawal_id
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount = amount


class Engine:
    """All state of one shard. `book_factory` chooses the book: the fast one, or the naive reference."""

    def __init__(self, book_factory: Callable[[], Book] = Book) -> None:
        self.book_factory = book_factory
        self.now_ms = 0
        self.seq = 0
        self.epoch = 0
        self.asset_decimals: dict[int, int] = {}
        self.asset_codes: dict[int, str] = {}
        self.markets: dict[int, Market] = {}
        self.accounts = Accounts()
        self.orders: dict[int, Order] = {}
        self.order_by_client_id: dict[tuple[int, str], Order] = {}
        self.withdrawals: dict[int, Withdrawal] = {}
        self.deposit_ids = IdWindow()
        self.withdrawal_ids = IdWindow()
        self.next_order_id = 1

    def apply(self, command: Command, time_ms: int) -> list[Event]:
        """Decide one command. `time_ms` is the log's stamp; the engine's clock never goes back."""
        if time_ms > self.now_ms:
            self.now_ms = time_ms
        events: list[Event] = []
        if isinstance(command, PlaceOrder):
            self._place(command, events)
        elif isinstance(command, CancelOrder):
            self._cancel(command, events)
        elif isinstance(command, CancelAllOrders):
            self._cancel_all(command, events)
        elif isinstance(command, CreditDeposit):
            self._credit(command, events)
        elif isinstance(command, ReserveWithdrawal):
            self._reserve_withdrawal(command, events)
        elif isinstance(command, SettleWithdrawal):
            self._settle_withdrawal(command, events)
        elif isinstance(command, ReleaseWithdrawal):
            self._release_withdrawal(command, events)
        else:
            self._administer(command, events)
        assert events, "every command has an outcome"
        self.seq += len(events)
        return events

    # -- orders -------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder, events: list[Event]) -> None:
        reason = self._placement_rejection(command)
        if reason:
            events.append(_rejected(command.user_id, command.market_id, reason, command.client_order_id))
            return
        market = self.markets[command.market_id]
        rules, side, user_id = market.rules, command.side, command.user_id
        is_market = command.order_type == codes.MARKET
        limit_ticks = 0 if is_market else command.price_ticks
        quantity = command.quantity_lots
        if command.quote_quantity_atoms:
            budget = command.quote_quantity_atoms // market.unit_atoms
            quantity, _ = market.fillable_for_quote(side, budget, user_id, command.stp_mode)
            if quantity < rules.quantity_lots_min:
                reason = codes.REJECT_QUOTE_BUYS_LESS_THAN_A_LOT
                events.append(_rejected(user_id, command.market_id, reason, command.client_order_id))
                return
        if side == SELL:
            hold_asset, hold = rules.base_asset_id, quantity * rules.lot_atoms
        elif is_market:
            _, cost = market.fillable(side, 0, quantity, user_id, command.stp_mode)
            hold_asset, hold = rules.quote_asset_id, cost * market.unit_atoms
        else:
            hold_asset, hold = rules.quote_asset_id, limit_ticks * quantity * market.unit_atoms
        if hold > self.accounts.available(user_id, hold_asset):
            reason = codes.REJECT_INSUFFICIENT_BALANCE
            events.append(_rejected(user_id, command.market_id, reason, command.client_order_id))
            return
        unfillable = (
            command.time_in_force == codes.FOK
            and not is_market
            and market.fillable(side, limit_ticks, quantity, user_id, command.stp_mode)[0] < quantity
        )
        self.accounts.hold(user_id, hold_asset, hold)
        order = Order(
            self.next_order_id,
            user_id,
            command.market_id,
            command.client_order_id,
            side,
            command.price_ticks,
            quantity,
            quantity,
            command.stp_mode,
            hold,
        )
        self.next_order_id += 1
        accepted = _accepted(order, command)
        events.append(accepted)
        if unfillable:
            self._close(market, order, codes.EXPIRED, codes.CLOSED_FOK_UNFILLABLE, "", 0, events)
            return
        if not self._match(market, order, limit_ticks, events):
            return
        if order.open_lots == 0:
            assert order.held_atoms == 0, "a filled order holds nothing"
        elif is_market:
            self._close(market, order, codes.EXPIRED, codes.CLOSED_NO_LIQUIDITY, "", 0, events)
        elif command.time_in_force == codes.GTC:
            accepted.resting_lots = order.open_lots
            self.rest(market, order)
        else:
            self._close(market, order, codes.EXPIRED, codes.CLOSED_IOC_REMAINDER, "", 0, events)

    def _placement_rejection(self, command: PlaceOrder) -> int:
        """Everything that can be refused before the book and the money are looked at."""
        market = self.markets.get(command.market_id)
        if market is None:
            return codes.REJECT_UNKNOWN_MARKET
        if not _is_well_formed(command):
            return codes.REJECT_MALFORMED
        if command.valid_until_ms and self.now_ms > command.valid_until_ms:
            return codes.REJECT_STALE
        is_maker_only = command.order_type == codes.LIMIT_MAKER
        if market.mode != codes.MODE_TRADING and not (market.mode == codes.MODE_POST_ONLY and is_maker_only):
            return codes.REJECT_MARKET_CLOSED
        if (command.user_id, command.client_order_id) in self.order_by_client_id:
            return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
        reference = market.reference.fraction(self.now_ms)
        check = market_order_rejection if command.order_type == codes.MARKET else limit_order_rejection
        reason = check(market.rules, market.unit_atoms, command, reference)
        if reason:
            return reason
        if market.open_orders_of.get(command.user_id, 0) >= market.rules.open_orders_max:
            return codes.REJECT_MAX_NUM_ORDERS
        if is_maker_only and market.crosses(command.side, command.price_ticks):
            return codes.REJECT_WOULD_TAKE
        return 0

    def _match(self, market: Market, taker: Order, limit_ticks: int, events: list[Event]) -> bool:
        """Trade while prices cross. False when self-trade prevention closed the taker."""
        book = market.book
        other_side = SELL if taker.side == BUY else BUY
        while taker.open_lots:
            maker = book.best(other_side)
            if maker is None or not within_limit(taker.side, limit_ticks, maker.price_ticks):
                return True
            if maker.user_id == taker.user_id and taker.stp_mode != codes.STP_NONE:
                if not self._prevent(market, taker, maker, events):
                    return False
            else:
                self._trade(market, taker, maker, events)
        return True

    def _prevent(self, market: Market, taker: Order, maker: Order, events: list[Event]) -> bool:
        """Keep a user from trading with itself (binance-spot-api 2.8). False when the taker ended."""
        mode = taker.stp_mode
        status, reason = codes.EXPIRED_IN_MATCH, codes.CLOSED_SELF_TRADE
        if mode in (codes.STP_EXPIRE_MAKER, codes.STP_EXPIRE_BOTH):
            self._close(market, maker, status, reason, "", taker.order_id, events)
        if mode in (codes.STP_EXPIRE_TAKER, codes.STP_EXPIRE_BOTH):
            self._close(market, taker, status, reason, "", maker.order_id, events)
            return False
        return True

    def _trade(self, market: Market, taker: Order, maker: Order, events: list[Event]) -> None:
        """One trade at the maker's price: move lots on the book and money in the accounts."""
        rules, accounts = market.rules, self.accounts
        price = maker.price_ticks
        lots = min(taker.open_lots, maker.open_lots)
        base, quote = lots * rules.lot_atoms, lots * price * market.unit_atoms
        taker_buys = taker.side == BUY
        buyer, seller = (taker, maker) if taker_buys else (maker, taker)
        buyer_ppm, seller_ppm = rules.taker_fee_ppm, rules.maker_fee_ppm
        if not taker_buys:
            buyer_ppm, seller_ppm = seller_ppm, buyer_ppm
        buyer_fee, seller_fee = fee_atoms(base, buyer_ppm), fee_atoms(quote, seller_ppm)
        market.book.reduce(maker, lots)
        taker.open_lots -= lots
        # A limit buyer held its own price; what the better price saves goes back at once. A market
        # buyer (price 0) held exactly the cost.
        released = (buyer.price_ticks * lots * market.unit_atoms - quote) if buyer.price_ticks else 0
        buyer.held_atoms -= quote + released
        seller.held_atoms -= base
        accounts.pay_from_held(buyer.user_id, rules.quote_asset_id, quote)
        accounts.receive(seller.user_id, rules.quote_asset_id, quote, seller_fee)
        accounts.pay_from_held(seller.user_id, rules.base_asset_id, base)
        accounts.receive(buyer.user_id, rules.base_asset_id, base, buyer_fee)
        if released:
            accounts.release(buyer.user_id, rules.quote_asset_id, released)
        market.reference.record(self.now_ms, price, lots)
        events.append(
            TradeExecuted(
                rules.market_id,
                market.next_trade_id,
                taker.side,
                price,
                lots,
                base,
                quote,
                buyer.order_id,
                buyer.user_id,
                buyer_fee,
                released,
                seller.order_id,
                seller.user_id,
                seller_fee,
            )
        )
        market.next_trade_id += 1
        if maker.open_lots == 0:
            self._forget(market, maker)

    def rest(self, market: Market, order: Order) -> None:
        """Put an order on the book and into the indexes."""
        market.book.add(order)
        self.orders[order.order_id] = order
        self.order_by_client_id[(order.user_id, order.client_order_id)] = order
        market.open_orders_of[order.user_id] = market.open_orders_of.get(order.user_id, 0) + 1

    def _forget(self, market: Market, order: Order) -> None:
        """A resting order has ended: drop it from the indexes (the book has dropped it already)."""
        assert order.held_atoms == 0, "an ended order holds nothing"
        del self.orders[order.order_id]
        del self.order_by_client_id[(order.user_id, order.client_order_id)]
        left = market.open_orders_of[order.user_id] - 1
        if left:
            market.open_orders_of[order.user_id] = left
        else:
            del market.open_orders_of[order.user_id]

    def _close(
        self,
        market: Market,
        order: Order,
        status: int,
        reason: int,
        cancel_client_order_id: str,
        counter_order_id: int,
        events: list[Event],
    ) -> None:
        """End an order that is not filled, resting or not, and give its hold back."""
        rules = market.rules
        released, open_lots = order.held_atoms, order.open_lots
        order.held_atoms = 0
        hold_asset = rules.quote_asset_id if order.side == BUY else rules.base_asset_id
        self.accounts.release(order.user_id, hold_asset, released)
        rested = order.level is not None
        if rested:
            market.book.remove(order)
            self._forget(market, order)
        events.append(
            OrderClosed(
                order.order_id,
                order.user_id,
                rules.market_id,
                order.side,
                order.price_ticks,
                status,
                reason,
                released,
                open_lots if rested else 0,
                cancel_client_order_id,
                counter_order_id,
            )
        )

    def _cancel(self, command: CancelOrder, events: list[Event]) -> None:
        market = self.markets.get(command.market_id)
        order: Order | None
        if command.order_id:
            order = self.orders.get(command.order_id)
        else:
            order = self.order_by_client_id.get((command.user_id, command.client_order_id))
        reason = 0
        if market is None:
            reason = codes.REJECT_UNKNOWN_MARKET
        elif command.valid_until_ms and self.now_ms > command.valid_until_ms:
            reason = codes.REJECT_STALE
        elif market.mode == codes.MODE_HALTED:
            reason = codes.REJECT_MARKET_CLOSED
        elif order is None or order.user_id != command.user_id or order.market_id != command.market_id:
            reason = codes.REJECT_UNKNOWN_ORDER
        elif command.client_order_id and order.client_order_id != command.client_order_id:
            reason = codes.REJECT_CLIENT_ORDER_ID_MISMATCH
        elif _is_restricted(order, command.restriction):
            reason = codes.REJECT_CANCEL_RESTRICTED
        if reason or market is None or order is None:
            events.append(_rejected(command.user_id, command.market_id, reason, command.client_order_id))
            return
        self._close(
            market,
            order,
            codes.CANCELED,
            codes.CLOSED_BY_USER,
            command.cancel_client_order_id,
            0,
            events,
        )

    def _cancel_all(self, command: CancelAllOrders, events: list[Event]) -> None:
        market = self.markets.get(command.market_id)
        reason = 0
        if market is None:
            reason = codes.REJECT_UNKNOWN_MARKET
        elif command.valid_until_ms and self.now_ms > command.valid_until_ms:
            reason = codes.REJECT_STALE
        elif market.mode == codes.MODE_HALTED:
            reason = codes.REJECT_MARKET_CLOSED
        elif not market.open_orders_of.get(command.user_id, 0):
            reason = codes.REJECT_UNKNOWN_ORDER
        if reason or market is None:
            events.append(_rejected(command.user_id, command.market_id, reason, ""))
            return
        found = [o for side in (BUY, SELL) for o in market.book.orders(side) if o.user_id == command.user_id]
        for order in sorted(found, key=_order_id):
            self._close(
                market,
                order,
                codes.CANCELED,
                codes.CLOSED_BY_USER,
                command.cancel_client_order_id,
                0,
                events,
            )

    # -- money --------------------------------------------------------------------------------

    def _credit(self, command: CreditDeposit, events: list[Event]) -> None:
        reason = 0
        if command.asset_id not in self.asset_decimals:
            reason = codes.REJECT_UNKNOWN_ASSET
        elif command.amount_atoms <= 0 or command.user_id <= 0 or command.deposit_id <= 0:
            reason = codes.REJECT_MALFORMED
        elif self.deposit_ids.contains(command.deposit_id):
            reason = codes.REJECT_DUPLICATE_REFERENCE
        elif not self.accounts.may_deposit(command.asset_id, command.amount_atoms):
            reason = codes.REJECT_OVERFLOW
        if reason:
            events.append(_rejected(command.user_id, 0, reason, ""))
            return
        self.deposit_ids.add(command.deposit_id)
        self.accounts.deposit(command.user_id, command.asset_id, command.amount_atoms)
        events.append(
            DepositCredited(command.user_id, command.asset_id, command.amount_atoms, command.deposit_id)
        )

    def _reserve_withdrawal(self, command: ReserveWithdrawal, events: list[Event]) -> None:
        user_id, asset_id, amount = command.user_id, command.asset_id, command.amount_atoms
        reason = 0
        if asset_id not in self.asset_decimals:
            reason = codes.REJECT_UNKNOWN_ASSET
        elif amount <= 0 or command.withdrawal_id <= 0:
            reason = codes.REJECT_MALFORMED
        elif self.withdrawal_ids.contains(command.withdrawal_id):
            reason = codes.REJECT_DUPLICATE_REFERENCE
        elif amount > self.accounts.available(user_id, asset_id):
            reason = codes.REJECT_INSUFFICIENT_BALANCE
        if reason:
            events.append(_rejected(user_id, 0, reason, ""))
            return
        self.withdrawal_ids.add(command.withdrawal_id)
        self.accounts.hold(user_id, asset_id, amount)
        self.withdrawals[command.withdrawal_id] = Withdrawal(command.withdrawal_id, user_id, asset_id, amount)
        events.append(WithdrawalReserved(user_id, asset_id, amount, command.withdrawal_id, command.address))

    def _settle_withdrawal(self, command: SettleWithdrawal, events: list[Event]) -> None:
        w = self.withdrawals.pop(command.withdrawal_id, None)
        if w is None:
            events.append(_rejected(0, 0, codes.REJECT_UNKNOWN_WITHDRAWAL, ""))
            return
        self.accounts.withdraw(w.user_id, w.asset_id, w.amount)
        events.append(WithdrawalSettled(w.user_id, w.asset_id, w.amount, w.withdrawal_id))

    def _release_withdrawal(self, command: ReleaseWithdrawal, events: list[Event]) -> None:
        w = self.withdrawals.pop(command.withdrawal_id, None)
        if w is None:
            events.append(_rejected(0, 0, codes.REJECT_UNKNOWN_WITHDRAWAL, ""))
            return
        self.accounts.release(w.user_id, w.asset_id, w.amount)
        events.append(WithdrawalReleased(w.user_id, w.asset_id, w.amount, w.withdrawal_id))

    # -- administration -----------------------------------------------------------------------

    def _administer(self, command: Command, events: list[Event]) -> None:
        if isinstance(command, RegisterAsset):
            self._register_asset(command, events)
        elif isinstance(command, RegisterMarket):
            self._register_market(command, events)
        elif isinstance(command, SetTradingMode):
            self._set_trading_mode(command, events)
        elif isinstance(command, LeaderElected):
            self.epoch = command.epoch
            events.append(LeaderChanged(command.leader_id, command.epoch))
        elif isinstance(command, Malformed):
            events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", command.detail))
        else:
            events.append(_rejected(0, 0, codes.REJECT_UNKNOWN_COMMAND, ""))

    def _register_asset(self, command: RegisterAsset, events: list[Event]) -> None:
        asset_id = command.asset_id
        if asset_id in self.asset_decimals:
            events.append(CommandRejected(0, 0, codes.REJECT_ALREADY_EXISTS, "", command.code))
        elif asset_id <= 0 or command.decimals > DECIMALS_MAX:
            events.append(CommandRejected(0, 0, codes.REJECT_MALFORMED, "", command.code))
        else:
            self.asset_decimals[asset_id] = command.decimals
            self.asset_codes[asset_id] = command.code
            events.append(AssetRegistered(asset_id, command.code, command.decimals))

    def _register_market(self, command: RegisterMarket, events: list[Event]) -> None:
        market_id = command.market_id
        decimals = self.asset_decimals.get(command.base_asset_id)
        if market_id in self.markets:
            events.append(CommandRejected(0, market_id, codes.REJECT_ALREADY_EXISTS, "", command.symbol))
            return
        if decimals is None or command.quote_asset_id not in self.asset_decimals:
            events.append(CommandRejected(0, market_id, codes.REJECT_UNKNOWN_ASSET, "", command.symbol))
            return
        base_unit = 1
        for _ in range(decimals):
            base_unit *= 10
        problem = market_rejection(command, base_unit)
        if problem or market_id <= 0:
            events.append(CommandRejected(0, market_id, codes.REJECT_MALFORMED, "", problem))
            return
        unit_atoms = command.tick_atoms * command.lot_atoms // base_unit
        self.markets[market_id] = Market(command, unit_atoms, self.book_factory(), codes.MODE_TRADING)
        events.append(_market_registered(command, unit_atoms))

    def _set_trading_mode(self, command: SetTradingMode, events: list[Event]) -> None:
        known = not command.market_id or command.market_id in self.markets
        if not known or not codes.MODE_HALTED <= command.mode <= codes.MODE_TRADING:
            reason = codes.REJECT_MALFORMED if known else codes.REJECT_UNKNOWN_MARKET
            events.append(_rejected(0, command.market_id, reason, ""))
            return
        for market_id, market in self.markets.items():
            if command.market_id in (0, market_id):
                market.mode = command.mode
                events.append(TradingModeChanged(market_id, command.mode))
        if not events:
            events.append(_rejected(0, 0, codes.REJECT_UNKNOWN_MARKET, ""))


def _order_id(order: Order) -> int:
    return order.order_id


def _is_restricted(order: Order, restriction: int) -> bool:
    untouched = order.open_lots == order.quantity_lots
    if restriction == codes.CANCEL_ONLY_NEW:
        return not untouched
    return restriction == codes.CANCEL_ONLY_PARTIALLY_FILLED and untouched


def _is_well_formed(command: PlaceOrder) -> bool:
    """Codes in range and the quantities that the type needs, no others."""
    if not (
        BUY <= command.side <= SELL
        and codes.LIMIT <= command.order_type <= codes.LIMIT_MAKER
        and codes.GTC <= command.time_in_force <= codes.FOK
        and codes.STP_NONE <= command.stp_mode <= codes.STP_EXPIRE_BOTH
        and command.user_id > 0
        and command.client_order_id
    ):
        return False
    if command.order_type == codes.MARKET:
        one_quantity = (command.quantity_lots > 0) != (command.quote_quantity_atoms > 0)
        return one_quantity and command.price_ticks == 0
    if command.order_type == codes.LIMIT_MAKER and command.time_in_force != codes.GTC:
        return False
    return command.price_ticks > 0 and command.quantity_lots > 0 and command.quote_quantity_atoms == 0


def _rejected(user_id: int, market_id: int, reason: int, client_order_id: str) -> CommandRejected:
    return CommandRejected(user_id, market_id, reason, client_order_id, "")


def _accepted(order: Order, command: PlaceOrder) -> OrderAccepted:
    return OrderAccepted(
        order.order_id,
        order.user_id,
        order.market_id,
        order.client_order_id,
        order.side,
        command.order_type,
        command.time_in_force,
        order.price_ticks,
        order.quantity_lots,
        command.quote_quantity_atoms,
        order.stp_mode,
        order.held_atoms,
        0,
    )


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
