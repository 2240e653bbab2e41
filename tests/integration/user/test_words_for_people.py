"""What a person is told of a field is a sentence, never a pattern; and it is the right one."""

import pytest

from tests.integration.user.conftest import Exchange, assert_problem

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"asset": "USDT", "amount": "1,000"}, "an amount is digits with at most one point, such as 100.25"),
        ({"asset": "USDT", "amount": "99999999999999999999"}, "more USDT than the exchange can hold"),
        ({"asset": "USDT", "amount": "0.123456789"}, "at most 8 decimals for USDT"),
        ({"asset": "usdt", "amount": "1"}, "an asset is named by capital letters and digits, such as USDT"),
    ],
)
async def test_a_field_is_explained_in_words(exchange: Exchange, body: dict[str, str], words: str) -> None:
    person = await exchange.signed_in()
    answer = await exchange.client.post("/v1/deposits", json=body, headers=person.headers)
    assert_problem(answer, 422)
    assert [fault["detail"] for fault in answer.json()["errors"]] == [words]
    assert "^" not in answer.text
    assert "{" not in answer.json()["errors"][0]["detail"]


async def test_a_password_of_spaces_is_not_taken(exchange: Exchange) -> None:
    answer = await exchange.client.post(
        "/v1/users", json={"email": "spaces@example.com", "password": " " * 8}
    )
    assert_problem(answer, 422)
    assert answer.json()["errors"] == [{"pointer": "#/password", "detail": "not only spaces"}]
