"""What an administrator says of a filter, and the command that it comes to (docs/operator.md)."""

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import Command, RegisterMarket
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.trading.markets_file import KnownMarkets, rules_of
from matching_engine.genesis import genesis_commands
from services.operator.markets.filters import FilterDesk
from services.operator.markets.orders import ChangeFilter, RetireMarket, ShowFilters
from services.operator.tagged import OrderError


def desk(*changed: FilterChanged) -> FilterDesk:
    markets = [command for command in genesis_commands() if isinstance(command, RegisterMarket)]
    rows = {one.symbol: {**rules_of(one), "notional_unit_atoms": 10} for one in markets}
    return FilterDesk(KnownMarkets({"BTC": (1, 8), "ETH": (2, 8), "USDT": (3, 8)}, rows), list(changed))


async def command_of(of: FilterDesk, symbol: str, name: str, **values: str) -> tuple[int, ...]:
    """Type, market, asset and values of the command that an order comes to."""

    class Sent(Exception):
        pass

    found: list[Command] = []

    async def decide(make: object) -> CommandOutcome:
        assert callable(make)
        found.append(make(77))
        raise Sent

    with pytest.raises(Sent):
        await of.carry_out(ChangeFilter(symbol, name, values), decide)
    (command,) = found
    assert isinstance(command, SetFilter)
    assert command.command_id == 77
    return (
        *(command.filter_type, command.market_id, command.asset_id),
        *(command.first, command.second, command.third, command.fourth),
    )


async def test_a_value_that_is_not_named_stays_what_it_is() -> None:
    assert await command_of(desk(), "BTCUSDT", "PRICE_FILTER", tickSize="0.05") == (1, 1, 0, 1, 10**8, 5, 0)
    before = FilterChanged(codes.FILTER_PRICE, 1, 0, 7, 9_000, 3, 0)
    assert await command_of(desk(before), "BTCUSDT", "PRICE_FILTER", maxPrice="95") == (
        1,
        1,
        0,
        7,
        9_500,
        3,
        0,
    )
    flags = await command_of(desk(), "ETHUSDT", "NOTIONAL", applyMaxToMarket="False")
    assert flags == (codes.FILTER_NOTIONAL, 2, 0, 5 * 10**8, 1, 9 * 10**14, 0)


async def test_each_scope_is_named_by_its_own_word() -> None:
    orders = await command_of(desk(), "ALL", "EXCHANGE_MAX_NUM_ORDERS", maxNumOrders="9")
    assert orders == (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0, 0, 9, 0, 0, 0)
    asset = await command_of(desk(), "USDT", "MAX_ASSET", limit="42.5")
    assert asset == (codes.FILTER_MAX_ASSET, 0, 3, 4_250_000_000, 0, 0, 0)
    off = await command_of(desk(), "BTCUSDT", "MAX_POSITION")
    assert off == (codes.FILTER_MAX_POSITION, 1, 0, 0, 0, 0, 0)


async def test_what_is_set_is_shown_in_the_words_that_set_it() -> None:
    of = desk(
        FilterChanged(codes.FILTER_MIN_NOTIONAL, 1, 0, 7 * 10**8, 1, 0, 0),
        FilterChanged(codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0, 0, 9, 0, 0, 0),
        FilterChanged(codes.FILTER_MAX_ASSET, 0, 3, 5, 0, 0, 0),
    )

    async def never(make: object) -> CommandOutcome:
        raise AssertionError("to look needs no command")

    lines = await of.carry_out(ShowFilters("BTCUSDT"), never)
    assert lines[0] == "PRICE_FILTER minPrice=0.01000000 maxPrice=1000000.00000000 tickSize=0.01000000"
    assert "MIN_NOTIONAL minNotional=7.00000000 applyToMarket=true avgPriceMins=5" in lines
    assert await of.carry_out(ShowFilters("ALL"), never) == [
        "EXCHANGE_MAX_NUM_ORDERS maxNumOrders=9",
        "MAX_ASSET asset=USDT limit=0.00000005",
    ]
    assert await desk().carry_out(ShowFilters("ALL"), never) == ["no filter is set"]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (ChangeFilter("BTCUSDT", "TICKS", {}), "TICKS is none of PRICE_FILTER, "),
        (ChangeFilter("NOPE", "PRICE_FILTER", {"tickSize": "1"}), "there is no market NOPE"),
        (ChangeFilter("BTCUSDT", "PRICE_FILTER", {}), "PRICE_FILTER cannot be switched off"),
        (ChangeFilter("BTCUSDT", "PRICE_FILTER", {"tick": "1"}), "tick: PRICE_FILTER has minPrice,"),
        (ChangeFilter("BTCUSDT", "PRICE_FILTER", {"tickSize": "0.005"}), "tickSize: 0.005 is finer than "),
        (
            ChangeFilter("BTCUSDT", "MAX_ASSET", {"limit": "1"}),
            "MAX_ASSET is an asset's, and BTCUSDT is none",
        ),
        (ChangeFilter("BTCUSDT", "EXCHANGE_MAX_NUM_ORDERS", {"maxNumOrders": "1"}), "holds for ALL markets"),
        (RetireMarket("ALL"), "there is no market ALL"),
        (ShowFilters("NOPE"), "there is no market NOPE"),
    ],
)
async def test_what_cannot_be_is_said_before_anything_is_sent(
    order: ChangeFilter | RetireMarket | ShowFilters, said: str
) -> None:
    async def never(make: object) -> CommandOutcome:
        raise AssertionError("nothing is sent")

    with pytest.raises(OrderError, match=said):
        await desk().carry_out(order, never)
