"""A recorded book, order by order, in the real engine: what rests, what is executed, what is neither."""

from pathlib import Path

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CreditDeposit
from exchange.contracts.events import CommandRejected, TradeExecuted
from local.replay.book import OWNERS
from local.replay.files import check_beginnings, merged, symbols
from local.replay.messages import Kind, Message, market_of_messages, messages_of
from local.replay.prints import FileError
from tests.unit.replay.test_orders import Traded

NAME = "AAPL_2012-06-21_34200000_57600000_message_10"
LINES = [
    "34200.004241176,1,16113575,18,5853300,1",
    "34200.025551909,2,16113575,8,5853300,1",
    "34200.201743700,4,16113575,10,5853300,1",
    "34200.3,5,0,7,5853350,-1",
    "34200.4,7,0,0,-1,-1",
    "34201,3,16113575,10,5853300,1",
]


def test_lines_are_read_as_they_are_and_a_halt_is_left_out() -> None:
    found = list(messages_of(NAME, LINES))
    assert [one.kind for one in found] == [1, 2, 4, 5, 3]
    midnight_ms = 1_340_236_800_000
    assert found[0] == Message(
        midnight_ms + 34_200_004, "AAPLUSD", Kind.PLACED, 16_113_575, "18", "585.3300", is_buy=True
    )
    assert found[3] == Message(midnight_ms + 34_200_300, "AAPLUSD", Kind.HIDDEN, 0, "7", "585.3350", False)
    assert market_of_messages(NAME) == "AAPLUSD"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("34200.1,1,2,3,4", "5 columns"),
        ("noon,1,2,3,4,1", "no time"),
        ("86400,1,2,3,4,1", "no time"),
        ("34200,9,2,3,4,1", "no kind"),
        ("34200,1,2,3,4,2", "no direction"),
        ("34200,1,2,-3,4,1", "no whole numbers"),
    ],
)
def test_what_is_no_message_is_told_by_its_line(line: str, fault: str) -> None:
    with pytest.raises(FileError, match=rf"{NAME}, line 2: .*{fault}"):
        list(messages_of(NAME, [LINES[0], line]))
    with pytest.raises(FileError, match="before that of the line before"):
        list(messages_of(NAME, [LINES[1], LINES[0]]))


class Recorded(Traded):
    """The same engine, with money for those whose orders are recorded."""

    def __init__(self) -> None:
        super().__init__(0)
        for at, user_id in enumerate(OWNERS):
            for asset_id in self.engine.asset_codes:
                money = CreditDeposit(0, user_id, asset_id, 10**15, 10_000 + 10 * at + asset_id)
                assert not isinstance(self.decided(money)[0], CommandRejected)

    def happens(
        self, kind: int, order_id: int, quantity: str, price: str, *, is_buy: bool
    ) -> list[TradeExecuted]:
        one = Message(0, "BTCUSDT", kind, order_id, quantity, price, is_buy)
        events = [e for c in self.market.commands(one, self.new_id) for e in self.decided(c)]
        return [event for event in events if isinstance(event, TradeExecuted)]

    def depth(self, side: int) -> list[tuple[int, int]]:
        """Levels as price in cents and size in thousandths of a bitcoin."""
        rules = self.market.rules
        book = self.engine.markets[rules.market_id].book
        return [
            (
                ticks * rules.tick_atoms // 10 ** (self.market.quote_decimals - 2),
                lots * rules.lot_atoms // 10**5,
            )
            for ticks, lots in book.depth(side, 10)
        ]


def test_a_book_is_what_its_messages_say() -> None:
    recorded = Recorded()
    for order_id, quantity, price in (
        (1, "0.010", "65000.00"),
        (2, "0.020", "65000.00"),
        (43, "0.030", "64999.00"),
    ):
        assert recorded.happens(Kind.PLACED, order_id, quantity, price, is_buy=True) == []
    recorded.happens(Kind.PLACED, 4, "0.040", "65010.00", is_buy=False)
    assert recorded.depth(codes.BUY) == [(6_500_000, 30), (6_499_900, 30)]
    recorded.happens(Kind.REDUCED, 1, "0.004", "65000.00", is_buy=True)
    assert recorded.depth(codes.BUY) == [(6_500_000, 26), (6_499_900, 30)]
    # Smaller, it is still the first of its price: it is what the file says that was hit.
    (trade,) = recorded.happens(Kind.EXECUTED, 1, "0.006", "65000.00", is_buy=True)
    assert trade.price_ticks * recorded.market.rules.tick_atoms == 65_000 * 10**recorded.market.quote_decimals
    assert recorded.depth(codes.BUY) == [(6_500_000, 20), (6_499_900, 30)]
    recorded.happens(Kind.CANCELLED, 2, "0.020", "65000.00", is_buy=True)
    assert recorded.depth(codes.BUY) == [(6_499_900, 30)]
    # All that is left is taken back by taking it back.
    recorded.happens(Kind.REDUCED, 43, "0.030", "64999.00", is_buy=True)
    assert recorded.depth(codes.BUY) == []
    assert recorded.depth(codes.SELL) == [(6_501_000, 40)]


@pytest.mark.parametrize(("kind", "order_id"), [(Kind.HIDDEN, 0), (Kind.EXECUTED, 99)])
def test_what_nobody_saw_being_placed_is_traded_all_the_same(kind: int, order_id: int) -> None:
    recorded = Recorded()
    (trade,) = recorded.happens(kind, order_id, "0.010", "65000.00", is_buy=False)
    assert trade.price_ticks * recorded.market.rules.tick_atoms == 65_000 * 10**recorded.market.quote_decimals
    assert recorded.depth(codes.BUY) == recorded.depth(codes.SELL) == []
    # And what is taken back of it is nothing that this book has.
    assert recorded.happens(Kind.CANCELLED, 99, "0.010", "65000.00", is_buy=False) == []


def test_a_file_s_market_is_its_stock_in_dollars(tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.csv"
    file.write_text("\n".join(LINES), "ascii")
    check_beginnings([file])
    assert symbols([file]) == {"AAPLUSD"}
    assert [one.time_ms for one in merged([file], 1)] == [one.time_ms for one in messages_of(NAME, LINES)]
