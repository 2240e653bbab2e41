"""The OpenAPI document of the public API is true: every endpoint, every name, every example is sent."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from services.market_data.rest.documents import EXAMPLES
from tests.event_streams import RandomTrading
from tests.unit.market_data.services import OfflineService

# What no market has is refused in these words, whatever is sent.
REFUSED = {"/api/v3/referencePrice": -2043, "/api/v3/referencePrice/calculation": -2043}


@pytest.fixture
def offline() -> OfflineService:
    offline = OfflineService()
    trading = RandomTrading(31)
    trading.run(300)
    offline.apply(trading.stream.outcomes)
    offline.now_ms = offline.state.time_ms + 5_000
    return offline


async def described(offline: OfflineService) -> dict[str, Any]:
    answer = await offline.get("/api/v3/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    shape: dict[str, Any] = answer.json()
    return shape


async def test_it_has_every_endpoint_and_no_other(offline: OfflineService) -> None:
    served = {one.path for group in offline.service.endpoint_groups for one in group.endpoints()}
    assert set((await described(offline))["paths"]) == served
    assert set(EXAMPLES) == {path for path in served if path.startswith("/api/")}


@pytest.mark.parametrize("path", EXAMPLES)
async def test_what_it_says_of_an_endpoint_is_so(offline: OfflineService, path: str) -> None:
    shape = (await described(offline))["paths"][path]["get"]
    example = {one["name"]: one["example"] for one in shape["parameters"] if "example" in one}
    assert urlencode(example) == urlencode(sorted(parse_qsl(EXAMPLES[path][1])))
    answer = await offline.get(f"{path}?{urlencode(example)}")
    expected = REFUSED.get(path)
    assert answer.status_code == (400 if expected else 200), answer.text
    assert expected is None or answer.json()["code"] == expected
    for one in shape["parameters"]:
        if one["required"]:
            fewer = {name: value for name, value in example.items() if name != one["name"]}
            assert (await offline.get(f"{path}?{urlencode(fewer)}")).json()["code"] == -1102
    # No name is read that it does not tell of.
    assert (await offline.get(f"{path}?{urlencode({**example, 'color': 'red'})}")).json()["code"] in (
        -1104,
        -1101,
    )


async def test_the_page_links_to_the_documents_and_loads_nothing(offline: OfflineService) -> None:
    answer = await offline.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("/api/v3/openapi.json", "/sapi/openapi.json", "/v1/openapi.json"):
        assert f'href="{path}"' in answer.text
    assert "GET /api/v3/depth" in answer.text
    assert "<script" not in answer.text
