"""docs/api.md, pasted into one shell: each call gets the answer that stands below it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from local.exchange_process import ExchangeProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "api.md"
DEADLINE_S: Final = 90
END_OF_BLOCK: Final = "--- the answers of another block ---"
# What differs from one exchange to the next: compared by its kind alone.
VARYING: Final = {
    *("accessToken", "apiKey", "secretKey", "createdAt", "depositId", "email", "uid", "userId"),
    *("clientOrderId", "listClientOrderId", "orderId", "orderListId", "origClientOrderId"),
    *("executionId", "id", "lastUpdateId", "tradeId"),
    *("serverTime", "time", "trailingTime", "transactionTime", "transactTime", "updateTime", "workingTime"),
}
# Names that the document's reader gives by himself.
GIVEN: Final = re.compile(r"my-[a-z-]+")


def blocks() -> list[tuple[str, list[Any]]]:
    """Each block of calls with the answers below it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found: list[tuple[str, list[Any]]] = []
    for language, body in re.findall(r"```(bash|json)\n(.*?)```", text, re.DOTALL):
        if language == "bash":
            found.append((body, []))
        else:
            found[-1][1].extend(values(body))
    return found


def values(text: str) -> list[Any]:
    """The JSON values of a text, one after the other."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        found.append(value)
    return found


def run(url: str) -> list[tuple[str, list[Any]]]:
    """Each block of calls with the answers that an exchange gives."""
    calls = [body for body, _ in blocks()]
    script = f"echo '{END_OF_BLOCK}'\n".join(calls)
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "EXCHANGE": url},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    answers = shell.stdout.split(END_OF_BLOCK)
    return [(body, values(answer)) for body, answer in zip(calls, answers, strict=True)]


def differences(told: Any, got: Any, place: str) -> Iterator[str]:
    """Where an answer is not as the document tells it."""
    name = re.sub(r"\[\d+\]$", "", place).rpartition(".")[2]
    if type(told) is not type(got):
        yield f"{place}: {told!r} is told, {got!r} came"
    elif isinstance(told, dict):
        if list(told) != list(got):
            yield f"{place}: the names {list(told)} are told, {list(got)} came"
        else:
            for key in told:
                yield from differences(told[key], got[key], f"{place}.{key}")
    elif isinstance(told, list):
        if len(told) != len(got):
            yield f"{place}: {len(told)} are told, {len(got)} came"
        for index, (one, other) in enumerate(zip(told, got, strict=False)):
            yield from differences(one, other, f"{place}[{index}]")
    elif told != got and (name not in VARYING or (isinstance(told, str) and GIVEN.fullmatch(told))):
        yield f"{place}: {told!r} is told, {got!r} came"


def test_each_call_is_answered_as_it_is_told(market: ExchangeProcess) -> None:
    told = blocks()
    got = run(market.url)
    assert len(told) == len(got)
    for number, ((body, expected), (_, answers)) in enumerate(zip(told, got, strict=True)):
        found = list(differences(expected, answers, f"block {number}"))
        assert not found, f"{body}\n" + "\n".join(found)


def test_a_difference_is_seen() -> None:
    """The comparison itself: names, kinds, lengths and values, but not the value of an id."""
    told = {"orderId": 7, "clientOrderId": "my-first", "price": "1.0", "fills": [{"qty": "2"}]}
    assert not list(differences(told, {**told, "orderId": 8}, "it"))
    for other in (
        {**told, "orderId": "8"},
        {**told, "clientOrderId": "your-first"},
        {**told, "price": "1.1"},
        {**told, "fills": []},
        {**told, "fills": [{"qty": "3"}]},
        {name: told[name] for name in reversed(told)},
        {**told, "more": 1},
    ):
        assert list(differences(told, other, "it")), other
