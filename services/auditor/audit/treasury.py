"""What events of money from and to the outside, and of administration, say. Pure."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.events import (
    AssetRegistered,
    DepositCredited,
    MarketRegistered,
    RulesActivated,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import ASSET, FILTER_KINDS, MARKET
from services.auditor.audit.scope import AuditScope
from services.auditor.audit.state import Asset, Balance, Market, Withdrawal

__all__ = ["TreasuryAudit"]

# Version 2 bounds what one command does and moves money as version 1 does; version 4 has orders with terms,
# version 5 filters and fees that change, and markets that end.
RULES_VERSION_MAX: Final = 5


class TreasuryAudit:
    """Deposits, withdrawals, assets, markets, modes."""

    def __init__(self, scope: AuditScope) -> None:
        self._scope = scope
        self._state = scope.state
        self._breach = scope.breach

    def _asset(self, asset_id: int) -> Asset | None:
        asset = self._state.assets.get(asset_id)
        if asset is None:
            self._breach("I1", f"money of asset {asset_id}, which does not exist")
        return asset

    def deposit_credited(self, event: DepositCredited) -> None:
        """Money from outside, once for each deposit id."""
        asset = self._asset(event.asset_id)
        if asset is None:
            return
        if not self._state.deposit_ids.spend(event.deposit_id):
            self._breach("I11", f"deposit {event.deposit_id} was credited before")
        balance = self._state.balance(event.user_id, asset)
        balance.available += event.amount_atoms
        asset.deposited += event.amount_atoms
        self._scope.touched.append(balance)

    def withdrawal_reserved(self, event: WithdrawalReserved) -> None:
        """Money is held for its way out, once for each withdrawal id."""
        asset = self._asset(event.asset_id)
        if asset is None:
            return
        if not self._state.withdrawal_ids.spend(event.withdrawal_id):
            self._breach("I11", f"withdrawal {event.withdrawal_id} was reserved before")
        balance = self._state.balance(event.user_id, asset)
        balance.available -= event.amount_atoms
        balance.held += event.amount_atoms
        balance.explained += event.amount_atoms
        self._state.withdrawals[event.withdrawal_id] = Withdrawal(balance, event.amount_atoms)
        self._scope.touched.append(balance)

    def withdrawal_settled(self, event: WithdrawalSettled) -> None:
        """The held money has left."""
        balance = self._end_withdrawal(event)
        if balance is not None:
            balance.held -= event.amount_atoms
            balance.asset.withdrawn += event.amount_atoms

    def withdrawal_released(self, event: WithdrawalReleased) -> None:
        """The held money is available again."""
        balance = self._end_withdrawal(event)
        if balance is not None:
            balance.held -= event.amount_atoms
            balance.available += event.amount_atoms

    def _end_withdrawal(self, event: WithdrawalSettled | WithdrawalReleased) -> Balance | None:
        pending = self._state.withdrawals.pop(event.withdrawal_id, None)
        if pending is None:
            self._breach("I3", f"withdrawal {event.withdrawal_id} ended, but is not pending")
            return None
        balance = pending.balance
        if (balance.user_id, balance.asset.asset_id) != (event.user_id, event.asset_id):
            self._breach("I3", f"withdrawal {event.withdrawal_id} ended as another's")
        balance.explained -= pending.amount_atoms
        self._scope.touched.append(balance)
        return balance

    def asset_registered(self, event: AssetRegistered) -> None:
        """A new asset."""
        if event.asset_id in self._state.assets:
            self._breach("I8", f"asset {event.asset_id} was registered before")
            return
        self._state.assets[event.asset_id] = Asset(event.asset_id, event.code, event.decimals)

    def market_registered(self, event: MarketRegistered) -> None:
        """A new market, whose unit follows from its tick and lot."""
        base, quote = self._asset(event.base_asset_id), self._asset(event.quote_asset_id)
        if base is None or quote is None:
            return
        if event.market_id in self._state.markets:
            self._breach("I8", f"market {event.market_id} was registered before")
            return
        if event.notional_unit_atoms * 10**base.decimals != event.tick_atoms * event.lot_atoms:
            self._breach("I4", f"{event.symbol}: {event.notional_unit_atoms} is not one tick times one lot")
        self._state.markets[event.market_id] = Market(
            event.market_id,
            event.symbol,
            base,
            quote,
            event.lot_atoms,
            event.notional_unit_atoms,
            event.maker_fee_ppm,
            event.taker_fee_ppm,
        )

    def trading_mode_changed(self, event: TradingModeChanged) -> None:
        """A market is halted, reopened, or something between."""
        market = self._state.markets.get(event.market_id)
        if market is None or event.mode not in codes.TRADING_MODE_NAMES:
            self._breach("I8", f"market {event.market_id} has mode {event.mode}")
            return
        if market.mode == codes.MODE_RETIRED:
            self._breach("I8", f"{market.symbol} has ended, and has mode {event.mode} after that")
        market.mode = event.mode

    def filter_changed(self, event: FilterChanged) -> None:
        """A filter of something that exists; whom it refuses, only the engine's accounts could tell."""
        kind = FILTER_KINDS.get(event.filter_type)
        named = (event.market_id > 0, event.asset_id > 0)
        if kind is None or named != (kind.scope == MARKET, kind.scope == ASSET):
            self._breach("I8", f"filter {event.filter_type} of {event.market_id}, {event.asset_id} is none")
        elif event.market_id and event.market_id not in self._state.markets:
            self._breach("I8", f"{kind.name} of market {event.market_id}, which does not exist")
        elif event.asset_id and event.asset_id not in self._state.assets:
            self._breach("I8", f"{kind.name} of asset {event.asset_id}, which does not exist")

    def rules_activated(self, event: RulesActivated) -> None:
        """Later rules may move money otherwise than it is audited here: say so, rather than be wrong."""
        if not 1 <= event.version <= RULES_VERSION_MAX:
            self._breach("I8", f"rules version {event.version}, the auditor knows 1 to {RULES_VERSION_MAX}")
