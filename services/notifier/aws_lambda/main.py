"""The functions that AWS runs: `send` for the queue, `connections` for the WebSocket API.

Their settings are the environment that infra/terraform/modules/messaging gives them: NOTICES_TOPIC_ARN and
NOTICES_MAIL_FROM ("" for no mail); CONNECTIONS_TABLE, JWT_ISSUERS and JWT_AUDIENCE, which mean what
EXCHANGE_IDENTITY_ISSUERS and EXCHANGE_IDENTITY_AUDIENCE mean to the user service. What they do is the
notifier's own code.
"""

import asyncio
import functools
import logging
import os
import time
from typing import Any, Final

from exchange.adapters.aws.browser_connections import DynamoConnections
from exchange.adapters.aws.ses import SesMailer
from exchange.adapters.aws.sns import SnsTopic
from exchange.ports.messages import Mailer, MessageError
from exchange.security.identity.issuer_keys import IssuerKeysOnDemand
from exchange.security.identity.issuers import parse_issuers
from exchange.security.identity.tokens import TokenRefusedError, owner_of
from exchange.security.identity.verifier import TokenVerifier
from exchange.wall_clock import clock_ms
from services.notifier.worker import deliver

__all__ = ["connections", "send"]

logger = logging.getLogger(__name__)

Event = dict[str, Any]

# The sender's function may run for 30 s: ten messages at once over eight threads, twice this at most.
DEADLINE_MS: Final = 8_000
# API Gateway ends a connection after two hours.
CONNECTION_LIFETIME_S: Final = 7_200


def send(event: Event, _context: object) -> Event:
    """Deliver the notices of one batch from SQS; those that failed are named, and come again alone."""
    records = event["Records"]
    # A body that is no text is no notice either: it fails as one that cannot be read.
    bodies = [str(record.get("body", "")) for record in records]
    failures = asyncio.run(deliver(bodies, _topic(), _mailer()))
    for place, problem in failures.items():
        logger.warning("message %s: %s", records[place]["messageId"], problem)
    return {"batchItemFailures": [{"itemIdentifier": records[place]["messageId"]} for place in failures]}


def connections(event: Event, _context: object) -> Event:
    """The authorizer of `$connect`, `$connect` itself, and `$disconnect`."""
    if event.get("type") == "REQUEST":
        return _authorize(event)
    context = event["requestContext"]
    try:
        if context["routeKey"] == "$connect":
            expires_at_s = int(time.time()) + CONNECTION_LIFETIME_S
            # What _authorize said of it; API Gateway asks nobody else.
            owner = context["authorizer"]["owner"]
            asyncio.run(_connections().add(context["connectionId"], owner, expires_at_s))
        elif context["routeKey"] == "$disconnect":
            asyncio.run(_connections().remove(context["connectionId"]))
        else:
            return {"statusCode": 400}
    except MessageError as error:
        logger.error("%s: %s", context["routeKey"], error)
        return {"statusCode": 500}
    return {"statusCode": 200}


def _authorize(event: Event) -> Event:
    """A policy that lets this one request through, or not.

    Without the issuer's keys a token is neither believed nor refused: KeysUnavailableError, which API Gateway
    answers with 500. So it does when the function has no audience (SettingsError, KeyError).
    """
    token = (event.get("queryStringParameters") or {}).get("token", "")
    try:
        claims = asyncio.run(_verifier().verified(token))
    except TokenRefusedError as error:
        logger.info("refused: %s", error)
        return _policy("nobody", "Deny", event["methodArn"], {})
    owner = owner_of(claims.iss, claims.sub)
    return _policy(owner, "Allow", event["methodArn"], {"owner": owner})


def _policy(principal: str, effect: str, resource: str, context: dict[str, str]) -> Event:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": principal, "policyDocument": document, "context": context}


# Kept from one call to the next, as long as AWS keeps the process.
@functools.cache
def _topic() -> SnsTopic:
    return SnsTopic(os.environ["NOTICES_TOPIC_ARN"], DEADLINE_MS)


@functools.cache
def _mailer() -> Mailer | None:
    sender = os.environ["NOTICES_MAIL_FROM"]
    return SesMailer(sender, DEADLINE_MS) if sender else None


@functools.cache
def _connections() -> DynamoConnections:
    return DynamoConnections(os.environ["CONNECTIONS_TABLE"], DEADLINE_MS)


@functools.cache
def _verifier() -> TokenVerifier:
    issuers = parse_issuers(os.environ["JWT_ISSUERS"])
    keys = {issuer: IssuerKeysOnDemand(issuer, url) for issuer, url in issuers.items()}
    return TokenVerifier(keys, os.environ["JWT_AUDIENCE"], clock_ms)
