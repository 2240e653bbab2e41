"""Dashboards go into a Grafana by its API as compose mounts them; Grafana is played."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.dashboards.__main__ import GrafanaError, publish

FOLDER = Path(__file__).parents[2] / "infra" / "grafana" / "dashboards"
METRICS = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/"


class Grafana:
    """Sources by uid and by name, dashboards by uid, as Grafana's "HTTP API" documents them."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != "Bearer of-a-service-account":
            return httpx.Response(401, json={"message": "Unauthorized"})
        body = json.loads(request.content)
        match request.method, request.url.path.split("/")[2:]:
            case "POST", ["datasources"]:
                if body["name"] in {each["name"] for each in self.sources.values()}:
                    return httpx.Response(
                        409, json={"message": "data source with the same name already exists"}
                    )
                self.sources[body["uid"]] = body
            case "PUT", ["datasources", "uid", uid] if uid in self.sources:
                self.sources[uid] = body
            case "POST", ["dashboards", "db"]:
                board = body["dashboard"]
                if board["id"] is not None:
                    return httpx.Response(404, json={"message": "Dashboard not found"})
                if board["uid"] in self.boards and not body["overwrite"]:
                    return httpx.Response(412, json={"status": "name-exists"})
                self.boards[board["uid"]] = board
            case _:
                return httpx.Response(404, json={"message": "Not found"})
        return httpx.Response(200, json={})


def client(grafana: Grafana, token: str = "of-a-service-account") -> httpx.Client:
    return httpx.Client(
        base_url="https://grafana.example",
        headers={"Authorization": f"Bearer {token}"},
        transport=httpx.MockTransport(grafana),
    )


def test_every_dashboard_and_the_source_that_they_ask_is_there_also_the_second_time() -> None:
    grafana = Grafana()
    for _ in range(2):
        with client(grafana) as connected:
            lines = list(publish(connected, METRICS, "eu-central-1"))
        assert len(lines) == 1 + len(list(FOLDER.glob("*.json")))
    (source,) = grafana.sources.values()
    assert source["url"] == METRICS.rstrip("/")
    assert source["jsonData"]["sigV4Region"] == "eu-central-1"
    asked = set()
    for path in FOLDER.glob("*.json"):
        board = json.loads(path.read_text("utf-8"))
        assert grafana.boards[board["uid"]]["panels"] == board["panels"]
        asked |= {panel["datasource"]["uid"] for panel in board["panels"] if "datasource" in panel}
    assert asked <= set(grafana.sources), "panels ask a source by its uid"


def test_what_grafana_refuses_is_said_in_its_words() -> None:
    refused = pytest.raises(GrafanaError, match=r"401 .*Unauthorized")
    with client(Grafana(), "of-nobody") as connected, refused:
        list(publish(connected, METRICS, "eu-central-1"))
