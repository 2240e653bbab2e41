"""Routes for what is open to an account, and what happened to it: sessions, and the audit log's lines."""

from typing import Annotated, Final

from fastapi import APIRouter, Path
from fastapi import Query as QueryParameters
from pydantic import Field

from services.user.doors.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.problems import ProblemError
from services.user.doors.schemas import Query
from services.user.doors.session_schemas import (
    SecurityEventList,
    SecurityEventShown,
    SessionList,
    SessionsEnded,
    SessionShown,
)

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")
_EVENTS_MAX: Final = 500


class _EventQuery(Query):
    before_id: int = Field(default=2**63 - 1, ge=1, le=2**63 - 1)
    limit: int = Field(default=50, ge=1, le=_EVENTS_MAX)


@router.get("/sessions")
async def list_sessions(service: Service, session: SignedIn) -> SessionList:
    """Sessions of the account that are alive."""
    return SessionList(
        sessions=[
            SessionShown(
                session_id=shown.session_id,
                ip=shown.ip,
                agent=shown.agent,
                begun_at=shown.begun_ms,
                expires_at=shown.expires_ms,
                is_current=shown.is_current,
            )
            for shown in await service.logins.of_user(session)
        ]
    )


@router.delete("/sessions")
async def end_other_sessions(service: Service, session: SignedIn, caller: CallerAddress) -> SessionsEnded:
    """End all of the account's sessions but this one, with their keys."""
    return SessionsEnded(ended=await service.logins.end_all(session.user_id, caller, but=session.token_hash))


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(
    session_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    service: Service,
    session: SignedIn,
    caller: CallerAddress,
) -> None:
    """End one session, with its key."""
    if not await service.logins.end_one(session, session_id, caller):
        raise ProblemError("not-found", "The account has no such session.")


@router.get("/security-events")
async def security_events(
    query: Annotated[_EventQuery, QueryParameters()], service: Service, session: SignedIn
) -> SecurityEventList:
    """What the audit log has of this account, the newest line first; `beforeId` leads to the next page."""
    rows = await service.accounts.acts_of(session.user_id, query.before_id, query.limit)
    return SecurityEventList(
        events=[
            SecurityEventShown(event_id=row["id"], time=row["time_ms"], ip=row["ip"], act=row["act"])
            for row in rows
        ]
    )
