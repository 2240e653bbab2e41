"""What the routes ask FastAPI for: the service, and who is calling."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.user.component import UserService
from services.user.doors.problems import ProblemError
from services.user.people.sessions import Session

__all__ = ["CallerAddress", "CallerAgent", "Service", "SignedIn"]

_bearer: Final = HTTPBearer(
    auto_error=False,
    description="The accessToken of POST /v1/sessions, or a token of an issuer that this exchange believes.",
)


def _service(request: Request) -> UserService:
    service = request.app.state.user_service
    assert isinstance(service, UserService)
    return service


Service = Annotated[UserService, Depends(_service)]


def _caller_address(request: Request) -> str:
    return "" if request.client is None else request.client.host


CallerAddress = Annotated[str, Depends(_caller_address)]


def _caller_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


CallerAgent = Annotated[str, Depends(_caller_agent)]


async def _session(
    service: Service,
    authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    caller: CallerAddress,
) -> Session:
    session = None
    if authorization is not None:
        session = await service.accounts.session(authorization.credentials, caller)
    if session is None:
        raise ProblemError(
            "not-signed-in",
            "Send Authorization: Bearer with the accessToken of POST /v1/sessions.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return session


SignedIn = Annotated[Session, Depends(_session)]
