"""Promises to browsers: who is connected gets his notices, nobody else does, and who is gone is forgotten.

The register is DynamoDB (an emulator over HTTP). The emulator's API Gateway never says that a connection is
gone, so a small server plays the management API.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from exchange.adapters.browser_connections import ApiGatewayPusher, DynamoConnections
from exchange.adapters.notice_channels import browsers
from exchange.config import Settings, SettingsError
from exchange.message_ports import MessageError
from services.notifier.notices import Notice, login_notice
from services.notifier.outlet import WAITING_MAX, BrowserPush
from tests.integration.notifier.conftest import Estate
from tests.integration.projections.conftest import Running

pytestmark = pytest.mark.integration


class Management:
    """API Gateway's management API: `open` connections take frames, others are 410 Gone."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.broken: set[str] = set()
        self.frames: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stage, _, connection_id = unquote(self.path).partition("/@connections/")
                assert stage == "/live"
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = 200 if connection_id in outer.open else 410
                if connection_id in outer.broken:
                    status = 500
                if status == 200:
                    outer.frames.append((connection_id, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/live"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def notices(self, connection_id: str) -> list[Notice]:
        return [Notice.decode(body) for to, body in self.frames if to == connection_id]


@pytest.fixture
def management() -> Iterator[Management]:
    made = Management()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


async def test_a_notice_reaches_every_connection_of_its_user_and_a_gone_one_is_removed(
    estate: Estate, management: Management
) -> None:
    windows = browsers(
        Settings(notices_connections_table=estate.connections_table, notices_connections_url=management.url)
    )
    assert windows is not None
    for connection_id, user_id in (("a=", 1001), ("b=", 1001), ("gone=", 1001), ("c=", 1002)):
        await windows.connections.add(connection_id, user_id, 2_000_000_000)
    management.open = {"a=", "b=", "c="}
    push = BrowserPush(*windows)
    notice = login_notice(1, 1001, 1, "::1")
    await push.push(notice)
    assert management.notices("a=") == management.notices("b=") == [notice]
    assert management.notices("c=") == []
    assert sorted(await windows.connections.of_user(1001)) == ["a=", "b="]
    await windows.connections.remove("a=")
    await windows.connections.remove("a=")
    assert await windows.connections.of_user(1001) == ["b="]
    assert await windows.connections.of_user(1003) == []
    for channel in windows:
        await channel.close()


async def test_a_push_that_fails_keeps_the_connection_and_the_next_notice_comes(
    estate: Estate, management: Management
) -> None:
    connections = DynamoConnections(estate.connections_table, 5_000)
    pusher = ApiGatewayPusher(management.url, 5_000)
    await connections.add("a=", 1001, 2_000_000_000)
    management.open, management.broken = {"a="}, {"a="}
    push = BrowserPush(connections, pusher)
    with pytest.raises(MessageError, match="push"):
        await push.push(login_notice(1, 1001, 1, "::1"))
    management.broken = set()
    running = Running([push])
    await running.start()
    push.add(login_notice(2, 1001, 1, "::1"))
    await running.until(lambda: len(management.notices("a=")) == 1)
    await running.stop()
    assert [notice.notice_id for notice in management.notices("a=")] == ["login.2"]
    for channel in (connections, pusher):
        await channel.close()


def test_when_too_many_wait_the_oldest_are_dropped(estate: Estate) -> None:
    push = BrowserPush(
        DynamoConnections(estate.connections_table, 1_000), ApiGatewayPusher("http://127.0.0.1:1", 1_000)
    )
    for number in range(WAITING_MAX + 5):
        push.add(login_notice(number, 1001, 1, "::1"))
    assert push._waiting.qsize() == WAITING_MAX
    assert push._waiting.get_nowait().notice_id == "login.5"


def test_half_of_the_way_to_browsers_is_a_mistake() -> None:
    assert browsers(Settings()) is None
    with pytest.raises(SettingsError, match="both or neither"):
        browsers(Settings(notices_connections_table="t"))
