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


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (
            {"email": "x@example.com", "password": "short"},
            [{"pointer": "#/password", "detail": "at least 8 characters"}],
        ),
        (
            {"email": 5, "nickname": "x"},
            [
                {"pointer": "#/email", "detail": 'a text in quotes, such as "10"'},
                {"pointer": "#/password", "detail": "missing"},
                {"pointer": "#/nickname", "detail": "no such field"},
            ],
        ),
        ([], [{"pointer": "#", "detail": "a JSON object"}]),
    ],
)
async def test_a_slip_in_the_body_is_told_without_the_parser_s_words(
    exchange: Exchange, body: object, faults: list[dict[str, str]]
) -> None:
    """A password once "should have at least 8 items after validation, not 5"."""
    answer = await exchange.client.post("/v1/users", json=body)
    assert_problem(answer, 422)
    assert answer.json()["errors"] == faults
    assert "validation" not in answer.text


async def test_choices_and_parameters_are_told_as_people_say_them(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    for permissions, words in (
        ([], "choose at least 1"),
        ("READ", "a list in square brackets"),
        (["read"], "one of 'READ', 'TRADE' or 'WITHDRAW'"),
    ):
        body = {"label": "x", "permissions": permissions}
        answer = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
        assert [fault["detail"] for fault in answer.json()["errors"]] == [words]
    answer = await exchange.client.get("/v1/deposits?limit=many", headers=person.headers)
    assert answer.json()["errors"] == [{"parameter": "limit", "detail": "a whole number"}]
