"""A `Mailer` in Amazon SES. Who has never left its sandbox sends to addresses alone that it has verified."""

from exchange.adapters.aws.calls import AwsCalls
from exchange.ports.messages import MessageError

__all__ = ["SesMailer"]


class SesMailer:
    """Mail from one address, whose domain SES knows as ours (infra/terraform/modules/mail)."""

    def __init__(self, sender: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._sender = sender
        self._ses = AwsCalls(
            "sesv2", deadline_ms=deadline_ms, failure=MessageError, endpoint_url=endpoint_url
        )

    async def send(self, address: str, subject: str, text: str) -> None:
        """Send plain text to one address. Raises MessageError."""
        content = {
            "Simple": {
                "Subject": {"Data": subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
            }
        }
        await self._ses.call(
            "send_email",
            lambda ses: ses.send_email(
                FromEmailAddress=self._sender, Destination={"ToAddresses": [address]}, Content=content
            ),
        )

    async def close(self) -> None:
        """Let go of the threads."""
        await self._ses.close()
