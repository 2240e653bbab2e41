"""The handlers of /sapi that concern an account's money and rights, in Binance's shapes.

There is no chain here: an asset has one network, which is called as the asset, and its transfers have ids for
hashes. Withdrawals are asked for by /v1 alone, where a password stands behind them.
"""

import time
from typing import Final

from exchange.contracts import limits
from exchange.contracts.errors import ApiError, bad_combination, invalid_data, invalid_key, unavailable
from exchange.contracts.fee_commands import SwitchFeeDiscount
from exchange.http.query_parameters import Parameters, boolean, integer, optional, required, time_ms
from exchange.security.credentials import hash_api_key
from exchange.wall_clock import clock_ms
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.requests.parameters import optional_market
from services.order.shapes.fees import rate_text
from services.order.view.history import History
from services.order.view.model import Asset
from services.order.wallet.days import Balance
from services.order.wallet.snapshots import chosen_days, day_shape
from services.order.wallet.store import TransferPage, TransferRow, WalletStore

__all__ = ["Wallet"]

ROWS_MAX: Final = limits.PAGE_ROWS_MAX
OFFSET_MAX: Final = 10_000
RANGE_MS_MAX: Final = 90 * 86_400_000
ZERO: Final = "0"
# Deposits here have come when they are told of: 1, "success". Others have no rows.
DEPOSIT_DONE: Final = 1
# Binance's numbers: 4 processing, 6 completed, 3 rejected.
_WITHDRAWAL_STATUSES: Final = {"RESERVED": 4, "SETTLED": 6, "RELEASED": 3}
_STATUS_NAMES: Final = {str(number): name for name, number in _WITHDRAWAL_STATUSES.items()}
_SNAPSHOT_TYPES: Final = ("SPOT", "MARGIN", "FUTURES")


class Wallet:
    """What an account has, what came and went, and what its key may do."""

    def __init__(self, engine: EngineLink, history: History) -> None:
        self._engine = engine
        self._history = history
        self._store = WalletStore(history)

    # -- assets -------------------------------------------------------------------------------

    async def coins(self, call: Call) -> object:
        """GET /sapi/v1/capital/config/getall: every asset with the caller's balance."""
        return [
            {
                "coin": asset.code,
                "depositAllEnable": True,
                "withdrawAllEnable": True,
                "name": asset.code,
                "free": asset.text(balance.available_atoms),
                "locked": asset.text(balance.held_atoms),
                "freeze": ZERO,
                "withdrawing": ZERO,
                "ipoing": ZERO,
                "ipoable": ZERO,
                "storage": ZERO,
                "isLegalMoney": False,
                "trading": True,
                "networkList": [_network(asset)],
            }
            for asset, balance in self._engine.view.balances_of(call.caller.user_id)
        ]

    async def asset_detail(self, call: Call) -> object:
        """GET /sapi/v1/asset/assetDetail."""
        chosen = self._asset(call.parameters, "asset")
        return {
            asset.code: {
                "minWithdrawAmount": asset.text(1),
                "depositStatus": True,
                "withdrawFee": ZERO,
                "withdrawStatus": True,
            }
            for asset in self._engine.view.assets.values()
            if chosen in (None, asset)
        }

    async def user_assets(self, call: Call) -> object:
        """POST /sapi/v3/asset/getUserAsset: what is not zero, or the one asset that is named."""
        chosen = self._asset(call.parameters, "asset")
        return [
            {
                "asset": asset.code,
                "free": asset.text(balance.available_atoms),
                "locked": asset.text(balance.held_atoms),
                "freeze": ZERO,
                "withdrawing": ZERO,
                "ipoable": ZERO,
                "btcValuation": ZERO,
            }
            for asset, balance in self._engine.view.balances_of(call.caller.user_id)
            if asset is chosen or (chosen is None and (balance.available_atoms or balance.held_atoms))
        ]

    async def trade_fees(self, call: Call) -> object:
        """GET /sapi/v1/asset/tradeFee: of one market, or of all."""
        view = self._engine.view
        one = optional_market(call.parameters, view)
        rows: list[dict[str, str]] = []
        for market in view.markets.values() if one is None else [one]:
            rates = view.fees.rates(call.caller.user_id, market.rules)
            rows.append(
                {
                    "symbol": market.rules.symbol,
                    "makerCommission": rate_text(rates.maker_ppm),
                    "takerCommission": rate_text(rates.taker_ppm),
                }
            )
        return rows

    def _asset(self, parameters: Parameters, name: str) -> Asset | None:
        """The asset that is named; None when none is. Raises -1105, -1130."""
        code = optional(parameters, name)
        if code is None:
            return None
        for asset in self._engine.view.assets.values():
            if asset.code == code:
                return asset
        raise invalid_data(name)

    # -- transfers ----------------------------------------------------------------------------

    async def deposits(self, call: Call) -> object:
        """GET /sapi/v1/capital/deposit/hisrec, newest first."""
        parameters = call.parameters
        status = integer(parameters, "status")
        page = self._page(call, None, "txId")
        await self._catch_up(call)
        if status not in (None, DEPOSIT_DONE):
            return []
        return [self._deposit(row) for row in await self._store.deposits(page)]

    async def withdrawals(self, call: Call) -> object:
        """GET /sapi/v1/capital/withdraw/history, newest first."""
        status = optional(call.parameters, "status")
        page = self._page(call, None if status is None else _STATUS_NAMES.get(status, ""), "withdrawOrderId")
        await self._catch_up(call)
        return [self._withdrawal(row) for row in await self._store.withdrawals(page)]

    def _page(self, call: Call, status: str | None, id_name: str) -> TransferPage:
        parameters = call.parameters
        asset = self._asset(parameters, "coin")
        start_ms, end_ms = time_ms(parameters, "startTime"), time_ms(parameters, "endTime")
        if start_ms is not None and end_ms is not None:
            if start_ms > end_ms:
                raise bad_combination()
            if end_ms - start_ms > RANGE_MS_MAX:
                raise ApiError(-1127, "More than 2160 hours between startTime and endTime.")
        offset, count = integer(parameters, "offset") or 0, integer(parameters, "limit")
        if offset > OFFSET_MAX:
            raise invalid_data("offset")
        if count is None:
            count = ROWS_MAX
        if not 1 <= count <= ROWS_MAX:
            raise invalid_data("limit")
        transfer_id = optional(parameters, id_name)
        return TransferPage(
            call.caller.user_id,
            None if asset is None else asset.asset_id,
            status,
            start_ms,
            end_ms,
            # Another's hash, or one that is none, is the id of nothing.
            None if transfer_id is None else int(transfer_id) if _is_id(transfer_id) else -1,
            offset,
            count,
        )

    async def _catch_up(self, call: Call) -> None:
        """A list denies what it lacks: let the ledger have what the caller was told. Raises -1001."""
        if not await self._history.wait_for(self._engine.view.last_seq_of.get(call.caller.user_id, 0)):
            raise unavailable()

    def _deposit(self, row: TransferRow) -> dict[str, object]:
        asset = self._engine.view.assets[row.asset_id]
        return {
            "id": str(row.transfer_id),
            "amount": asset.text(row.amount_atoms),
            "coin": asset.code,
            "network": asset.code,
            "status": DEPOSIT_DONE,
            "address": "",
            "addressTag": "",
            "txId": str(row.transfer_id),
            "insertTime": row.time_ms,
            "completeTime": row.time_ms,
            "transferType": 0,
            "confirmTimes": "1/1",
            "unlockConfirm": 0,
            "walletType": 0,
        }

    def _withdrawal(self, row: TransferRow) -> dict[str, object]:
        asset = self._engine.view.assets[row.asset_id]
        shape: dict[str, object] = {
            "id": str(row.transfer_id),
            "amount": asset.text(row.amount_atoms),
            "transactionFee": ZERO,
            "coin": asset.code,
            "status": _WITHDRAWAL_STATUSES[row.status],
            "address": row.address,
            "txId": str(row.transfer_id),
            "applyTime": _utc_text(row.time_ms),
            "network": asset.code,
            "transferType": 0,
            "withdrawOrderId": str(row.transfer_id),
            "info": "",
            "confirmNo": 0,
            "walletType": 0,
            "txKey": "",
        }
        if row.status == "SETTLED":
            shape["completeTime"] = _utc_text(row.time_ms)
        return shape

    async def addresses(self, call: Call) -> object:
        """GET /sapi/v1/capital/withdraw/address/list: addresses on the list are usable after a day."""
        now_ms = clock_ms()
        assets = self._engine.view.assets
        return [
            {
                "address": address,
                "addressTag": "",
                "coin": assets[asset_id].code,
                "name": label,
                "network": assets[asset_id].code,
                "origin": "",
                "originType": "others",
                "whiteStatus": usable_ms <= now_ms,
            }
            for asset_id, address, label, usable_ms in await self._store.addresses(call.caller.user_id)
        ]

    # -- the account and its key --------------------------------------------------------------

    async def key_rights(self, call: Call) -> object:
        """GET /sapi/v1/account/apiRestrictions."""
        key = await self._store.key(hash_api_key(call.caller.api_key))
        if key is None:
            raise invalid_key()
        return {
            "ipRestrict": bool(key.ip_allow_list),
            "createTime": key.created_ms,
            "enableReading": "READ" in key.permissions,
            "enableSpotAndMarginTrading": "TRADE" in key.permissions,
            "enableWithdrawals": "WITHDRAW" in key.permissions,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enablePortfolioMarginTrading": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
        }

    async def account_status(self, call: Call) -> object:
        """GET /sapi/v1/account/status."""
        return {"data": "Normal"}

    async def trading_status(self, call: Call) -> object:
        """GET /sapi/v1/account/apiTradingStatus: nobody is locked for how he trades."""
        return {
            "data": {
                "isLocked": False,
                "plannedRecoverTime": 0,
                "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
                "updateTime": self._engine.view.updated_ms_of.get(call.caller.user_id, 0),
            }
        }

    async def account_info(self, call: Call) -> object:
        """GET /sapi/v1/account/info: the tier of the account's fees, and markets that there are none of."""
        return {
            "vipLevel": self._engine.view.fees.tier_of(call.caller.user_id),
            "isMarginEnabled": False,
            "isFutureEnabled": False,
            "isOptionsEnabled": False,
            "isPortfolioMarginRetailEnabled": False,
        }

    async def snapshot(self, call: Call) -> object:
        """GET /sapi/v1/accountSnapshot: what there was at the end of each day (UTC), the oldest first."""
        kind = required(call.parameters, "type")
        if kind not in _SNAPSHOT_TYPES:
            raise invalid_data("type")
        days = chosen_days(call.parameters, clock_ms())
        found: dict[int, dict[int, Balance]] = {}
        # Of margin and futures there is nothing.
        if kind == "SPOT" and days:
            await self._catch_up(call)
            found = await self._store.days(call.caller.user_id, days.start, days.stop)
        told = [day_shape(day, found[day], self._engine.view.assets) for day in days if day in found]
        return {"code": 200, "msg": "", "snapshotVos": told}

    async def dust(self, call: Call) -> object:
        """GET /sapi/v1/asset/dribblet: small amounts are not converted here."""
        return {"total": 0, "userAssetDribblets": []}

    async def dividends(self, call: Call) -> object:
        """GET /sapi/v1/asset/assetDividend: nothing is distributed here."""
        return {"rows": [], "total": 0}

    async def fee_asset(self, call: Call) -> object:
        """GET /sapi/v1/bnbBurn: whether fees are paid in the discount asset; there is no interest here."""
        is_on = self._engine.view.fees.pays_discounted(call.caller.user_id)
        return {"spotBNBBurn": is_on, "interestBNBBurn": False}

    async def switch_fee_asset(self, call: Call) -> object:
        """POST /sapi/v1/bnbBurn: from the next trade on, once the engine has decided it."""
        engine, user_id = self._engine, call.caller.user_id
        boolean(call.parameters, "interestBNBBurn")
        wanted = optional(call.parameters, "spotBNBBurn")
        if wanted is not None:
            is_on = boolean(call.parameters, "spotBNBBurn")
            if is_on != engine.view.fees.pays_discounted(user_id):
                command = SwitchFeeDiscount(engine.new_command_id(), user_id, int(is_on))
                await engine.submit(command, _not_switched, urgent=False, trace=call.trace)
        return await self.fee_asset(call)

    async def withdraw(self, call: Call) -> object:
        """POST /sapi/v1/capital/withdraw/apply: refused; a key alone moves no money out."""
        raise ApiError(-1002, "You are not authorized to execute this request.", 401)

    # -- the same for everybody ---------------------------------------------------------------

    async def system_status(self, call: Call) -> object:
        """GET /sapi/v1/system/status."""
        return {"status": 0, "msg": "normal"}

    async def nothing(self, call: Call) -> object:
        """Lists of what this exchange does not have: margin pairs, markets to be delisted."""
        return []


def _not_switched(reason: int) -> ApiError:
    """Only rules of before know no discount: nothing can be switched until others are activated."""
    return unavailable()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _network(asset: Asset) -> dict[str, object]:
    step = asset.text(1)
    return {
        "network": asset.code,
        "coin": asset.code,
        "name": asset.code,
        "isDefault": True,
        "depositEnable": True,
        "withdrawEnable": True,
        "depositDesc": "",
        "withdrawDesc": "",
        "specialTips": "",
        "resetAddressStatus": False,
        "addressRegex": "",
        "memoRegex": "",
        "withdrawFee": ZERO,
        "withdrawMin": step,
        "withdrawMax": str(2**63 // 10**asset.decimals),
        "withdrawIntegerMultiple": step,
        "minConfirm": 1,
        "unLockConfirm": 0,
        "sameAddress": False,
        "estimatedArrivalTime": 1,
        "busy": False,
    }


def _utc_text(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms // 1_000))
