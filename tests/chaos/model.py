"""The exchange as its events tell it, kept by other code than the exchange's own, and what contradicts it.

Everything is in the events' own integers; units stand in the names, see `exchange.contracts.events`.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY, FILLED, NEW, PARTIALLY_FILLED, SELL
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
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.trading.fees import fee_of

__all__ = ["Account", "Findings", "Model", "ModelOrder", "ModelTrade"]

FINDINGS_KEPT: Final = 20


class Findings:
    """What went wrong, counted by kind; the first of each kind in words."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.broken: list[str] = []
        self.counts: Counter[str] = Counter({"lost": 0, "doubled": 0, "broken": 0})

    def add(self, kind: str, what: str) -> None:
        """`kind`: lost (acknowledged and not there, or different), doubled, or broken (an invariant)."""
        self.counts[kind] += 1
        examples: list[str] = getattr(self, kind)
        if len(examples) < FINDINGS_KEPT:
            examples.append(what)

    @property
    def any(self) -> bool:
        """Whether anything was found."""
        return any(self.counts.values())

    def examples(self) -> list[str]:
        """All that is kept, in words."""
        return [f"{kind}: {text}" for kind in self.counts for text in getattr(self, kind)]


@dataclass(slots=True)
class ModelOrder:
    """An order as far as the events have told."""

    order_id: int
    user_id: int
    market_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    held_atoms: int
    executed_lots: int = 0
    status: int = NEW


@dataclass(slots=True)
class Account:
    """What one user has of one asset."""

    available_atoms: int = 0
    held_atoms: int = 0


# price_ticks, quantity_lots, buyer's and seller's order_id, buyer's and seller's fee.
ModelTrade = tuple[int, int, int, int, int, int]


class Model:
    """Accounts, orders and trades. `findings` gets what no sound exchange can have said."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.seq = 0
        self.assets: dict[str, AssetRegistered] = {}
        self.markets: dict[int, MarketRegistered] = {}
        self.accounts: defaultdict[tuple[int, int], Account] = defaultdict(Account)
        self.orders: dict[int, ModelOrder] = {}
        self.by_name: dict[tuple[int, str], int] = {}
        self.trades: dict[tuple[int, int], ModelTrade] = {}
        self.leaders: list[str] = []
        self._open: dict[int, ModelOrder] = {}
        self._inflow: defaultdict[int, int] = defaultdict(int)
        self._fees: defaultdict[int, int] = defaultdict(int)
        self._reserved: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._trade_ids: defaultdict[int, int] = defaultdict(int)
        self._deposits: set[int] = set()
        self._command_ids: set[int] = set()

    def apply(self, outcomes: Sequence[CommandOutcome]) -> None:
        """Take the next outcomes of the log."""
        for outcome in outcomes:
            # Genesis sends without an id.
            if outcome.command_id and not isinstance(outcome.events[0].event, CommandRejected):
                if outcome.command_id in self._command_ids:
                    self.findings.add("doubled", f"command {outcome.command_id} had an effect twice")
                self._command_ids.add(outcome.command_id)
            for recorded in outcome.events:
                self._apply_event(recorded.event)
            self.seq = outcome.events[-1].seq

    def _apply_event(self, event: Event) -> None:
        match event:
            case OrderAccepted():
                self._accept(event)
            case TradeExecuted():
                self._trade(event)
            case OrderClosed():
                order = self.orders[event.order_id]
                order.status = event.status
                self._open.pop(event.order_id, None)
                self._move(
                    event.user_id, self._hold_asset(order), event.released_atoms, -event.released_atoms
                )
                order.held_atoms -= event.released_atoms
                if order.held_atoms:
                    self.findings.add("broken", f"I3 order {order.order_id} closed holds {order.held_atoms}")
            case DepositCredited():
                if event.deposit_id in self._deposits:
                    self.findings.add("doubled", f"deposit {event.deposit_id} was credited twice")
                self._deposits.add(event.deposit_id)
                self._inflow[event.asset_id] += event.amount_atoms
                self._move(event.user_id, event.asset_id, event.amount_atoms, 0)
            case WithdrawalReserved():
                self._reserved[event.user_id, event.asset_id] += event.amount_atoms
                self._move(event.user_id, event.asset_id, -event.amount_atoms, event.amount_atoms)
            case WithdrawalSettled():
                self._reserved[event.user_id, event.asset_id] -= event.amount_atoms
                self._inflow[event.asset_id] -= event.amount_atoms
                self._move(event.user_id, event.asset_id, 0, -event.amount_atoms)
            case WithdrawalReleased():
                self._reserved[event.user_id, event.asset_id] -= event.amount_atoms
                self._move(event.user_id, event.asset_id, event.amount_atoms, -event.amount_atoms)
            case AssetRegistered():
                self.assets[event.code] = event
            case MarketRegistered():
                self.markets[event.market_id] = event
            case LeaderChanged():
                self.leaders.append(event.leader_id)

    def _accept(self, event: OrderAccepted) -> None:
        name = (event.user_id, event.client_order_id)
        if name in self.by_name:
            self.findings.add("doubled", f"client order id {event.client_order_id} was accepted twice")
        order = ModelOrder(
            event.order_id,
            event.user_id,
            event.market_id,
            event.side,
            event.price_ticks,
            event.quantity_lots,
            event.held_atoms,
        )
        self.by_name[name] = event.order_id
        self.orders[event.order_id] = self._open[event.order_id] = order
        self._move(event.user_id, self._hold_asset(order), -event.held_atoms, event.held_atoms)

    def _trade(self, event: TradeExecuted) -> None:
        market = self.markets[event.market_id]
        if event.trade_id != self._trade_ids[event.market_id] + 1:
            self.findings.add("doubled", f"{market.symbol}: trade {event.trade_id} is out of turn")
        self._trade_ids[event.market_id] = event.trade_id
        self.trades[event.market_id, event.trade_id] = (
            event.price_ticks,
            event.quantity_lots,
            event.buyer_order_id,
            event.seller_order_id,
            fee_of(event, BUY).atoms,
            fee_of(event, SELL).atoms,
        )
        quote_held = event.quote_atoms + event.buyer_released_atoms
        base, quote = market.base_asset_id, market.quote_asset_id
        self._move(event.buyer_user_id, quote, event.buyer_released_atoms, -quote_held)
        self._move(event.buyer_user_id, base, event.base_atoms - event.buyer_fee_atoms, 0)
        self._move(event.seller_user_id, base, 0, -event.base_atoms)
        self._move(event.seller_user_id, quote, event.quote_atoms - event.seller_fee_atoms, 0)
        self._fees[base] += event.buyer_fee_atoms
        self._fees[quote] += event.seller_fee_atoms
        if isinstance(event, TradeExecutedWithDiscount):
            paid_in = event.discount_asset_id
            self._move(event.buyer_user_id, paid_in, -event.buyer_discount_fee_atoms, 0)
            self._move(event.seller_user_id, paid_in, -event.seller_discount_fee_atoms, 0)
            self._fees[paid_in] += event.buyer_discount_fee_atoms + event.seller_discount_fee_atoms
        for order_id, held_atoms in (
            (event.buyer_order_id, quote_held),
            (event.seller_order_id, event.base_atoms),
        ):
            order = self.orders[order_id]
            order.executed_lots += event.quantity_lots
            order.held_atoms -= held_atoms
            order.status = PARTIALLY_FILLED
            if order.executed_lots == order.quantity_lots:
                order.status = FILLED
                self._open.pop(order_id, None)
            if order.executed_lots > order.quantity_lots:
                self.findings.add("doubled", f"I8 order {order_id} has executed more than its quantity")
            if order.status == FILLED and order.held_atoms:
                self.findings.add("broken", f"I3 order {order_id} is filled and holds {order.held_atoms}")

    def _hold_asset(self, order: ModelOrder) -> int:
        market = self.markets[order.market_id]
        return market.quote_asset_id if order.side == BUY else market.base_asset_id

    def _move(self, user_id: int, asset_id: int, available_atoms: int, held_atoms: int) -> None:
        account = self.accounts[user_id, asset_id]
        account.available_atoms += available_atoms
        account.held_atoms += held_atoms
        if account.available_atoms < 0 or account.held_atoms < 0:
            self.findings.add("broken", f"I2 user {user_id} asset {asset_id}: {account} at seq {self.seq}")

    def check(self) -> None:
        """I1, I3 and I6 as they stand now; the findings get what does not add up."""
        totals: defaultdict[int, int] = defaultdict(int)
        for (_, asset_id), account in self.accounts.items():
            totals[asset_id] += account.available_atoms + account.held_atoms
        for asset_id in totals:
            kept = totals[asset_id] + self._fees[asset_id]
            if kept != self._inflow[asset_id]:
                self.findings.add("broken", f"I1 asset {asset_id}: in {self._inflow[asset_id]}, kept {kept}")
        held = self._reserved.copy()
        for order in self.open_orders():
            held[order.user_id, self._hold_asset(order)] += order.held_atoms
        for key, account in self.accounts.items():
            if account.held_atoms != held[key]:
                self.findings.add("broken", f"I3 {key}: {account.held_atoms} held, {held[key]} accounted for")
        for market_id, (bids, asks) in self.books().items():
            if bids and asks and max(bids) >= min(asks):
                self.findings.add("broken", f"I6 market {market_id} is crossed: {max(bids)}, {min(asks)}")

    def open_orders(self) -> list[ModelOrder]:
        """The orders on the books."""
        return list(self._open.values())

    def books(self) -> dict[int, tuple[dict[int, int], dict[int, int]]]:
        """market_id -> bids and asks, each price_ticks -> lots."""
        books: dict[int, tuple[dict[int, int], dict[int, int]]] = {m: ({}, {}) for m in self.markets}
        for order in self.open_orders():
            side = books[order.market_id][0 if order.side == BUY else 1]
            left = order.quantity_lots - order.executed_lots
            side[order.price_ticks] = side.get(order.price_ticks, 0) + left
        return books
