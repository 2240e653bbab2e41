"""A market's rules: filters (binance-spot-api 2.2), fees and the reference price."""

from typing import Final

from mypy_extensions import i64

from exchange.contracts import codes
from exchange.contracts.commands import PlaceOrder, RegisterMarket
from matching_engine.core.filters import MarketFilters

PPM: Final = 1_000_000
NOTIONAL_UNIT_ATOMS_MAX: Final = 2**62  # events carry it, and their integers have 63 bits
_BUCKET_MS: Final = 60_000
_BUCKETS: Final = 5
_NO_MINUTE: Final = -1


class ReferencePrice:
    """Volume-weighted price of the last five minutes, else the last price; exact, as a fraction.

    Trades are summed into one bucket a minute. `numerator` / `denominator` is in ticks; both are 0
    as long as nothing has traded, and then every price passes.
    """

    def __init__(self) -> None:
        # Buckets of earlier minutes, the oldest first; beside them the newest, to which each trade adds.
        self._minutes: list[int] = []
        self._tick_lots: list[int] = []
        self._lots: list[int] = []
        self._minute = _NO_MINUTE
        self._newest_tick_lots = 0
        self._newest_lots = 0
        self.last_ticks = 0
        # The sums as of one minute, so that an order need not add the buckets up again.
        self._summed_minute = _NO_MINUTE
        self._tick_lots_sum = 0
        self._lots_sum = 0

    def record(self, now_ms: int, price_ticks: int, lots: int) -> None:
        """Count a trade."""
        minute = now_ms // _BUCKET_MS
        if self._minute != minute:
            self._begin(minute)
        tick_lots = price_ticks * lots
        self._newest_tick_lots += tick_lots
        self._newest_lots += lots
        self.last_ticks = price_ticks
        if self._summed_minute == minute:
            self._tick_lots_sum += tick_lots
            self._lots_sum += lots

    def _begin(self, minute: int) -> None:
        """A new bucket; of the earlier ones, as many as count with it."""
        if self._minute != _NO_MINUTE:
            self._minutes.append(self._minute)
            self._tick_lots.append(self._newest_tick_lots)
            self._lots.append(self._newest_lots)
            if len(self._minutes) == _BUCKETS:
                del self._minutes[0], self._tick_lots[0], self._lots[0]
        self._minute = minute
        self._newest_tick_lots = self._newest_lots = 0

    def buckets(self) -> list[list[int]]:
        """All buckets, the oldest first: their minutes, what was traded in ticks · lots, and in lots."""
        if self._minute == _NO_MINUTE:
            return [[], [], []]
        return [
            [*self._minutes, self._minute],
            [*self._tick_lots, self._newest_tick_lots],
            [*self._lots, self._newest_lots],
        ]

    def restore(self, minutes: list[int], tick_lots: list[int], lots: list[int], last_ticks: int) -> None:
        """Take over what `buckets` has told, and the last price."""
        self.last_ticks = last_ticks
        self._summed_minute = _NO_MINUTE
        if minutes:
            self._minutes, self._tick_lots, self._lots = minutes[:-1], tick_lots[:-1], lots[:-1]
            self._minute = minutes[-1]
            self._newest_tick_lots, self._newest_lots = tick_lots[-1], lots[-1]

    def fraction(self, now_ms: int) -> tuple[int, int]:
        """Return (numerator, denominator) of the price in ticks; (0, 0) when there is none."""
        minute = now_ms // _BUCKET_MS
        if self._summed_minute != minute:
            self._sum_up(minute)
        if self._lots_sum:
            return self._tick_lots_sum, self._lots_sum
        return (self.last_ticks, 1) if self.last_ticks else (0, 0)

    def _sum_up(self, minute: int) -> None:
        self._summed_minute = minute
        self._tick_lots_sum = self._lots_sum = 0
        for position in range(len(self._minutes)):
            if self._minutes[position] > minute - _BUCKETS:
                self._tick_lots_sum += self._tick_lots[position]
                self._lots_sum += self._lots[position]
        if self._minute > minute - _BUCKETS:
            self._tick_lots_sum += self._newest_tick_lots
            self._lots_sum += self._newest_lots


def copy_of(rules: RegisterMarket) -> RegisterMarket:
    """A market's rules, to be changed: the command that was read belongs to its reader and is not."""
    return RegisterMarket(
        rules.command_id,
        rules.market_id,
        rules.symbol,
        rules.base_asset_id,
        rules.quote_asset_id,
        rules.tick_atoms,
        rules.lot_atoms,
        rules.price_ticks_min,
        rules.price_ticks_max,
        rules.quantity_lots_min,
        rules.quantity_lots_max,
        rules.market_quantity_lots_max,
        rules.notional_atoms_min,
        rules.notional_atoms_max,
        rules.bid_multiplier_up_ppm,
        rules.bid_multiplier_down_ppm,
        rules.ask_multiplier_up_ppm,
        rules.ask_multiplier_down_ppm,
        rules.open_orders_max,
        rules.maker_fee_ppm,
        rules.taker_fee_ppm,
    )


def market_rejection(command: RegisterMarket, base_unit_atoms: int) -> str:
    """Say what makes a market impossible; "" when nothing does."""
    if command.tick_atoms <= 0 or command.lot_atoms <= 0:
        return "tick and lot must be positive"
    if command.base_asset_id == command.quote_asset_id:
        return "base and quote are the same asset"
    if command.tick_atoms * command.lot_atoms % base_unit_atoms:
        return "one tick of one lot is no whole number of quote atoms"
    if command.tick_atoms * command.lot_atoms // base_unit_atoms > NOTIONAL_UNIT_ATOMS_MAX:
        return "one tick of one lot is too much money"
    if not 0 < command.quantity_lots_min <= command.quantity_lots_max:
        return "quantity range is empty"
    if not 0 < command.price_ticks_min <= command.price_ticks_max:
        return "price range is empty"
    if command.maker_fee_ppm > PPM or command.taker_fee_ppm > PPM:
        return "a fee above 100 %"
    return ""


def is_well_formed(command: PlaceOrder, stp_mode_max: int) -> bool:
    """Codes in range and the quantities that the type needs, no others."""
    if not (
        codes.BUY <= command.side <= codes.SELL
        and codes.LIMIT <= command.order_type <= codes.LIMIT_MAKER
        and codes.GTC <= command.time_in_force <= codes.FOK
        and codes.STP_NONE <= command.stp_mode <= stp_mode_max
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


def limit_order_rejection(
    rules: RegisterMarket, unit_atoms: int, order: PlaceOrder, reference: tuple[int, int]
) -> int:
    """Check a LIMIT or LIMIT_MAKER order. Returns codes.REJECT_* or 0."""
    # Products of what somebody has sent may pass 63 bits.
    price: int = order.price_ticks
    quantity: int = order.quantity_lots
    if not rules.price_ticks_min <= price <= rules.price_ticks_max:
        return codes.REJECT_PRICE_FILTER
    if not rules.quantity_lots_min <= quantity <= rules.quantity_lots_max:
        return codes.REJECT_LOT_SIZE
    notional = price * (quantity * unit_atoms)  # small factors first: products beyond 2**30 are slow
    if not rules.notional_atoms_min <= notional <= rules.notional_atoms_max:
        return codes.REJECT_NOTIONAL
    numerator, denominator = reference
    if denominator:
        if order.side == codes.BUY:
            up, down = rules.bid_multiplier_up_ppm, rules.bid_multiplier_down_ppm
        else:
            up, down = rules.ask_multiplier_up_ppm, rules.ask_multiplier_down_ppm
        # The rounded price decides almost always, in small integers; the exact one decides the rest.
        whole = numerator // denominator
        if not (whole + 1) * down <= price * PPM <= whole * up:
            scaled = price * denominator * PPM
            if not numerator * down <= scaled <= numerator * up:
                return codes.REJECT_PERCENT_PRICE_BY_SIDE
    return 0


def market_order_rejection(
    rules: RegisterMarket,
    filters: MarketFilters,
    unit_atoms: int,
    order: PlaceOrder,
    reference: tuple[int, int],
) -> int:
    """Check a MARKET order by quantity or by quote quantity. Returns codes.REJECT_* or 0."""
    low, high = filters.market_notional_atoms_min, filters.market_notional_atoms_max
    if order.quote_quantity_atoms:
        if not low <= order.quote_quantity_atoms <= high:
            return codes.REJECT_NOTIONAL
        return 0
    quantity: int = order.quantity_lots
    if not rules.quantity_lots_min <= quantity <= rules.quantity_lots_max:
        return codes.REJECT_LOT_SIZE
    if quantity > rules.market_quantity_lots_max:
        return codes.REJECT_MARKET_LOT_SIZE
    numerator, denominator = reference
    if denominator:
        notional = numerator * quantity * unit_atoms // denominator
        if not low <= notional <= high:
            return codes.REJECT_NOTIONAL
    return 0


def fee_atoms(received_atoms: i64, fee_ppm: i64) -> i64:
    """The fee on a received amount, rounded down to the atom (in the trader's favour)."""
    # The same as received_atoms * fee_ppm // PPM; no product passes what was received, or a million millions.
    return received_atoms // PPM * fee_ppm + received_atoms % PPM * fee_ppm // PPM
