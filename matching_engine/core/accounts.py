"""The money that trades: available and held, per user and asset (design decision 1).

Nothing here knows of orders or books; the engine tells it what to move. A broken promise is an
assertion: the process exits rather than go on with wrong money (design decision 12).
"""

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Balance:
    """One user's money in one asset, in atoms."""

    def __init__(self, available: int, held: int) -> None:
        self.available = available
        self.held = held

    def hold(self, amount: int) -> None:
        """Reserve; the caller has checked that it is available."""
        self.available -= amount
        self.held += amount
        assert amount >= 0, "moves no negative amount"
        assert self.available >= 0, "holds only what is available"

    def release(self, amount: int) -> None:
        """Undo a reservation."""
        self.held -= amount
        self.available += amount
        assert amount >= 0, "moves no negative amount"
        assert self.held >= 0, "releases only what is held"

    def pay(self, amount: int) -> None:
        """Held money leaves: to the other side of a trade, or to the outside."""
        self.held -= amount
        assert amount >= 0, "moves no negative amount"
        assert self.held >= 0, "pays only what is held"


@mypyc_attr(acyclic=True)
class AssetTotals:
    """What the exchange earned, took in and paid out in one asset, in atoms, since its first day.

    `deposited` and `withdrawn` only grow, and may pass what 63 bits hold.
    """

    def __init__(self, fees: int, deposited: int, withdrawn: int) -> None:
        self.fees = fees
        self.deposited = deposited
        self.withdrawn = withdrawn

    def receive(self, balance: Balance, amount: int, fee: int) -> None:
        """What the other side of a trade paid comes in; `fee` of it goes to the exchange."""
        balance.available += amount - fee
        self.fees += fee
        assert 0 <= fee <= amount, "a fee is a part of what comes in"

    def charge(self, balance: Balance, fee: int) -> None:
        """The exchange takes a fee of what its owner may spend; the caller has checked that it is there."""
        balance.available -= fee
        self.fees += fee
        assert fee >= 0, "moves no negative amount"
        assert balance.available >= 0, "takes only what is there"


class Accounts:
    """All balances, and the totals of every registered asset."""

    def __init__(self) -> None:
        self.balances: dict[int, dict[int, Balance]] = {}
        self.totals: dict[int, AssetTotals] = {}

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

    def open(self, user_id: int, asset_id: int, balance: Balance) -> None:
        """Make a balance the user's, unless it is."""
        self.balances.setdefault(user_id, {}).setdefault(asset_id, balance)

    def available(self, user_id: int, asset_id: int) -> int:
        """Atoms that the user may spend; asking opens no account."""
        balance = self.find(user_id, asset_id)
        return 0 if balance is None else balance.available

    def find(self, user_id: int, asset_id: int) -> Balance | None:
        """The balance, None when there never was one."""
        of_user = self.balances.get(user_id)
        return None if of_user is None else of_user.get(asset_id)

    def deposited_with(self, asset_id: int, amount: int) -> int:
        """All that ever came in, this amount included."""
        return self.totals[asset_id].deposited + amount

    def inside_with(self, asset_id: int, amount: int) -> int:
        """All money of the asset that is inside, this amount included."""
        totals = self.totals[asset_id]
        return totals.deposited - totals.withdrawn + amount

    def deposit(self, user_id: int, asset_id: int, amount: int) -> None:
        """Money comes in."""
        self.balance(user_id, asset_id).available += amount
        self.totals[asset_id].deposited += amount

    def withdraw(self, user_id: int, asset_id: int, amount: int) -> None:
        """Held money leaves the exchange."""
        self.balance(user_id, asset_id).pay(amount)
        self.totals[asset_id].withdrawn += amount
