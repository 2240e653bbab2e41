"""Routes for the list of withdrawal addresses."""

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path

from services.user.component import UserService
from services.user.doors.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.problems import ProblemError
from services.user.doors.schemas import (
    WithdrawalAddressList,
    WithdrawalAddressRequest,
    WithdrawalAddressShown,
)

if TYPE_CHECKING:
    from asyncpg import Record

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1/withdrawal-addresses")


@router.post("", status_code=201)
async def add_address(
    body: WithdrawalAddressRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> WithdrawalAddressShown:
    """List an address; money may go there from `usableAt` on."""
    asset = service.transfers.asset(body.asset)
    await service.second_factor.demand(session.user_id, body.totp, caller)
    row = await service.addresses.add(session.user_id, asset, body.address, body.label, caller)
    return _shown(service, row)


@router.get("")
async def list_addresses(service: Service, session: SignedIn) -> WithdrawalAddressList:
    """The account's addresses."""
    rows = await service.addresses.of_user(session.user_id)
    return WithdrawalAddressList(withdrawal_addresses=[_shown(service, row) for row in rows])


@router.delete("/{address_id}", status_code=204)
async def remove_address(
    address_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    service: Service,
    session: SignedIn,
    caller: CallerAddress,
) -> None:
    """Take an address off the list."""
    if not await service.addresses.remove(session.user_id, address_id, caller):
        raise ProblemError("not-found", "The account has no such withdrawal address.")


def _shown(service: UserService, row: "Record") -> WithdrawalAddressShown:
    return WithdrawalAddressShown(
        address_id=row["address_id"],
        asset=service.transfers.asset_by_id(row["asset_id"]).code,
        address=row["address"],
        label=row["label"],
        created_at=row["created_ms"],
        usable_at=row["usable_ms"],
    )
