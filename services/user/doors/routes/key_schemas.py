"""Bodies of the routes for API keys."""

from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from services.user.doors.routes.schemas import Label, Received, Sent, Totp

__all__ = ["ApiKeyCreated", "ApiKeyList", "ApiKeyRequest", "ApiKeyShown"]

IP_ALLOW_LIST_MAX: Final = 30
Permission = Literal["READ", "TRADE", "WITHDRAW"]


def _address_or_network(text: str) -> str:
    # A zone ("fe80::1%eth0") is a name of one machine's own.
    if "%" in text:
        raise ValueError("not an IP address or network")
    try:
        return str(ip_network(text)) if "/" in text else str(ip_address(text))
    except ValueError:
        raise ValueError("not an IP address or network") from None


def _no_repeats(items: list[str]) -> list[str]:
    if len(set(items)) != len(items):
        raise ValueError("an entry stands twice")
    return items


class ApiKeyRequest(Received):
    """With `publicKey` nobody else has a secret. `forSession`: a key that ends with the session."""

    label: Label
    permissions: Annotated[list[Permission], Field(min_length=1), AfterValidator(_no_repeats)]
    ip_allow_list: Annotated[
        list[Annotated[str, Field(max_length=64), AfterValidator(_address_or_network)]],
        Field(max_length=IP_ALLOW_LIST_MAX),
        AfterValidator(_no_repeats),
    ] = Field(default_factory=list)
    public_key: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    for_session: bool = False
    totp: Totp = None

    @model_validator(mode="after")
    def _withdraws_by_no_session(self) -> Self:
        if self.for_session and "WITHDRAW" in self.permissions:
            raise ValueError("a session's own key cannot have WITHDRAW")
        return self


class ApiKeyCreated(Sent):
    """A new key. The secret is shown this once."""

    api_key: str
    secret_key: str | None = None


class ApiKeyShown(Sent):
    """A key without its secret. `lastUsedAt`: when a service last saw it, to the minute.

    `sessionId`: the session that it ends with.
    """

    api_key: str
    label: str
    permissions: list[str]
    ip_allow_list: list[str]
    kind: str
    created_at: int
    last_used_at: int | None
    session_id: int | None


class ApiKeyList(Sent):
    """All keys of the account, oldest first."""

    api_keys: list[ApiKeyShown]
