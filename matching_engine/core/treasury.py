"""Money in and out: deposits and withdrawals."""

from exchange.contracts import codes
from exchange.contracts.commands import (
    CreditDeposit,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
)
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Outcome,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from matching_engine.core.engine_state import EngineState, Withdrawal
from matching_engine.core.rules_version import counts_money_inside


def credit(state: EngineState, command: CreditDeposit, events: Outcome) -> None:
    """Money comes in, once for each deposit id."""
    reason = 0
    if command.asset_id not in state.asset_decimals:
        reason = codes.REJECT_UNKNOWN_ASSET
    elif command.amount_atoms <= 0 or command.user_id <= 0 or command.deposit_id <= 0:
        reason = codes.REJECT_MALFORMED
    elif state.deposit_ids.contains(command.deposit_id):
        reason = codes.REJECT_DUPLICATE_REFERENCE
    elif not _may_deposit(state, command):
        reason = codes.REJECT_OVERFLOW
    if reason:
        events.append(CommandRejected(command.user_id, 0, reason, "", ""))
        return
    state.deposit_ids.add(command.deposit_id)
    state.accounts.deposit(command.user_id, command.asset_id, command.amount_atoms)
    events.append(
        DepositCredited(command.user_id, command.asset_id, command.amount_atoms, command.deposit_id)
    )


def _may_deposit(state: EngineState, command: CreditDeposit) -> bool:
    """Whether the asset's money stays within the limit: what is inside, by rules 1 all that ever came in."""
    accounts, asset_id, amount = state.accounts, command.asset_id, command.amount_atoms
    if counts_money_inside(state.rules_version):
        return accounts.inside_with(asset_id, amount) <= state.limits.amount_atoms_max
    return accounts.deposited_with(asset_id, amount) <= state.limits.amount_atoms_max


def reserve_withdrawal(state: EngineState, command: ReserveWithdrawal, events: Outcome) -> None:
    """Hold money until the withdrawal is settled or released."""
    user_id, asset_id, amount = command.user_id, command.asset_id, command.amount_atoms
    reason = 0
    if asset_id not in state.asset_decimals:
        reason = codes.REJECT_UNKNOWN_ASSET
    elif amount <= 0 or command.withdrawal_id <= 0:
        reason = codes.REJECT_MALFORMED
    elif state.withdrawal_ids.contains(command.withdrawal_id):
        reason = codes.REJECT_DUPLICATE_REFERENCE
    elif amount > state.accounts.available(user_id, asset_id):
        reason = codes.REJECT_INSUFFICIENT_BALANCE
    if reason:
        events.append(CommandRejected(user_id, 0, reason, "", ""))
        return
    state.withdrawal_ids.add(command.withdrawal_id)
    state.accounts.balance(user_id, asset_id).hold(amount)
    state.withdrawals[command.withdrawal_id] = Withdrawal(command.withdrawal_id, user_id, asset_id, amount)
    events.append(WithdrawalReserved(user_id, asset_id, amount, command.withdrawal_id, command.address))


def settle_withdrawal(state: EngineState, command: SettleWithdrawal, events: Outcome) -> None:
    """The held money has left."""
    w = state.withdrawals.pop(command.withdrawal_id, None)
    if w is None:
        events.append(CommandRejected(0, 0, codes.REJECT_UNKNOWN_WITHDRAWAL, "", ""))
        return
    state.accounts.withdraw(w.user_id, w.asset_id, w.amount)
    events.append(WithdrawalSettled(w.user_id, w.asset_id, w.amount, w.withdrawal_id))


def release_withdrawal(state: EngineState, command: ReleaseWithdrawal, events: Outcome) -> None:
    """The withdrawal failed: the money is available again."""
    w = state.withdrawals.pop(command.withdrawal_id, None)
    if w is None:
        events.append(CommandRejected(0, 0, codes.REJECT_UNKNOWN_WITHDRAWAL, "", ""))
        return
    state.accounts.balance(w.user_id, w.asset_id).release(w.amount)
    events.append(WithdrawalReleased(w.user_id, w.asset_id, w.amount, w.withdrawal_id))
