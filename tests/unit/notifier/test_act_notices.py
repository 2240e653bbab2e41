"""Promises of what owners are told of their account, and of the link that freezes withdrawals."""

import pytest

from exchange.contracts.events import WithdrawalReserved
from services.notifier.notices import ACTS, FREEZABLE, QUOTED_LENGTH_MAX, Notice, NoticeMaker, act_notice
from services.notifier.notices import subject_of as subject
from tests.event_streams import EventStream

DETAILS: dict[str, dict[str, object]] = {
    "log-in": {"email": "a@example.com"},
    "key-made": {"key_hash": "00", "kind": "HMAC", "permissions": ["READ", "WITHDRAW"], "ip_allow_list": []},
    "address-added": {"address_id": 7, "asset": "BTC", "address": "bc1qthief"},
    "identity-linked": {"issuer": "https://issuer.example", "subject": "x"},
    "withdrawals-frozen": {"by": "link"},
    "withdrawals-unfreeze-asked": {"ends_ms": 1_700_000_000_000},
    "withdrawals-unfrozen": {"by": "operator", "who": "olga"},
    "password-reset-asked": {},
    "password-changed": {},
    "password-reset": {"held_until_ms": 1_700_000_000_000},
    "second-factor-on": {},
    "second-factor-off": {},
    "notices-changed": {"FILLS": {"mail": True, "webhook": False, "browser": False}},
    "webhook-set": {"url": "https://bot.example.com/notices"},
    "webhook-removed": {},
    "notice-mail-confirmed": {},
    "notice-mail-asked": {},
    "notice-mail-ended": {},
}


@pytest.mark.parametrize("act", list(ACTS))
def test_every_act_becomes_a_notice_that_can_travel(act: str) -> None:
    notice = act_notice(act, 17, 1001, 9, "192.0.2.7", DETAILS[act])
    assert notice.notice_id == ("login.17" if act == "log-in" else "act.17")
    assert (notice.user_id, notice.kind, notice.time) == (1001, ACTS[act], 9)
    assert Notice.decode(notice.encode()) == notice
    assert subject(notice).isascii()
    # A detail that an older or a newer release wrote otherwise stops nobody.
    assert act_notice(act, 17, 1001, 9, "", {}).kind == notice.kind


def test_words_say_what_happened() -> None:
    def text(act: str) -> str:
        return act_notice(act, 1, 1001, 9, "192.0.2.7", DETAILS[act]).text

    assert "READ, WITHDRAW" in text("key-made")
    assert "bc1qthief for BTC" in text("address-added")
    assert "https://issuer.example" in text("identity-linked")
    assert "2023-11-14T22:13" in text("withdrawals-unfreeze-asked")
    assert all("192.0.2.7" in text(act) for act in ("log-in", "key-made", "address-added", "identity-linked"))
    assert "00" not in text("key-made"), "nothing of the key"


def test_what_a_thief_would_do_carries_the_link_and_nothing_else_does() -> None:
    assert {
        "LOGIN", "API_KEY_MADE", "ADDRESS_ADDED", "IDENTITY_LINKED", "WITHDRAWAL_RESERVED",
        "WITHDRAWALS_UNFREEZING", "PASSWORD_CHANGED", "SECOND_FACTOR_CHANGED", "NOTICES_CHANGED",
    } == FREEZABLE  # fmt: skip


def test_a_strangers_text_is_cut() -> None:
    detail = {"asset": "BTC", "address": "x" * 1_000}
    notice = act_notice("address-added", 1, 1001, 9, "::1", detail)
    assert len(notice.fields["address"]) == QUOTED_LENGTH_MAX + len("...")
    assert len(notice.text) < QUOTED_LENGTH_MAX + 100


def test_a_reservation_is_told_before_the_money_leaves() -> None:
    maker = NoticeMaker(0)
    maker.add_asset(1, "BTC", 8)
    outcome = EventStream().append(WithdrawalReserved(1001, 1, 150_000_000, 8, "bc1"))
    (notice,) = maker.notices_of(outcome)
    assert (notice.notice_id, notice.kind) == ("0.1.withdrawal", "WITHDRAWAL_RESERVED")
    assert notice.fields == {"asset": "BTC", "amount": "1.50000000", "withdrawalId": "8", "address": "bc1"}
    assert notice.text == "A withdrawal of 1.50000000 BTC to bc1 was asked for."
