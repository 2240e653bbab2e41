"""Promises of notices: each event's people are told, once each, in words and decimals, with a stable name."""

import pytest

from exchange.contracts import codes
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    MarketRegistered,
    TradeExecuted,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from services.notifier.notices import (
    Notice,
    NoticeError,
    NoticeMaker,
    UnknownNameError,
    subject_of,
)
from tests.event_streams import EventStream, RandomTrading
from tests.notices import login_notice

TRADE = TradeExecuted(
    *(1, 77, codes.SELL, 5_000_001, 250, 25_000_000, 1_250_000_025_000),
    *(11, 1001, 25_000, 0),
    *(12, 1002, 1_250_000_025),
)


@pytest.fixture
def maker() -> NoticeMaker:
    made = NoticeMaker(0)
    made.add_asset(1, "BTC", 8)
    made.add_asset(3, "USDT", 8)
    made.add_market(1, "BTCUSDT", 1, 3, 1_000_000, 100_000)
    return made


def test_a_fill_tells_maker_and_taker_what_each_of_them_did(maker: NoticeMaker) -> None:
    bought, sold = maker.notices_of(EventStream().append(TRADE, time_ms=5))
    assert (bought.notice_id, bought.user_id, bought.kind, bought.time) == ("0.1.maker", 1001, "FILL", 5)
    assert bought.fields == {
        "symbol": "BTCUSDT",
        "orderId": "11",
        "tradeId": "77",
        "side": "BUY",
        "role": "MAKER",
        "price": "50000.01000000",
        "quantity": "0.25000000",
        "quoteQuantity": "12500.00025000",
        "fee": "0.00025000",
        "feeAsset": "BTC",
    }
    assert bought.text == "Your order 11 bought 0.25000000 BTC at 50000.01000000 USDT (BTCUSDT)."
    assert (sold.notice_id, sold.user_id) == ("0.1.taker", 1002)
    assert (sold.fields["side"], sold.fields["role"]) == ("SELL", "TAKER")
    assert (sold.fields["fee"], sold.fields["feeAsset"]) == ("12.50000025", "USDT")


def test_a_fee_is_told_in_the_asset_in_which_it_was_paid(maker: NoticeMaker) -> None:
    maker.add_asset(2, "ETH", 6)
    trade = TradeExecutedWithDiscount(1, 1, codes.BUY, 1, 1, 1, 1, 11, 1001, 0, 0, 12, 1002, 7, 2, 1_500, 0)
    told = {n.user_id: n.fields for n in maker.notices_of(EventStream().append(trade))}
    assert [(told[user]["fee"], told[user]["feeAsset"]) for user in (1001, 1002)] == [
        ("0.001500", "ETH"),
        ("0.00000007", "USDT"),
    ]


def test_who_trades_with_himself_gets_two_notices(maker: NoticeMaker) -> None:
    trade = TradeExecuted(1, 1, codes.BUY, 1, 1, 1, 1, 11, 1001, 0, 0, 12, 1001, 0)
    notices = maker.notices_of(EventStream().append(trade))
    assert [(n.user_id, n.fields["role"], n.fields["orderId"]) for n in notices] == [
        (1001, "MAKER", "12"),
        (1001, "TAKER", "11"),
    ]
    assert len({n.notice_id for n in notices}) == 2


def test_money_that_comes_goes_or_stays_is_told(maker: NoticeMaker) -> None:
    stream = EventStream()
    outcome = stream.append(
        DepositCredited(1001, 1, 150_000_000, 5),
        WithdrawalReserved(1001, 3, 1, 8, "bc1"),
        WithdrawalSettled(1001, 3, 1, 8),
        WithdrawalReleased(1002, 3, 12_345_678, 9),
        CommandRejected(1001, 1, codes.REJECT_MALFORMED, "", ""),
    )
    told = [(n.notice_id, n.user_id, n.kind, n.fields) for n in maker.notices_of(outcome)]
    assert told == [
        ("0.1.deposit", 1001, "DEPOSIT", {"asset": "BTC", "amount": "1.50000000", "depositId": "5"}),
        (
            *("0.2.withdrawal", 1001, "WITHDRAWAL_RESERVED"),
            {"asset": "USDT", "amount": "0.00000001", "withdrawalId": "8", "address": "bc1"},
        ),
        (
            *("0.3.withdrawal", 1001, "WITHDRAWAL_SETTLED"),
            {"asset": "USDT", "amount": "0.00000001", "withdrawalId": "8"},
        ),
        (
            *("0.4.withdrawal", 1002, "WITHDRAWAL_REFUSED"),
            {"asset": "USDT", "amount": "0.12345678", "withdrawalId": "9"},
        ),
    ]


def test_names_come_from_the_log_too() -> None:
    maker = NoticeMaker(0)
    stream = EventStream()
    with pytest.raises(UnknownNameError, match="market 1"):
        maker.notices_of(stream.append(TRADE))
    with pytest.raises(UnknownNameError, match="asset 1"):
        maker.notices_of(stream.append(DepositCredited(1001, 1, 1, 1)))
    market = MarketRegistered(1, "BTCUSDT", 1, 3, 1_000_000, 100_000, *([1] * 15))
    registered = stream.append(AssetRegistered(1, "BTC", 8), AssetRegistered(3, "USDT", 8), market)
    assert maker.notices_of(registered) == []
    assert len(maker.notices_of(stream.append(TRADE))) == 2


def test_the_same_events_give_the_same_notices_and_no_name_twice() -> None:
    seed = 20261121
    print("seed", seed)
    trading = RandomTrading(seed)
    trading.run(2_000)
    first, second = NoticeMaker(0), NoticeMaker(0)
    notices = [n for outcome in trading.stream.outcomes for n in first.notices_of(outcome)]
    assert notices == [n for outcome in trading.stream.outcomes for n in second.notices_of(outcome)]
    assert len({n.notice_id for n in notices}) == len(notices) > 200
    assert {n.kind for n in notices} >= {"FILL", "DEPOSIT", "WITHDRAWAL_SETTLED", "WITHDRAWAL_REFUSED"}
    for notice in notices:
        assert Notice.decode(notice.encode()) == notice


def test_a_login_is_told_with_its_address() -> None:
    notice = login_notice(17, 1001, 9, "192.0.2.7")
    assert notice.notice_id == "login.17"
    assert "192.0.2.7" in notice.text
    assert subject_of(notice).isascii()


def test_a_notice_is_json_with_the_names_that_people_read() -> None:
    assert (
        login_notice(17, 1001, 9, "::1")
        .encode()
        .startswith(
            '{"noticeId":"login.17","userId":1001,"kind":"LOGIN","time":9,"fields":{"ip":"::1"},"text":"Somebody'
        )
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        "\udcff",
        "[" * 100_000,
        '{"noticeId":"a","userId":1,"kind":"LOGIN","time":1,"fields":{},"text":"","more":1}',
        '{"noticeId":"a","userId":1,"kind":"OTHER","time":1,"fields":{},"text":""}',
        '{"noticeId":"a","userId":0,"kind":"LOGIN","time":1,"fields":{},"text":""}',
        '{"noticeId":"","userId":1,"kind":"LOGIN","time":1,"fields":{},"text":""}',
        '{"noticeId":"a","userId":"1","kind":"LOGIN","time":1,"fields":{},"text":""}',
        '{"noticeId":"a","userId":1,"kind":"LOGIN","time":1,"fields":{"a":1},"text":""}',
    ],
)
def test_what_is_no_notice_is_refused_and_nothing_else_is_raised(body: str) -> None:
    with pytest.raises(NoticeError):
        Notice.decode(body)
