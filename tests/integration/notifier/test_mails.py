"""Mails of an exchange on one machine: to whom, what they say, for whose eyes, and how many are kept."""

import asyncio
import stat
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from exchange.adapters.files.mails import MailFolder
from exchange.ports.messages import Announcement, MessageError
from exchange.process.components import Resources
from exchange.security import audit_log
from exchange.security.audit_log import Act
from local.mails import folder_of_mails, shown
from local.market_maker.account import AccountStore, house_addresses
from local.notices import notice_components
from services.notifier.notices import DEPOSIT, FILL, Notice
from services.notifier.outlet import Outlet
from tests.at_work import eventually, running

pytestmark = pytest.mark.integration


async def address_of(user_id: int) -> str | None:
    return None if user_id < 1_000 else f"user-{user_id}@example.com"


def announcement(number: int, user_id: int = 1_001, text: str = "It has arrived.") -> Announcement:
    attributes = {"user_id": str(user_id), "kind": DEPOSIT, "notice_id": f"0.{number}.deposit"}
    return Announcement("Your deposit has arrived", text, "{}", attributes)


async def test_a_mail_is_a_file_for_its_owner_s_eyes_and_a_repeat_replaces_it(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mails", address_of)
    await folder.publish(announcement(1))
    await folder.publish(announcement(1, text="Zwölf BTC."))
    await folder.publish(announcement(2, user_id=4))
    (mail,) = (tmp_path / "mails").iterdir()
    assert stat.S_IMODE(mail.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "mails").stat().st_mode) == 0o700
    read = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert (read["To"], read["Subject"]) == ("user-1001@example.com", "Your deposit has arrived")
    assert "Zwölf BTC." in shown(list((tmp_path / "mails").iterdir()))[0]


async def test_so_many_are_kept_the_newest(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path, address_of, mails_max=20)
    for number in range(50):
        await folder.publish(announcement(number))
    names = {mail.stem for mail in tmp_path.iterdir()}
    assert 18 <= len(names) <= 20
    assert "0.49.deposit" in names
    assert "0.29.deposit" not in names


async def test_no_name_leads_out_of_the_folder_and_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mails", address_of)
    await folder.publish(announcement(1)._replace(
        attributes={"user_id": "1001", "kind": DEPOSIT, "notice_id": "../../away"}
    ))  # fmt: skip
    assert [mail.name for mail in (tmp_path / "mails").iterdir()] == [".._.._away.eml"]
    (tmp_path / "file").touch()
    with pytest.raises(MessageError):
        await MailFolder(tmp_path / "file", address_of).publish(announcement(1))


async def test_what_somebody_did_is_mailed_to_him_with_the_link_that_he_needs(resources: Resources) -> None:
    settings = resources.settings.model_copy(update={"public_url": "http://127.0.0.1:8080"})
    async with running(*notice_components(replace(resources, settings=settings))):
        async with resources.database.acquire() as connection:
            await eventually_begun(connection)
            user_id = await connection.fetchval(
                "INSERT INTO users (email, created_ms) VALUES ('alice@example.com', 1) RETURNING user_id"
            )
            async with connection.transaction():
                act = Act("password-reset-asked", user_id, "192.0.2.7", 5, {})
                await audit_log.append(connection, act)
        folder = folder_of_mails(settings.data_dir)
        await eventually(lambda: bool(list(folder.glob("*.eml"))))
    (mail,) = shown(list(folder.iterdir()))
    assert "to alice@example.com\nSet a new password\n" in mail
    assert "http://127.0.0.1:8080/terminal/#reset=" in mail


async def test_nothing_is_written_to_the_exchange_s_own_bots(resources: Resources, tmp_path: Path) -> None:
    """They log in at each start, and who runs `make mails` looks for what came to him."""
    accounts = tmp_path / "market_maker.json"
    house = house_addresses(accounts)
    bots = [AccountStore(accounts).login(role)["email"] for role in ("market-maker", "market-taker")]
    async with running(*notice_components(resources, house)):
        async with resources.database.acquire() as connection:
            await eventually_begun(connection)
            for email in (*bots, "carol@example.com"):
                user_id = await connection.fetchval(
                    "INSERT INTO users (email, created_ms) VALUES ($1, 1) RETURNING user_id", email
                )
                async with connection.transaction():
                    await audit_log.append(connection, Act("log-in", user_id, "192.0.2.7", 5, {}))
        folder = folder_of_mails(resources.settings.data_dir)
        await eventually(lambda: bool(list(folder.glob("*.eml"))))
        async with resources.database.acquire() as connection:
            for _ in range(600):
                if await connection.fetchval("SELECT count(*) FROM message_queue") == 0:
                    break
                await asyncio.sleep(0.05)
    assert [mail.splitlines()[0].rpartition("  to ")[2] for mail in shown(list(folder.glob("*.eml")))] == [
        "carol@example.com"
    ]


async def eventually_begun(connection: object) -> None:
    for _ in range(600):
        count = await connection.fetchval(  # type: ignore[attr-defined]
            "SELECT count(*) FROM notice_positions WHERE source = 'logins'"
        )
        if count:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the notifier never began")


class Taken:
    """A queue that takes all."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def put(self, messages: list[tuple[str, str]]) -> None:
        self.ids += [message[0] for message in messages]


async def test_kinds_that_are_not_told_reach_no_queue() -> None:
    taken = Taken()
    outlet = Outlet(taken, None, frozenset({FILL}))  # type: ignore[arg-type]
    await outlet.send([Notice("1", 1, FILL, 1, {}, ""), Notice("2", 1, DEPOSIT, 1, {}, "")])
    await outlet.send([Notice("3", 1, FILL, 1, {}, "")])
    assert taken.ids == ["2"]
