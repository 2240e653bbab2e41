"""Passwords: right, wrong, absent, and too many at once."""

import asyncio
from collections.abc import Iterator

import pytest

from services.user.people.passwords import Passwords, PasswordsBusyError


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(threads=1, waiting_max=3, deadline_ms=5_000)
    yield made
    made.close()


async def test_only_the_right_password_is_accepted(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    # The first choice of OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.hash("correct horse") != stored
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify("not a hash", "correct horse")
    assert not await passwords.verify(None, "correct horse")


async def test_the_same_letters_are_the_same_password_however_they_are_composed(passwords: Passwords) -> None:
    stored = await passwords.hash("\u00fcber-geheim")
    assert await passwords.verify(stored, "u\u0308ber-geheim")


async def test_a_full_queue_is_refused_at_once(passwords: Passwords) -> None:
    answers = await asyncio.gather(*(passwords.hash("x" * 8) for _ in range(6)), return_exceptions=True)
    assert [isinstance(answer, PasswordsBusyError) for answer in answers] == [False] * 3 + [True] * 3
    assert await passwords.hash("x" * 8)
