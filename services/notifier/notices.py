"""What people are told: pure, and the only definition of a notice, its kinds, its texts and its bytes.

A notice is JSON:

    {"noticeId": "0.417.maker", "userId": 1001, "kind": "FILL", "time": 1700000000000,
     "fields": {"symbol": "BTCUSDT", "side": "BUY", …}, "text": "Your order … "}

`time` is in milliseconds since 1970; every field is text, amounts with all decimals of their asset. One that
goes by mail has its `address` too.
`noticeId` follows from the event alone, so that whoever gets a notice twice can tell.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY, SELL, SIDE_NAMES
from exchange.contracts.events import (
    AssetRegistered,
    DepositCredited,
    Event,
    MarketRegistered,
    TradeExecuted,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.money import format_fixed
from exchange.trading.fees import fee_of

__all__ = [
    "ACTS",
    "ADDRESS_ADDED",
    "API_KEY_MADE",
    "DEPOSIT",
    "FILL",
    "FREEZABLE",
    "IDENTITY_LINKED",
    "LOGIN",
    "MAILED",
    "MAIL_ASKED",
    "MAIL_ENDED",
    "NOTICES_CHANGED",
    "PASSWORD_CHANGED",
    "PASSWORD_RESET",
    "SECOND_FACTOR_CHANGED",
    "WITHDRAWALS_FROZEN",
    "WITHDRAWALS_UNFREEZING",
    "WITHDRAWALS_UNFROZEN",
    "WITHDRAWAL_REFUSED",
    "WITHDRAWAL_RESERVED",
    "WITHDRAWAL_SETTLED",
    "Notice",
    "NoticeError",
    "NoticeMaker",
    "UnknownNameError",
    "act_notice",
    "subject_of",
]

# Made once: a union of types is made anew each time that it is asked for.
_WITHDRAWN: Final = (WithdrawalReserved, WithdrawalSettled, WithdrawalReleased)
FILL: Final = "FILL"
DEPOSIT: Final = "DEPOSIT"
WITHDRAWAL_SETTLED: Final = "WITHDRAWAL_SETTLED"
WITHDRAWAL_REFUSED: Final = "WITHDRAWAL_REFUSED"
WITHDRAWAL_RESERVED: Final = "WITHDRAWAL_RESERVED"
LOGIN: Final = "LOGIN"
API_KEY_MADE: Final = "API_KEY_MADE"
ADDRESS_ADDED: Final = "ADDRESS_ADDED"
IDENTITY_LINKED: Final = "IDENTITY_LINKED"
WITHDRAWALS_FROZEN: Final = "WITHDRAWALS_FROZEN"
WITHDRAWALS_UNFREEZING: Final = "WITHDRAWALS_UNFREEZING"
WITHDRAWALS_UNFROZEN: Final = "WITHDRAWALS_UNFROZEN"
PASSWORD_RESET: Final = "PASSWORD_RESET"
PASSWORD_CHANGED: Final = "PASSWORD_CHANGED"
SECOND_FACTOR_CHANGED: Final = "SECOND_FACTOR_CHANGED"
NOTICES_CHANGED: Final = "NOTICES_CHANGED"
MAIL_ASKED: Final = "MAIL_ASKED"
MAIL_ENDED: Final = "MAIL_ENDED"
# What a thief would do: its notice carries a link that freezes withdrawals (freeze_links.py).
FREEZABLE: Final = frozenset(
    {
        *(LOGIN, API_KEY_MADE, ADDRESS_ADDED, IDENTITY_LINKED, WITHDRAWAL_RESERVED, WITHDRAWALS_UNFREEZING),
        *(PASSWORD_CHANGED, SECOND_FACTOR_CHANGED, NOTICES_CHANGED),
    }
)
# What its owner has asked for, and nobody else may read: where there is mail, it goes by mail to the address
# of the account, and neither to the topic nor to a browser that somebody else may have opened.
MAILED: Final = frozenset({PASSWORD_RESET, MAIL_ASKED, MAIL_ENDED})
# Acts of the audit log that their owner is told of -> the kind of notice.
ACTS: Final[Mapping[str, str]] = {
    "log-in": LOGIN,
    "key-made": API_KEY_MADE,
    "address-added": ADDRESS_ADDED,
    "identity-linked": IDENTITY_LINKED,
    "withdrawals-frozen": WITHDRAWALS_FROZEN,
    "withdrawals-unfreeze-asked": WITHDRAWALS_UNFREEZING,
    "withdrawals-unfrozen": WITHDRAWALS_UNFROZEN,
    "password-reset-asked": PASSWORD_RESET,
    "password-changed": PASSWORD_CHANGED,
    "password-reset": PASSWORD_CHANGED,
    "second-factor-on": SECOND_FACTOR_CHANGED,
    "second-factor-off": SECOND_FACTOR_CHANGED,
    "notices-changed": NOTICES_CHANGED,
    "webhook-set": NOTICES_CHANGED,
    "webhook-removed": NOTICES_CHANGED,
    "notice-mail-confirmed": NOTICES_CHANGED,
    "notice-mail-asked": MAIL_ASKED,
    "notice-mail-ended": MAIL_ENDED,
}
# Somebody else may have chosen a text that stands in a notice: so much of it.
QUOTED_LENGTH_MAX: Final = 120
_SUBJECTS: Final[Mapping[str, str]] = {
    FILL: "Your order was filled",
    DEPOSIT: "Your deposit has arrived",
    WITHDRAWAL_SETTLED: "Your withdrawal has left",
    WITHDRAWAL_REFUSED: "Your withdrawal was refused",
    WITHDRAWAL_RESERVED: "A withdrawal from your account was asked for",
    LOGIN: "Somebody logged in to your account",
    API_KEY_MADE: "A new API key opens your account",
    ADDRESS_ADDED: "A new withdrawal address was listed",
    IDENTITY_LINKED: "A new sign-in opens your account",
    WITHDRAWALS_FROZEN: "Withdrawals from your account are frozen",
    WITHDRAWALS_UNFREEZING: "The freeze of your withdrawals will end",
    WITHDRAWALS_UNFROZEN: "Withdrawals from your account are free again",
    PASSWORD_RESET: "Set a new password",
    PASSWORD_CHANGED: "Your password was changed",
    SECOND_FACTOR_CHANGED: "The second factor of your account was changed",
    NOTICES_CHANGED: "What you are told of your account was changed",
    MAIL_ASKED: "Do you want mail about your account?",
    MAIL_ENDED: "You get no more mail about your account",
}
_CHANGES_OF_NOTICES: Final[Mapping[str, str]] = {
    "notices-changed": "What you are told, and by which ways, was changed",
    "webhook-set": "What happens to your account is told to {url} from now on",
    "webhook-removed": "What happens to your account is told to no webhook any more",
    "notice-mail-confirmed": "What happens to your account is told by mail from now on",
}


class NoticeError(ValueError):
    """Bytes that are no notice."""


class UnknownNameError(Exception):
    """An event names an asset or a market of which nobody has told yet: ask the ledger again."""


class Notice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """One thing that one person is told."""

    notice_id: str
    user_id: int
    kind: str
    time: int
    fields: dict[str, str]
    text: str
    # Where it goes by mail: of kinds in MAILED alone (addresses.py).
    address: str = ""

    def encode(self) -> str:
        """The notice as JSON."""
        return _encoder.encode(self).decode()

    @staticmethod
    def decode(body: str | bytes) -> "Notice":
        """Undo `encode`. Raises NoticeError."""
        try:
            notice = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise NoticeError(f"no notice: {error}") from None
        if notice.kind not in _SUBJECTS or notice.user_id <= 0 or not notice.notice_id:
            raise NoticeError(f"no notice: kind {notice.kind[:40]!r}, user {notice.user_id}")
        return notice


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Notice)


def subject_of(notice: Notice) -> str:
    """The line above the text; ASCII, as SNS wants it."""
    return _SUBJECTS[notice.kind]


def act_notice(
    act: str, act_id: int, user_id: int, time_ms: int, ip: str, detail: Mapping[str, object]
) -> Notice:
    """The notice of a row of the audit log; `act` is one of ACTS, `detail` what the row says of it."""
    kind = ACTS[act]
    fields = {"ip": ip} if ip else {}
    if kind == LOGIN:
        text = f"Somebody logged in to your account from {ip}."
    elif kind == API_KEY_MADE:
        permissions = detail.get("permissions")
        fields["permissions"] = ", ".join(map(str, permissions)) if isinstance(permissions, list) else ""
        text = f"An API key with the permissions {fields['permissions']} was made from {ip}."
    elif kind == ADDRESS_ADDED:
        fields["asset"], fields["address"] = _quoted(detail.get("asset")), _quoted(detail.get("address"))
        text = f"The withdrawal address {fields['address']} for {fields['asset']} was listed from {ip}."
    elif kind == IDENTITY_LINKED:
        fields["issuer"] = _quoted(detail.get("issuer"))
        text = f"A sign-in of {fields['issuer']} opens your account from now on; it was linked from {ip}."
    elif kind == WITHDRAWALS_FROZEN:
        words = {"operator": "the exchange", "session": "somebody who was logged in"}
        by = words.get(str(detail.get("by")), "the link of a notice")
        text = f"Nothing leaves your account: its withdrawals were frozen by {by}."
    elif kind == WITHDRAWALS_UNFREEZING:
        ends_ms = detail.get("ends_ms")
        fields["endsAt"] = str(ends_ms)
        text = f"The freeze of your withdrawals was asked to end, from {ip}; it holds until {_utc(ends_ms)}."
    elif kind == PASSWORD_RESET:
        text = f"Somebody asked from {ip} to set your password anew. If it was not you, do nothing."
    elif kind == PASSWORD_CHANGED:
        text = f"Your password was changed from {ip}; all other sessions were ended."
    elif kind == NOTICES_CHANGED:
        fields["what"] = act
        text = f"{_CHANGES_OF_NOTICES[act].format(url=_quoted(detail.get('url')))}, from {ip}."
    elif kind == MAIL_ASKED:
        text = f"Somebody asked from {ip} for mail about your account. If it was not you, do nothing."
    elif kind == MAIL_ENDED:
        text = (
            f"You get no more mail about your account, as was asked from {ip}; what you ask for still comes."
        )
    elif kind == SECOND_FACTOR_CHANGED:
        fields["state"] = "on" if act == "second-factor-on" else "off"
        text = f"The second factor of your account was switched {fields['state']} from {ip}."
    else:
        text = "The exchange has ended the freeze of your withdrawals."
    # Log-ins had names before there were others.
    prefix = "login" if kind == LOGIN else "act"
    return Notice(f"{prefix}.{act_id}", user_id, kind, time_ms, fields, text)


def _quoted(text: object) -> str:
    whole = str(text)
    return whole if len(whole) <= QUOTED_LENGTH_MAX else f"{whole[:QUOTED_LENGTH_MAX]}..."


def _utc(time_ms: object) -> str:
    if not isinstance(time_ms, int):
        return "a moment that is not known"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")


class _Asset(msgspec.Struct, frozen=True):
    code: str
    decimals: int

    def text(self, atoms: int) -> str:
        return format_fixed(atoms, self.decimals)


class _Market(msgspec.Struct, frozen=True):
    symbol: str
    base_asset_id: int
    quote_asset_id: int
    tick_atoms: int
    lot_atoms: int


class NoticeMaker:
    """From events to notices. It has to be told of assets and markets first: by the ledger, or by events."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._assets: dict[int, _Asset] = {}
        self._markets: dict[int, _Market] = {}

    def add_asset(self, asset_id: int, code: str, decimals: int) -> None:
        """Learn how the asset is called, and how many decimals it has."""
        self._assets[asset_id] = _Asset(code, decimals)

    def add_market(
        self,
        market_id: int,
        symbol: str,
        base_asset_id: int,
        quote_asset_id: int,
        tick_atoms: int,
        lot_atoms: int,
    ) -> None:
        """Learn what a market's ticks and lots are worth."""
        self._markets[market_id] = _Market(symbol, base_asset_id, quote_asset_id, tick_atoms, lot_atoms)

    def notices_of(self, outcome: CommandOutcome) -> list[Notice]:
        """The notices of one outcome, in order; most have none. Raises UnknownNameError."""
        notices: list[Notice] = []
        for recorded in outcome.events:
            notices += self._of_event(recorded.seq, outcome.time_ms, recorded.event)
        return notices

    def _of_event(self, seq: int, time_ms: int, event: Event) -> list[Notice]:
        if isinstance(event, TradeExecuted):
            return self._of_trade(seq, time_ms, event)
        if isinstance(event, DepositCredited):
            fields = self._amount(event.asset_id, event.amount_atoms) | {"depositId": str(event.deposit_id)}
            text = f"Your deposit of {fields['amount']} {fields['asset']} has arrived."
            return [self._notice(seq, "deposit", event.user_id, DEPOSIT, time_ms, fields, text)]
        if isinstance(event, _WITHDRAWN):
            return [self._of_withdrawal(seq, time_ms, event)]
        if isinstance(event, AssetRegistered):
            self.add_asset(event.asset_id, event.code, event.decimals)
        elif isinstance(event, MarketRegistered):
            self.add_market(
                *(event.market_id, event.symbol, event.base_asset_id, event.quote_asset_id),
                *(event.tick_atoms, event.lot_atoms),
            )
        return []

    def _of_withdrawal(
        self, seq: int, time_ms: int, event: WithdrawalReserved | WithdrawalSettled | WithdrawalReleased
    ) -> Notice:
        fields = self._amount(event.asset_id, event.amount_atoms)
        fields["withdrawalId"] = str(event.withdrawal_id)
        what = f"Your withdrawal of {fields['amount']} {fields['asset']}"
        if isinstance(event, WithdrawalReserved):
            fields["address"] = _quoted(event.address)
            what = f"A withdrawal of {fields['amount']} {fields['asset']} to {fields['address']}"
            kind, text = WITHDRAWAL_RESERVED, f"{what} was asked for."
        elif isinstance(event, WithdrawalSettled):
            kind, text = WITHDRAWAL_SETTLED, f"{what} has left the exchange."
        else:
            kind, text = WITHDRAWAL_REFUSED, f"{what} was refused; the money is in your account."
        return self._notice(seq, "withdrawal", event.user_id, kind, time_ms, fields, text)

    def _of_trade(self, seq: int, time_ms: int, event: TradeExecuted) -> list[Notice]:
        """One for the maker, one for the taker, also where both are one person."""
        maker_side = SELL if event.taker_side == BUY else BUY
        return [
            self._of_fill(seq, time_ms, event, maker_side, "maker"),
            self._of_fill(seq, time_ms, event, event.taker_side, "taker"),
        ]

    def _of_fill(self, seq: int, time_ms: int, event: TradeExecuted, side: int, role: str) -> Notice:
        market = self._markets.get(event.market_id)
        if market is None:
            raise UnknownNameError(f"market {event.market_id}")
        base, quote = self._asset(market.base_asset_id), self._asset(market.quote_asset_id)
        if side == BUY:
            user_id, order_id, received = event.buyer_user_id, event.buyer_order_id, base
        else:
            user_id, order_id, received = event.seller_user_id, event.seller_order_id, quote
        fee = fee_of(event, side)
        fee_asset = self._asset(fee.asset_id) if fee.asset_id else received
        fields = {
            "symbol": market.symbol,
            "orderId": str(order_id),
            "tradeId": str(event.trade_id),
            "side": SIDE_NAMES[side],
            "role": role.upper(),
            "price": quote.text(event.price_ticks * market.tick_atoms),
            "quantity": base.text(event.quantity_lots * market.lot_atoms),
            "quoteQuantity": quote.text(event.quote_atoms),
            "fee": fee_asset.text(fee.atoms),
            "feeAsset": fee_asset.code,
        }
        verb = "bought" if side == BUY else "sold"
        text = (
            f"Your order {order_id} {verb} {fields['quantity']} {base.code} "
            f"at {fields['price']} {quote.code} ({market.symbol})."
        )
        return self._notice(seq, role, user_id, FILL, time_ms, fields, text)

    def _notice(
        self, seq: int, part: str, user_id: int, kind: str, time_ms: int, fields: dict[str, str], text: str
    ) -> Notice:
        return Notice(f"{self._shard}.{seq}.{part}", user_id, kind, time_ms, fields, text)

    def _amount(self, asset_id: int, atoms: int) -> dict[str, str]:
        asset = self._asset(asset_id)
        return {"asset": asset.code, "amount": asset.text(atoms)}

    def _asset(self, asset_id: int) -> _Asset:
        asset = self._assets.get(asset_id)
        if asset is None:
            raise UnknownNameError(f"asset {asset_id}")
        return asset
