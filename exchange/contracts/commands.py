"""Commands: what the outside asks of the engine. Imperative names, integers only.

Plain classes with explicit constructors, because mypyc turns those into native ones.
`command_id` is a positive 63-bit integer that the sender chose; the answer carries it back.
Units: `_ticks` counts a market's price steps, `_lots` its quantity steps, `_atoms` the smallest
unit of an asset (10**-decimals), `_ppm` millionths, `_ms` milliseconds since 1970.
"""

from mypy_extensions import i64, mypyc_attr


@mypyc_attr(acyclic=True)
class Command:
    """Base of all commands."""

    def __init__(self, command_id: i64) -> None:
        self.command_id = command_id


@mypyc_attr(acyclic=True)
class RegisterAsset(Command):
    """Make an asset known. `decimals` fixes the atom for good."""

    def __init__(self, command_id: int, asset_id: int, code: str, decimals: int) -> None:
        self.command_id = command_id
        self.asset_id = asset_id
        self.code = code
        self.decimals = decimals


@mypyc_attr(acyclic=True)
class RegisterMarket(Command):
    """Open a market.

    `tick_atoms`: the price step in quote atoms for one whole base unit; `lot_atoms`: the quantity
    step in base atoms. tick_atoms * lot_atoms must divide evenly by one base unit, so that price
    times quantity is always a whole number of quote atoms. Multipliers belong to
    PERCENT_PRICE_BY_SIDE (binance-spot-api 2.2).
    """

    def __init__(
        self,
        command_id: int,
        market_id: int,
        symbol: str,
        base_asset_id: int,
        quote_asset_id: int,
        tick_atoms: int,
        lot_atoms: int,
        price_ticks_min: int,
        price_ticks_max: int,
        quantity_lots_min: int,
        quantity_lots_max: int,
        market_quantity_lots_max: int,
        notional_atoms_min: int,
        notional_atoms_max: int,
        bid_multiplier_up_ppm: int,
        bid_multiplier_down_ppm: int,
        ask_multiplier_up_ppm: int,
        ask_multiplier_down_ppm: int,
        open_orders_max: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
    ) -> None:
        self.command_id = command_id
        self.market_id = market_id
        self.symbol = symbol
        self.base_asset_id = base_asset_id
        self.quote_asset_id = quote_asset_id
        self.tick_atoms = tick_atoms
        self.lot_atoms = lot_atoms
        self.price_ticks_min = price_ticks_min
        self.price_ticks_max = price_ticks_max
        self.quantity_lots_min = quantity_lots_min
        self.quantity_lots_max = quantity_lots_max
        self.market_quantity_lots_max = market_quantity_lots_max
        self.notional_atoms_min = notional_atoms_min
        self.notional_atoms_max = notional_atoms_max
        self.bid_multiplier_up_ppm = bid_multiplier_up_ppm
        self.bid_multiplier_down_ppm = bid_multiplier_down_ppm
        self.ask_multiplier_up_ppm = ask_multiplier_up_ppm
        self.ask_multiplier_down_ppm = ask_multiplier_down_ppm
        self.open_orders_max = open_orders_max
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm


@mypyc_attr(acyclic=True)
class SetTradingMode(Command):
    """Halt or reopen a market (`market_id` 0: all of them)."""

    def __init__(self, command_id: int, market_id: int, mode: int) -> None:
        self.command_id = command_id
        self.market_id = market_id
        self.mode = mode


@mypyc_attr(acyclic=True)
class PlaceOrder(Command):
    """Place an order.

    LIMIT and LIMIT_MAKER set `price_ticks` and `quantity_lots`; MARKET sets either `quantity_lots`
    or `quote_quantity_atoms` and leaves the others 0. `valid_until_ms` 0 means no limit; later
    than that on the engine's clock the order is refused as stale (recvWindow, binance-spot-api 1).
    """

    def __init__(
        self,
        command_id: i64,
        user_id: i64,
        market_id: i64,
        client_order_id: str,
        side: i64,
        order_type: i64,
        time_in_force: i64,
        price_ticks: i64,
        quantity_lots: i64,
        quote_quantity_atoms: i64,
        stp_mode: i64,
        valid_until_ms: i64,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.client_order_id = client_order_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.quote_quantity_atoms = quote_quantity_atoms
        self.stp_mode = stp_mode
        self.valid_until_ms = valid_until_ms
        # The fields from `user_id` to `stp_mode` in the bytes of its record, where they are in their shortest
        # form: those of the event that accepts it.
        self.as_sent: bytes | None = None


@mypyc_attr(acyclic=True)
class CancelOrder(Command):
    """Cancel one open order by `order_id` (0: not given) and/or `client_order_id` ("": not given).

    `cancel_client_order_id` is the name of the cancellation itself, echoed in its event.
    """

    def __init__(
        self,
        command_id: i64,
        user_id: i64,
        market_id: i64,
        order_id: i64,
        client_order_id: str,
        cancel_client_order_id: str,
        restriction: i64,
        valid_until_ms: i64,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.cancel_client_order_id = cancel_client_order_id
        self.restriction = restriction
        self.valid_until_ms = valid_until_ms


@mypyc_attr(acyclic=True)
class CancelAllOrders(Command):
    """Cancel every open order of a user in one market, oldest first."""

    def __init__(
        self,
        command_id: int,
        user_id: int,
        market_id: int,
        cancel_client_order_id: str,
        valid_until_ms: int,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.cancel_client_order_id = cancel_client_order_id
        self.valid_until_ms = valid_until_ms


@mypyc_attr(acyclic=True)
class CreditDeposit(Command):
    """Credit money that arrived from outside. `deposit_id` > 0 is unique and makes it idempotent."""

    def __init__(
        self, command_id: int, user_id: int, asset_id: int, amount_atoms: int, deposit_id: int
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.deposit_id = deposit_id


@mypyc_attr(acyclic=True)
class ReserveWithdrawal(Command):
    """Move money from available to held until the withdrawal is settled or released."""

    def __init__(
        self,
        command_id: int,
        user_id: int,
        asset_id: int,
        amount_atoms: int,
        withdrawal_id: int,
        address: str,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.withdrawal_id = withdrawal_id
        self.address = address


@mypyc_attr(acyclic=True)
class SettleWithdrawal(Command):
    """The money has left: destroy the hold. Sent only once the ledger has the reservation."""

    def __init__(self, command_id: int, withdrawal_id: int) -> None:
        self.command_id = command_id
        self.withdrawal_id = withdrawal_id


@mypyc_attr(acyclic=True)
class ReleaseWithdrawal(Command):
    """The withdrawal failed: give the hold back."""

    def __init__(self, command_id: int, withdrawal_id: int) -> None:
        self.command_id = command_id
        self.withdrawal_id = withdrawal_id


@mypyc_attr(acyclic=True)
class LeaderElected(Command):
    """A claimant's marker on the log (design decision 6). Whoever reads another's stops emitting.

    `epoch` is what the claimant expects; the engine counts for itself.
    """

    def __init__(self, command_id: int, leader_id: str, epoch: int) -> None:
        self.command_id = command_id
        self.leader_id = leader_id
        self.epoch = epoch


@mypyc_attr(acyclic=True)
class SkipCommand(Command):
    """An operator's order to go past a command at which the engine stops (design decision 12).

    `offset` and `index`: its place on the command log. `signature`: Ed25519, hexadecimal, over
    `exchange.security.skip_order.signed_text`. Engines that stand at that place look ahead for it.
    """

    def __init__(self, command_id: int, offset: int, index: int, signature: str) -> None:
        self.command_id = command_id
        self.offset = offset
        self.index = index
        self.signature = signature


@mypyc_attr(acyclic=True)
class KeepTime(Command):
    """The leader of `epoch` is at work, and its own clock says `wall_ms` (ADR 0018). Rules version 2.

    From another than the newest leader it says nothing.
    """

    def __init__(self, command_id: int, epoch: int, wall_ms: int) -> None:
        self.command_id = command_id
        self.epoch = epoch
        self.wall_ms = wall_ms


@mypyc_attr(acyclic=True)
class ActivateRules(Command):
    """From here on decide by the rules of `version` (design decision 6). Code that lacks them stops."""

    def __init__(self, command_id: int, version: int) -> None:
        self.command_id = command_id
        self.version = version


@mypyc_attr(acyclic=True)
class Malformed(Command):
    """Stands for bytes that are no command: decoding is total (design decision 12).

    Never sent; the decoder makes it, and the engine answers with a rejection. `detail`: what the decoder's
    library says; only rules version 1 lets it into the history. `tag`: of the kind of command that these
    bytes would be, 0 when that is not known.
    """

    def __init__(self, command_id: int, detail: str, tag: int) -> None:
        self.command_id = command_id
        self.detail = detail
        self.tag = tag
