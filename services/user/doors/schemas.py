"""Bodies and queries of the user service's contract. Strict: no unknown name, no number in place of text."""

from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

from exchange.contracts import limits
from exchange.money import NUMBER_PATTERN
from exchange.security.identity.tokens import TOKEN_LENGTH_MAX
from services.user.people.email import Email
from services.user.people.password_rules import weakness

__all__ = [
    "ApiKeyCreated",
    "ApiKeyList",
    "ApiKeyRequest",
    "ApiKeyShown",
    "DepositAnswer",
    "DepositList",
    "DepositRequest",
    "DepositShown",
    "FreezeList",
    "FreezeRequest",
    "FreezeShown",
    "IdentityLinked",
    "IdentityRequest",
    "LedgerEntryShown",
    "LedgerPage",
    "LedgerQuery",
    "LoginRequest",
    "Me",
    "NewPassword",
    "PageQuery",
    "Query",
    "Received",
    "Sent",
    "SessionOpened",
    "SignUpRequest",
    "Totp",
    "UnfreezeRequest",
    "UnfreezeShown",
    "UserCreated",
    "WithdrawalAddressList",
    "WithdrawalAddressRequest",
    "WithdrawalAddressShown",
    "WithdrawalAnswer",
    "WithdrawalCancelled",
    "WithdrawalList",
    "WithdrawalRequest",
    "WithdrawalShown",
    "WithdrawalsFrozen",
]

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 128
PAGE_SIZE_DEFAULT: Final = 500
PAGE_SIZE_MAX: Final = limits.PAGE_ROWS_MAX
IP_ALLOW_LIST_MAX: Final = 30
ASSET_PATTERN: Final = r"^[A-Z0-9]{1,20}$"


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("only printable characters, and not only spaces")
    return text


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


AssetCode = Annotated[str, Field(pattern=ASSET_PATTERN, examples=["USDT"])]
Label = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
WithdrawalAddress = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
Amount = Annotated[str, Field(pattern=NUMBER_PATTERN, examples=["100.25000000"])]
Permission = Literal["READ", "TRADE", "WITHDRAW"]


def _not_guessed_first(password: SecretStr) -> SecretStr:
    found = weakness(password.get_secret_value())
    if found is not None:
        raise ValueError(found)
    return password


NewPassword = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX),
    AfterValidator(_not_guessed_first),
]


# A code of the second factor, where the account has one.
Totp = Annotated[str, Field(min_length=1, max_length=10)] | None


class Received(BaseModel):
    """A body."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


class Query(BaseModel):
    """What stands behind the question mark."""

    # Not strict: everything in a query arrives as text.
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


class Sent(BaseModel):
    """An answer."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class SignUpRequest(Received):
    """Who wants an account. The address is kept in lower case."""

    email: Email
    password: NewPassword


class LoginRequest(Received):
    """Who wants a session."""

    email: Email
    password: SecretStr = Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)
    totp: Totp = None


class IdentityRequest(Received):
    """An id token of the sign-in that shall open the account."""

    token: SecretStr = Field(min_length=1, max_length=TOKEN_LENGTH_MAX)


class FreezeRequest(Received):
    """The token of a link from a notice; whatever its length, a wrong one is answered alike."""

    token: SecretStr = Field(min_length=1, max_length=TOKEN_LENGTH_MAX)


class UnfreezeRequest(Received):
    """The password, once more: a session alone does not end a freeze."""

    password: SecretStr = Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)
    totp: Totp = None


class WithdrawalsFrozen(Sent):
    """Nothing leaves the account since then (milliseconds since 1970)."""

    frozen_at: int


class UnfreezeShown(Sent):
    """The owner's freeze holds until then."""

    ends_at: int


class FreezeShown(Sent):
    """What holds withdrawals back. OWNER: his own link did it; OPERATOR: only the exchange ends it.

    `endsAt` null: until somebody ends it.
    """

    source: Literal["OWNER", "OPERATOR"]
    frozen_at: int
    ends_at: int | None


class FreezeList(Sent):
    """All that holds now; empty when withdrawals are free."""

    withdrawal_freezes: list[FreezeShown]


class IdentityLinked(Sent):
    """The sign-in opens the account from now on."""

    issuer: str
    subject: str


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


class DepositRequest(Received):
    """Money wanted from the faucet."""

    asset: AssetCode
    amount: Amount


class WithdrawalRequest(Received):
    """Money to be sent to `address`."""

    asset: AssetCode
    amount: Amount
    address: WithdrawalAddress
    totp: Totp = None


class WithdrawalAddressRequest(Received):
    """An address to be listed for withdrawals of one asset."""

    asset: AssetCode
    address: WithdrawalAddress
    label: Label
    totp: Totp = None


class PageQuery(Query):
    """A page of rows, ascending, from the id `fromId` on (inclusive)."""

    from_id: int = Field(default=0, ge=0, le=2**63 - 1)
    limit: int = Field(default=PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)


class LedgerQuery(PageQuery):
    """A page of the ledger, perhaps of one asset."""

    asset: AssetCode | None = None


class UserCreated(Sent):
    """A new account."""

    user_id: int
    email: str


class Me(UserCreated):
    """The account of the session; times are milliseconds since 1970."""

    created_at: int


class SessionOpened(Sent):
    """A session; `expiresIn` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


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


class DepositAnswer(Sent):
    """A deposit that the engine has credited."""

    deposit_id: int
    asset: str
    amount: str
    status: Literal["CREDITED"] = "CREDITED"


class DepositShown(DepositAnswer):
    """A deposit in the history."""

    time: int


class DepositList(Sent):
    """A page of deposits, ascending by id."""

    deposits: list[DepositShown]


class WithdrawalAnswer(Sent):
    """A withdrawal; RESERVED until it is SETTLED (sent) or RELEASED (given back)."""

    withdrawal_id: int
    asset: str
    amount: str
    address: str
    status: str


class WithdrawalCancelled(Sent):
    """A withdrawal whose money is available again."""

    withdrawal_id: int
    asset: str
    amount: str
    status: Literal["RELEASED"]


class WithdrawalShown(WithdrawalAnswer):
    """A withdrawal in the history."""

    time: int


class WithdrawalList(Sent):
    """A page of withdrawals, ascending by id."""

    withdrawals: list[WithdrawalShown]


class WithdrawalAddressShown(Sent):
    """A listed address; money may go there from `usableAt` on (milliseconds since 1970)."""

    address_id: int
    asset: str
    address: str
    label: str
    created_at: int
    usable_at: int


class WithdrawalAddressList(Sent):
    """All listed addresses of the account, oldest first."""

    withdrawal_addresses: list[WithdrawalAddressShown]


class LedgerEntryShown(Sent):
    """One line of the account's ledger: `amount` has a sign."""

    entry_id: int
    time: int
    asset: str
    amount: str
    bucket: Literal["AVAILABLE", "HELD"]
    kind: str
    reference: str


class LedgerPage(Sent):
    """A page of the ledger, ascending by entryId; over all pages an asset sums to free + locked."""

    entries: list[LedgerEntryShown]
