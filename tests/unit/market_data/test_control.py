"""Control messages of a stream connection."""

import orjson
import pytest

from services.market_data.streams.control import ControlError, parse_request
from services.market_data.streams.names import parse_stream_name


@pytest.mark.parametrize(
    "request_id", [0, 1, -5, 2**63 - 1, "a-b", "123e4567-e89b-12d3-a456-426614174000", None]
)
def test_the_id_comes_back_with_its_type(request_id: object) -> None:
    text = orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": request_id}).decode()
    assert parse_request(text).request_id == request_id


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("nonsense", 3),
        ("[]", 2),
        ('{"id":1}', 2),
        ('{"method":"JUMP","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"a","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":["SUBSCRIBE"],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":1.5}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":true}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":9223372036854775808}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":"%s"}' % ("x" * 37), 2),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1),
        ('{"method":"SET_PROPERTY","params":["combined",true,true],"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":[1,true],"id":1}', 2),
        ('{"method":"GET_PROPERTY","params":["speed"],"id":1}', 0),
    ],
)
def test_what_cannot_be_obeyed_is_answered_with_a_code(text: str, code: int) -> None:
    with pytest.raises(ControlError) as raised:
        parse_request(text)
    answer = orjson.loads(raised.value.message)
    assert answer["code"] == code
    assert answer["msg"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("btcusdt@trade", "trade"),
        ("btcusdt@aggTrade", "aggTrade"),
        ("btcusdt@depth", "depth_slow"),
        ("btcusdt@depth@1000ms", "depth_slow"),
        ("btcusdt@depth@100ms", "depth_fast"),
        ("btcusdt@depth20", "partial_slow"),
        ("btcusdt@depth5@100ms", "partial_fast"),
        ("btcusdt@kline_1M", "kline"),
        ("btcusdt@kline_1m@+08:00", "kline"),
        ("btcusdt@ticker_4h", "ticker_4h"),
        ("!miniTicker@arr", "!miniTicker"),
        ("!miniTicker@arr@1000ms", "!miniTicker"),
        ("!ticker_1d@arr", "!ticker_1d"),
    ],
)
def test_stream_names_are_understood(name: str, kind: str) -> None:
    parsed = parse_stream_name(name)
    assert parsed is not None
    assert parsed.kind == kind


@pytest.mark.parametrize(
    "name",
    [
        "0",
        "btcusdt@kline_1m@+05:45",
        "btcusdt@kline_1M@-08:00",
        "BTCUSDT@trade",
        "btcusdt@depth7",
        "btcusdt@kline_7m",
        "btcusdt",
        "@trade",
        "!x@arr",
        "",
    ],
)
def test_names_that_mean_nothing_are_none(name: str) -> None:
    assert parse_stream_name(name) is None
