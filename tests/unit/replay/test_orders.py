"""A print becomes the trade that it was, in the real engine, within the market's rules."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import Command, CreditDeposit
from exchange.contracts.events import CommandRejected, Event, MarketRegistered, TradeExecuted
from local.replay.orders import MAKER_ID, QUOTER_ID, TAKER_ID, Market
from local.replay.prints import FileError, Print
from matching_engine.core.engine import Engine
from matching_engine.genesis import genesis_commands


class Traded:
    """BTCUSDT in an engine of its own, with money for the three accounts."""

    def __init__(self, levels: int) -> None:
        self.engine = Engine()
        self.number = 0
        events = [event for command in genesis_commands() for event in self.decided(command)]
        rules = next(event for event in events if isinstance(event, MarketRegistered))
        codes_of = {c: n for n, c in self.engine.asset_codes.items()}
        decimals = self.engine.asset_decimals
        for deposit, user_id in enumerate((MAKER_ID, TAKER_ID, QUOTER_ID)):
            for asset_id in codes_of.values():
                money = CreditDeposit(0, user_id, asset_id, 10**17, 10 * deposit + asset_id)
                assert not isinstance(self.decided(money)[0], CommandRejected)
        self.market = Market(rules, 10 ** decimals[codes_of["BTC"]], decimals[codes_of["USDT"]], levels)

    def decided(self, command: Command) -> list[Event]:
        return list(self.engine.apply(command, 1_714_521_600_000))

    def printed(self, price: str, quantity: str, *, is_buyer_maker: bool = False) -> list[TradeExecuted]:
        one = Print(0, "BTCUSDT", price, quantity, is_buyer_maker)
        events = [e for c in self.market.commands(one, self.new_id) for e in self.decided(c)]
        return [event for event in events if isinstance(event, TradeExecuted)]

    def new_id(self) -> int:
        self.number += 1
        return self.number


@pytest.mark.parametrize("is_buyer_maker", [True, False])
@pytest.mark.parametrize("levels", [0, 5])
def test_a_print_is_one_trade_at_its_price(levels: int, is_buyer_maker: bool) -> None:
    traded = Traded(levels)
    rules = traded.market.rules
    for price in ("65000.10", "65000.20", "64000.00", "66000.00"):
        (trade,) = traded.printed(price, "0.01000000", is_buyer_maker=is_buyer_maker)
        assert trade.price_ticks * rules.tick_atoms == round(float(price) * 10**traded.market.quote_decimals)
        assert trade.quantity_lots * rules.lot_atoms * 100 == traded.market.base_unit_atoms
        assert trade.taker_side == (codes.SELL if is_buyer_maker else codes.BUY)
    assert traded.market.adapted == 0


def test_what_the_rules_do_not_allow_becomes_what_they_do() -> None:
    traded = Traded(0)
    (dust,) = traded.printed("65000.00", "0.00000001")
    (whale,) = traded.printed("65000.00", "5000000.0")
    assert 0 < dust.quantity_lots < whale.quantity_lots <= traded.market.rules.quantity_lots_max
    assert traded.market.adapted == 2
    with pytest.raises(FileError, match="BTCUSDT at 0"):
        traded.printed("a lot", "1")
