"""Passwords that are guessed first are not taken."""

import pytest
from pydantic import ValidationError

from services.user.doors.schemas import SignUpRequest
from services.user.people.password_rules import weakness


@pytest.mark.parametrize(
    "password",
    [
        " " * 8,
        "\t" * 9,
        "\u00a0" * 8,
        "aaaaaaaa",
        "abababab",
        "12341234",
        "password",
        "PassW0rd",
        "1234567890",
    ],
)
def test_what_is_guessed_first_is_not_taken(password: str) -> None:
    assert weakness(password)
    with pytest.raises(ValidationError):
        SignUpRequest.model_validate({"email": "somebody@example.com", "password": password})


@pytest.mark.parametrize(
    "password", ["correct horse battery", "    spaced    ", "пароль-длинный", "x9!kQ2#m"]
)
def test_others_are(password: str) -> None:
    assert weakness(password) is None
    SignUpRequest.model_validate({"email": "somebody@example.com", "password": password})
