"""Which path of /sapi leads to which handler of the wallet."""

from collections.abc import Awaitable, Callable
from typing import Final

from exchange.http.weights import Weight
from services.order.decisions.call import Call
from services.order.doors.endpoint import Endpoint, Security
from services.order.wallet.wallet import Wallet

__all__ = ["wallet_endpoints"]

# What reads the tables weighs more than what the view answers.
_VIEW: Final = 1
_TABLES: Final = 10
# Whose entries of a month are added up.
_DAYS: Final = 100
Handler = Callable[[Call], Awaitable[object]]


def wallet_endpoints(wallet: Wallet) -> list[tuple[str, Endpoint]]:
    """Method and path of each, and the endpoint. Names that nobody reads may come: clients send many."""
    public, key, read, trade = Security.NONE, Security.USER_STREAM, Security.USER_DATA, Security.TRADE
    table: list[tuple[str, str, Security, Weight, Handler]] = [
        ("GET /sapi/v1/system/status", "systemStatus", public, _VIEW, wallet.system_status),
        ("GET /sapi/v1/margin/allPairs", "marginPairs", key, _VIEW, wallet.nothing),
        ("GET /sapi/v1/margin/isolated/allPairs", "isolatedPairs", key, _VIEW, wallet.nothing),
        ("GET /sapi/v1/spot/delist-schedule", "delistSchedule", key, _VIEW, wallet.nothing),
        ("GET /sapi/v1/capital/config/getall", "coins", read, _VIEW, wallet.coins),
        ("GET /sapi/v1/capital/deposit/hisrec", "deposits", read, _TABLES, wallet.deposits),
        ("GET /sapi/v1/capital/withdraw/history", "withdrawals", read, _TABLES, wallet.withdrawals),
        ("GET /sapi/v1/capital/withdraw/address/list", "addresses", read, _TABLES, wallet.addresses),
        ("POST /sapi/v1/capital/withdraw/apply", "withdraw", trade, _VIEW, wallet.withdraw),
        ("GET /sapi/v1/account/status", "accountStatus", read, _VIEW, wallet.account_status),
        ("GET /sapi/v1/account/apiTradingStatus", "tradingStatus", read, _VIEW, wallet.trading_status),
        ("GET /sapi/v1/account/apiRestrictions", "keyRights", read, _TABLES, wallet.key_rights),
        ("GET /sapi/v1/account/info", "accountInfo", read, _VIEW, wallet.account_info),
        ("GET /sapi/v1/accountSnapshot", "accountSnapshot", read, _DAYS, wallet.snapshot),
        ("GET /sapi/v1/asset/assetDetail", "assetDetail", read, _VIEW, wallet.asset_detail),
        ("GET /sapi/v1/asset/tradeFee", "tradeFee", read, _VIEW, wallet.trade_fees),
        ("GET /sapi/v1/asset/dribblet", "dust", read, _VIEW, wallet.dust),
        ("GET /sapi/v1/asset/assetDividend", "dividends", read, _VIEW, wallet.dividends),
        ("POST /sapi/v3/asset/getUserAsset", "userAssets", read, _VIEW, wallet.user_assets),
        ("GET /sapi/v1/bnbBurn", "feeAsset", read, _VIEW, wallet.fee_asset),
        ("POST /sapi/v1/bnbBurn", "feeAsset", read, _VIEW, wallet.switch_fee_asset),
    ]
    return [
        (place, Endpoint(f"wallet.{name}", security, None, weight, handler))
        for place, name, security, weight, handler in table
    ]
