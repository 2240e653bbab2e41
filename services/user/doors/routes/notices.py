"""Routes for notices: what an account's owner is told, and by mail, webhook or browser."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field, SecretStr

from exchange.contracts.notice_topics import TOPICS, Ways
from exchange.security.webhook_targets import URL_LENGTH_MAX
from services.user.doors.routes.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.routes.schemas import Received, Sent, Totp

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")
Topic = Literal["FILLS", "DEPOSITS", "WITHDRAWALS", "LOGINS", "KEYS"]


class NoticeChoice(Received):
    """By which ways the notices of a topic come."""

    topic: Topic
    mail: bool
    webhook: bool
    browser: bool


def _each_once(choices: list[NoticeChoice]) -> list[NoticeChoice]:
    if len({choice.topic for choice in choices}) != len(choices):
        raise ValueError("each topic once")
    return choices


class NoticeChoiceList(Received):
    """Topics that are left out stay as they are."""

    choices: Annotated[
        list[NoticeChoice], Field(min_length=1, max_length=len(TOPICS)), AfterValidator(_each_once)
    ]


class MailConfirmation(Received):
    """The token of the link."""

    token: Annotated[SecretStr, Field(min_length=1, max_length=200)]


class WebhookRequest(Received):
    """Where notices go: https, port 443 or 8443, a public address."""

    url: Annotated[
        str, Field(min_length=1, max_length=URL_LENGTH_MAX, examples=["https://bot.example.com/notices"])
    ]
    totp: Totp = None


class WebhookMade(Sent):
    """The key that signs each request, shown this once; as it stands, as ASCII."""

    secret: str


class NoticeChoiceShown(Sent):
    """By which ways the notices of a topic come."""

    topic: str
    mail: bool
    webhook: bool
    browser: bool


class NoticeMailShown(Sent):
    """The account's address; `confirmedAt` null: it has not said yes to mail that was not asked for."""

    address: str
    confirmed_at: int | None


class NoticeWebhookShown(Sent):
    """Where notices go, and what came of the last; `isPaused`: too many were given up, set it anew."""

    url: str
    made_at: int
    last_at: int | None
    last_result: str | None
    is_paused: bool


class NoticesAnswer(Sent):
    """All of it."""

    choices: list[NoticeChoiceShown]
    mail: NoticeMailShown
    webhook: NoticeWebhookShown | None


@router.get("/notices")
async def notices(service: Service, session: SignedIn) -> NoticesAnswer:
    """What the account's owner is told, and by which ways."""
    shown = await service.notices.shown(session.user_id)
    hook = shown.webhook
    return NoticesAnswer(
        choices=[
            NoticeChoiceShown(topic=topic, mail=ways.mail, webhook=ways.webhook, browser=ways.browser)
            for topic, ways in shown.ways.items()
        ],
        mail=NoticeMailShown(address=shown.mail.address, confirmed_at=shown.mail.confirmed_ms),
        webhook=None
        if hook is None
        else NoticeWebhookShown(
            url=hook.url,
            made_at=hook.made_ms,
            last_at=hook.last_ms,
            last_result=hook.last_result,
            is_paused=shown.is_webhook_paused,
        ),
    )


@router.put("/notices/choices", status_code=204)
async def choose(body: NoticeChoiceList, service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """Choose ways. What guards the account (freezes, passwords, this) is told by all that there are."""
    wanted: dict[str, Ways] = {
        choice.topic: Ways(choice.mail, choice.webhook, choice.browser) for choice in body.choices
    }
    await service.notices.choose(session.user_id, wanted, caller)


@router.post("/notices/mail", status_code=202)
async def ask_mail(service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """Have a link sent to the account's address; whoever opens it says yes to mail. A day, once."""
    await service.notices.ask_mail(session.user_id, caller)


@router.post("/notices/mail/confirmations", status_code=204)
async def confirm_mail(body: MailConfirmation, service: Service, caller: CallerAddress) -> None:
    """Say yes by the link. Needs no session."""
    await service.notices.confirm_mail(body.token.get_secret_value(), caller)


@router.delete("/notices/mail", status_code=204)
async def end_mail(service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """No mail any more that was not asked for."""
    await service.notices.end_mail(session.user_id, caller)


@router.put("/notices/webhook", status_code=201)
async def put_webhook(
    body: WebhookRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> WebhookMade:
    """Have a program told, by signed requests. A new key each time."""
    await service.second_factor.demand(session.user_id, body.totp, caller)
    return WebhookMade(secret=await service.notices.put_webhook(session.user_id, body.url, caller))


@router.delete("/notices/webhook", status_code=204)
async def remove_webhook(service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """Have it told no more; what waits for it is forgotten."""
    await service.notices.remove_webhook(session.user_id, caller)


@router.post("/notices/webhook/tests", status_code=202)
async def test_webhook(service: Service, session: SignedIn) -> None:
    """Send it a notice that says nothing; GET /v1/notices tells what came of it."""
    await service.notices.test_webhook(session.user_id)
