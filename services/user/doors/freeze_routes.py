"""Routes for freezing withdrawals: by a link without a log-in, and its end by the owner."""

from typing import Final

from fastapi import APIRouter

from services.user.doors.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.schemas import (
    FreezeList,
    FreezeRequest,
    FreezeShown,
    UnfreezeRequest,
    UnfreezeShown,
    WithdrawalsFrozen,
)

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")


@router.post("/withdrawal-freezes", status_code=201)
async def freeze(body: FreezeRequest, service: Service, caller: CallerAddress) -> WithdrawalsFrozen:
    """Freeze the withdrawals of the account whose link this is. Needs no session."""
    return WithdrawalsFrozen(frozen_at=await service.freezes.freeze(body.token.get_secret_value(), caller))


@router.get("/withdrawal-freezes")
async def list_freezes(service: Service, session: SignedIn) -> FreezeList:
    """What holds the account's withdrawals back."""
    return FreezeList(
        withdrawal_freezes=[
            FreezeShown(source=freeze.source, frozen_at=freeze.frozen_ms, ends_at=freeze.ends_ms)
            for freeze in await service.freezes.of_user(session.user_id)
        ]
    )


@router.post("/withdrawal-unfreezes", status_code=202)
async def unfreeze(
    body: UnfreezeRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> UnfreezeShown:
    """End the owner's own freeze, from `endsAt` on; until then it holds."""
    await service.second_factor.demand(session.user_id, body.totp, caller)
    ends_ms = await service.freezes.unfreeze(session, body.password.get_secret_value(), caller)
    return UnfreezeShown(ends_at=ends_ms)
