"""Routes for money: deposits, withdrawals, the ledger."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query

from exchange.money import format_fixed
from services.user.doors.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.problems import ProblemError
from services.user.doors.schemas import (
    DepositAnswer,
    DepositList,
    DepositRequest,
    DepositShown,
    LedgerEntryShown,
    LedgerPage,
    LedgerQuery,
    PageQuery,
    WithdrawalAnswer,
    WithdrawalCancelled,
    WithdrawalList,
    WithdrawalRequest,
    WithdrawalShown,
)
from services.user.money.transfers import TransferUnknownError, UnknownAssetError

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")
_BUCKETS: Final[dict[int, Literal["AVAILABLE", "HELD"]]] = {1: "AVAILABLE", 2: "HELD"}


@router.post("/deposits", status_code=201)
async def deposit(body: DepositRequest, service: Service, session: SignedIn) -> DepositAnswer:
    """Take money from the faucet, where there is one."""
    try:
        credited = await service.transfers.deposit(session.user_id, body.asset, body.amount)
    except TransferUnknownError as error:
        raise _unknown_outcome("depositId", "GET /v1/deposits", error) from None
    asset = credited.asset
    return DepositAnswer(
        deposit_id=credited.transfer_id,
        asset=asset.code,
        amount=format_fixed(credited.amount_atoms, asset.decimals),
    )


@router.get("/deposits")
async def list_deposits(
    query: Annotated[PageQuery, Query()], service: Service, session: SignedIn
) -> DepositList:
    """The account's deposits."""
    transfers = service.transfers
    shown = []
    for row in await transfers.deposits(session.user_id, query.from_id, query.limit):
        asset = transfers.asset_by_id(row["asset_id"])
        shown.append(
            DepositShown(
                deposit_id=row["deposit_id"],
                asset=asset.code,
                amount=format_fixed(row["amount_atoms"], asset.decimals),
                time=row["time_ms"],
            )
        )
    return DepositList(deposits=shown)


@router.post("/withdrawals", status_code=202)
async def withdraw(
    body: WithdrawalRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> WithdrawalAnswer:
    """Reserve money to be sent out."""
    await service.second_factor.demand(session.user_id, body.totp, caller)
    try:
        reserved = await service.transfers.withdraw(
            session.user_id, body.asset, body.amount, body.address, caller
        )
    except TransferUnknownError as error:
        raise _unknown_outcome("withdrawalId", "GET /v1/withdrawals", error) from None
    asset = reserved.asset
    return WithdrawalAnswer(
        withdrawal_id=reserved.transfer_id,
        asset=asset.code,
        amount=format_fixed(reserved.amount_atoms, asset.decimals),
        address=body.address,
        status="RESERVED",
    )


@router.delete("/withdrawals/{withdrawal_id}")
async def cancel_withdrawal(
    withdrawal_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    service: Service,
    session: SignedIn,
    caller: CallerAddress,
) -> WithdrawalCancelled:
    """Take back a withdrawal that was not paid yet, for instance while a freeze holds it."""
    try:
        released = await service.transfers.cancel(session.user_id, withdrawal_id, caller)
    except TransferUnknownError as error:
        raise _unknown_outcome("withdrawalId", "GET /v1/withdrawals", error) from None
    if released is None:
        raise ProblemError("not-found", "The account has no such withdrawal.")
    asset = released.asset
    return WithdrawalCancelled(
        withdrawal_id=released.transfer_id,
        asset=asset.code,
        amount=format_fixed(released.amount_atoms, asset.decimals),
        status="RELEASED",
    )


@router.get("/withdrawals")
async def list_withdrawals(
    query: Annotated[PageQuery, Query()], service: Service, session: SignedIn
) -> WithdrawalList:
    """The account's withdrawals."""
    transfers = service.transfers
    shown = []
    for row in await transfers.withdrawals(session.user_id, query.from_id, query.limit):
        asset = transfers.asset_by_id(row["asset_id"])
        shown.append(
            WithdrawalShown(
                withdrawal_id=row["withdrawal_id"],
                asset=asset.code,
                amount=format_fixed(row["amount_atoms"], asset.decimals),
                address=row["address"],
                status=row["status"],
                time=row["time_ms"],
            )
        )
    return WithdrawalList(withdrawals=shown)


@router.get("/ledger")
async def ledger(query: Annotated[LedgerQuery, Query()], service: Service, session: SignedIn) -> LedgerPage:
    """The account's double-entry ledger, once it has everything that happened before this request."""
    transfers = service.transfers
    try:
        rows = await transfers.ledger(session.user_id, query.asset, query.from_id, query.limit)
    except UnknownAssetError:
        errors = [{"parameter": "asset", "detail": "no asset has this code"}]
        raise ProblemError("invalid-request", "1 fault; see errors", errors=errors) from None
    shown = []
    for row in rows:
        asset = transfers.asset_by_id(row["asset_id"])
        shown.append(
            LedgerEntryShown(
                entry_id=row["entry_id"],
                time=row["time_ms"],
                asset=asset.code,
                amount=format_fixed(row["amount_atoms"], asset.decimals),
                bucket=_BUCKETS[row["bucket"]],
                kind=row["kind"],
                reference=row["reference"],
            )
        )
    return LedgerPage(entries=shown)


def _unknown_outcome(member: str, where: str, error: TransferUnknownError) -> ProblemError:
    return ProblemError(
        "outcome-unknown",
        f"Look it up by its id with {where} before you ask again.",
        members={member: error.transfer_id},
    )
