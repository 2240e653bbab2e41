"""What AWS runs behind API Gateway: `statement`, an account's month, from a reader of the database.

Asked a few times a month an account, so it is no part of a pod (ADR 0041). API Gateway has checked the
token's signature, issuer, client and end; whose it is, and whether its log-in was ended here, is asked of the
database. Settings are those of every process (infra/terraform/modules/reads): EXCHANGE_DATABASE_READER_DSN,
EXCHANGE_DATABASE_TOKENS, and besides DATABASE_AUTHORITY, the certificate that the database's are checked
against: a function has no ConfigMap, so it is put down where the DSN looks for it.
"""

import asyncio
import base64
import logging
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson

from exchange.adapters.postgres.pool import close_pool, open_reader_pool
from exchange.process.config import Settings
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.turns import Turns
from services.user.money import papers
from services.user.money.statement_pdf import pdf_of
from services.user.tables.database import Database, DatabaseUnavailableError
from services.user.tables.readers import Reader, account_of, login_hash_of
from services.user.tables.reports import Reports

__all__ = ["AUTHORITY_FILE", "statement"]

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
Answer = dict[str, Any]
_PROBLEM: Final = "application/problem+json"
_AWAY: Final[tuple[type[BaseException], ...]] = (*CONNECTION_ERRORS, DatabaseUnavailableError)
# Lambda's only folder that can be written to; named in the DSN.
AUTHORITY_FILE: Final = Path("/tmp/database-authority.pem")
_MONTH: Final = re.compile(papers.MONTH_PATTERN, re.ASCII)


def statement(event: Event, _context: object) -> Answer:
    """GET /v1/statements/{month}?format=json|csv|pdf of the token's account, as the user service answers it.

    `event`: HTTP API, payload format 2.0, behind a JWT authorizer. `Exchange-As-Of` says up to when the
    ledger that was read goes, in milliseconds: a reader, or its copy in another region, is a moment behind.
    """
    return asyncio.run(_answer(event))


async def _answer(event: Event) -> Answer:
    month = (event.get("pathParameters") or {}).get("month", "")
    form = (event.get("queryStringParameters") or {}).get("format", "json")
    if not _MONTH.fullmatch(month) or form not in ("json", "csv", "pdf"):
        return _problem("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY)
    if "DATABASE_AUTHORITY" in os.environ:
        AUTHORITY_FILE.write_text(os.environ["DATABASE_AUTHORITY"], encoding="ascii")
    settings = Settings.load()
    try:
        return await _made(settings, event["requestContext"]["authorizer"]["jwt"]["claims"], month, form)
    except _AWAY as error:
        logger.error("the database: %s", error)
        return _problem("unavailable", HTTPStatus.SERVICE_UNAVAILABLE)


async def _made(settings: Settings, claims: Mapping[str, str], month: str, form: str) -> Answer:
    # A pool for one call: the event loop ends with it, and so do its connections.
    pool = await open_reader_pool(settings)
    assert pool is not None, "EXCHANGE_DATABASE_READER_DSN is what this function is made of"
    try:
        database = Database(pool, settings.database_deadline_ms)
        login_hash = login_hash_of(claims["iss"], claims["sub"], claims.get("origin_jti") or claims["jti"])
        async with database.connection() as connection:
            reader = await account_of(connection, claims["iss"], claims["sub"], bytes.fromhex(login_hash))
        if reader is None:
            return _problem("token-refused", HTTPStatus.UNAUTHORIZED)
        before, within = await Reports(database, Turns(1)).sums(reader.user_id, papers.month_span(month))
        return _paper(papers.statement_of(month, reader.email, before, within), form, reader)
    finally:
        await close_pool(pool, settings.database_deadline_ms)


def _paper(made: papers.Statement, form: str, reader: Reader) -> Answer:
    headers = {"Exchange-As-Of": str(reader.as_of_ms), "Cache-Control": "private, no-store"}
    if form == "json":
        return _ok(orjson.dumps(made.document()), "application/json", headers)
    headers["Content-Disposition"] = f'attachment; filename="statement-{made.month}.{form}"'
    if form == "csv":
        return _ok(papers.csv_of(made.table()), "text/csv; charset=utf-8", headers)
    return _ok(pdf_of(made), "application/pdf", headers)


def _ok(body: bytes, media_type: str, headers: dict[str, str]) -> Answer:
    is_text = media_type != "application/pdf"
    return {
        "statusCode": HTTPStatus.OK,
        "headers": {**headers, "Content-Type": media_type, "X-Content-Type-Options": "nosniff"},
        "body": body.decode() if is_text else base64.b64encode(body).decode(),
        "isBase64Encoded": not is_text,
    }


def _problem(kind: str, status: HTTPStatus) -> Answer:
    """RFC 9457, as the user service's doors say it."""
    body = {"type": f"urn:exchange:problem:{kind}", "title": status.phrase, "status": int(status)}
    return {"statusCode": status, "headers": {"Content-Type": _PROBLEM}, "body": orjson.dumps(body).decode()}
