"""Promises of mail: what a person asked for reaches him, and nobody else."""

import asyncio
import dataclasses
import uuid
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from moto.ses.models import ses_backends

from exchange.adapters.aws.ses import SesMailer
from exchange.adapters.aws.sns import SnsTopic
from exchange.adapters.aws.sqs import SqsQueue
from exchange.ports.messages import MessageError
from exchange.process.components import Resources
from services.notifier.acts import ActFollower
from services.notifier.addresses import Addresses
from services.notifier.aws_lambda import main as aws_lambda
from services.notifier.notices import MAILED, Notice
from services.notifier.outlet import Outlet
from services.notifier.worker import NoticeWorker
from tests.integration.notifier.conftest import Estate, arrived
from tests.integration.notifier.test_aws_lambda import record
from tests.integration.notifier.test_notifier import act
from tests.notices import login_notice, reset_notice

pytestmark = pytest.mark.integration

SENDER = "no-reply@trade.exchange.example"


@pytest.fixture
def person(estate: Estate) -> Iterator[str]:
    """An address of the test's own; SES knows our domain."""
    client = boto3.client("sesv2")
    client.create_email_identity(EmailIdentity=SENDER.partition("@")[2])
    yield f"{uuid.uuid4().hex[:12]}@example.com"
    client.close()


def mails_to(person: str) -> list[str]:
    """What SES, which runs in a thread of this process, has sent to the address."""
    sent = ses_backends["123456789012"]["eu-central-1"].sent_messages
    return [str(vars(mail)) for mail in sent if person in str(vars(mail))]


async def sign_up(resources: Resources, user_id: int, address: str) -> None:
    await resources.database.execute(
        "INSERT INTO users (user_id, email, password_hash, created_ms) OVERRIDING SYSTEM VALUE "
        "VALUES ($1, $2, $3, 1)",
        user_id,
        address,
        "x",
    )


def test_only_what_its_owner_asked_for_goes_by_mail() -> None:
    assert {"PASSWORD_RESET", "MAIL_ASKED", "MAIL_ENDED"} == MAILED


async def test_a_link_for_a_new_password_reaches_its_owner_and_nobody_else(
    resources: Resources, estate: Estate, person: str
) -> None:
    await sign_up(resources, 1001, person)
    addresses = Addresses(resources.database, 5_000, is_there_mail=True)
    reset, login = await addresses.add([reset_notice(1, 1001), login_notice(2, 1001, 1, "::1")])
    assert (reset.address, login.address) == (person, "")
    queue, topic = SqsQueue(estate.queue_url, 5_000), SnsTopic(estate.topic_arn, 5_000)
    mailer = SesMailer(SENDER, 5_000)
    pushed: list[Notice] = []

    class Browsers:
        def add(self, notice: Notice) -> None:
            pushed.append(notice)

    try:
        await Outlet(queue, Browsers()).send([reset, login])  # type: ignore[arg-type]
        worker = NoticeWorker(queue, topic, mailer)
        while await worker.work_once(100):
            pass
    finally:
        for channel in (queue, topic, mailer):
            await channel.close()
    (mail,) = mails_to(person)
    assert SENDER in mail
    assert "Set a new password" in mail
    told = await asyncio.to_thread(arrived, estate.subscriber_url)
    assert [Notice.decode(body["Message"]).kind for body in told] == ["LOGIN"], "not to the topic"
    assert [notice.kind for notice in pushed] == ["LOGIN"], "not to a browser"


async def test_without_mail_all_goes_to_the_topic_as_before(resources: Resources) -> None:
    await sign_up(resources, 1001, "somebody@example.com")
    (notice,) = await Addresses(resources.database, 5_000, is_there_mail=False).add([reset_notice(1, 1001)])
    assert notice == reset_notice(1, 1001)
    assert "address" not in msgspec.json.decode(notice.encode())


async def test_the_follower_of_acts_adds_the_address(
    resources: Resources, estate: Estate, person: str
) -> None:
    await sign_up(resources, 1001, person)
    settings = resources.settings.model_copy(update={"notices_mail_from": SENDER})
    resources = dataclasses.replace(resources, settings=settings)
    queue = SqsQueue(estate.queue_url, 5_000)
    follower = ActFollower(resources, Outlet(queue, None))
    try:
        await follower._forward()
        await act(resources, "password-reset-asked", 1001, 1)
        await follower._forward()
        (message,) = await queue.receive(1_000)
    finally:
        await queue.close()
    assert Notice.decode(message.body).address == person


def test_the_function_mails_and_reports_what_has_no_address(
    estate: Estate, person: str, monkeypatch: pytest.MonkeyPatch, cold_functions: None
) -> None:
    monkeypatch.setenv("NOTICES_TOPIC_ARN", estate.topic_arn)
    monkeypatch.setenv("NOTICES_MAIL_FROM", SENDER)
    reset = msgspec.structs.replace(reset_notice(1, 1001), address=person)
    records = [record("id-mail", reset.encode()), record("id-nobody", reset_notice(2, 1001).encode())]
    assert aws_lambda.send({"Records": records}, None) == {
        "batchItemFailures": [{"itemIdentifier": "id-nobody"}]
    }
    assert len(mails_to(person)) == 1
    assert arrived(estate.subscriber_url) == []


async def test_a_sender_that_is_not_ours_is_refused(estate: Estate, person: str) -> None:
    mailer = SesMailer("no-reply@somebody-else.example", 5_000)
    try:
        with pytest.raises(MessageError):
            await mailer.send(person, "subject", "text")
    finally:
        await mailer.close()
