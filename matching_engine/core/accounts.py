"""The money that trades: available and held, per user and asset (design decision 1).

Nothing here knows of orders or books; the engine tells it what to move. A broken promise is an
assertion: the process exits rather than go on with wrong money (design decision 12).
"""

AMOUNT_ATOMS_MAX = 2**62


class Balance:
    """One user's money in one asset, in atoms."""

    def __init__(self, available: int, held: int) -> None:
        self.available = available
        self.held = held


class Accounts:
    """All balances, and what the exchange earned, took in and paid out, per asset."""

    def __init__(self) -> None:
        self.balances: dict[int, dict[int, Balance]] = {}
        self.fees: dict[int, int] = {}
        self.deposited: dict[int, int] = {}
        self.withdrawn: dict[int, int] = {}

    def balance(self, user_id: int, asset_id: int) -> Balance:
        """The balance, opened empty on first use."""
        of_user = self.balances.get(user_id)
        if of_user is None:
            of_user = {}
            self.balances[user_id] = of_user
        balance = of_user.get(asset_id)
        if balance is None:
            balance = Balance(0, 0)
            of_user[asset_id] = balance
        return balance

    def available(self, user_id: int, asset_id: int) -> int:
        """Atoms that the user may spend; asking opens no account."""
        of_user = self.balances.get(user_id)
        if of_user is None:
            return 0
        balance = of_user.get(asset_id)
        return 0 if balance is None else balance.available

    def may_deposit(self, asset_id: int, amount: int) -> bool:
        """Whether all money of the asset, this amount included, stays within the limit."""
        return self.deposited.get(asset_id, 0) + amount <= AMOUNT_ATOMS_MAX

    def deposit(self, user_id: int, asset_id: int, amount: int) -> None:
        """Money comes in."""
        self.balance(user_id, asset_id).available += amount
        self.deposited[asset_id] = self.deposited.get(asset_id, 0) + amount

    def hold(self, user_id: int, asset_id: int, amount: int) -> None:
        """Reserve; the caller has checked that it is available."""
        balance = self.balance(user_id, asset_id)
        balance.available -= amount
        balance.held += amount
        assert amount >= 0, "moves no negative amount"
        assert balance.available >= 0, "holds only what is available"

    def release(self, user_id: int, asset_id: int, amount: int) -> None:
        """Undo a reservation."""
        balance = self.balance(user_id, asset_id)
        balance.held -= amount
        balance.available += amount
        assert amount >= 0, "moves no negative amount"
        assert balance.held >= 0, "releases only what is held"

    def withdraw(self, user_id: int, asset_id: int, amount: int) -> None:
        """Held money leaves."""
        balance = self.balance(user_id, asset_id)
        balance.held -= amount
        assert balance.held >= 0, "pays out only what is held"
        self.withdrawn[asset_id] = self.withdrawn.get(asset_id, 0) + amount

    def pay_from_held(self, user_id: int, asset_id: int, amount: int) -> None:
        """Held money goes to the other side of a trade; `receive` is its counterpart."""
        balance = self.balance(user_id, asset_id)
        balance.held -= amount
        assert balance.held >= 0, "pays only what is held"

    def receive(self, user_id: int, asset_id: int, amount: int, fee: int) -> None:
        """The other side of a trade: `amount` comes in, `fee` of it goes to the exchange."""
        self.balance(user_id, asset_id).available += amount - fee
        self.fees[asset_id] = self.fees.get(asset_id, 0) + fee
