"""What each version of the rules decides otherwise than the one before (design decision 6).

The log says from which command on a version holds (`ActivateRules`), so an old history is decided as it was:
`tests/unit/engine/test_golden.py` holds a recorded one of version 1 to its hashes. A change of any decision
gets a predicate here, named for what it changes, and a version that no exchange runs yet. The newest
version may grow until it is released; from then on it never changes.

Version 2: bounded work for a command (exchange/contracts/limits.py), no text of a library in the history,
the deposit limit counts the money that is inside, rules never go back, commands are decided by an attended
clock (core/attendance.py), and a cancel is never stale.

Version 3: the event log's format 2 (exchange/contracts/chain.py, ADR 0026), from the command record on that
comes after the one which activates it.

Version 4: orders with terms and lists of them, self-trade prevention by DECREMENT, and a MARKET order by
quote amount that empties the book ends as expired (ADR 0037). Snapshots of format 5.

Version 5: filters that change while a market trades, and markets that end (ADR 0045); lists whose pending
orders sell what the working one has bought, and an OCO is told that its prices do not fit each other before
anything that follows from that (ADR 0046); fees that change, tiers of them, and a discount for who pays in
another asset (ADR 0047). Snapshots of format 6.
"""

RULES_VERSION_MAX = 5  # the newest rules that this code has; the first are version 1


class UnknownRulesError(Exception):
    """The log asks for rules that this code does not have: stop, a newer version must go on from here."""


def check_rules_version(version: int) -> None:
    """Raise UnknownRulesError for a version that is not among this code's."""
    if not 1 <= version <= RULES_VERSION_MAX:
        raise UnknownRulesError(
            f"the command log activates rules version {version}, this code knows 1 to {RULES_VERSION_MAX}: "
            "run a version of the engine that has them"
        )


def bounds_work(version: int) -> bool:
    """Whether a command meets, closes and changes no more than the limits of the engine say."""
    return version >= 2


def has_constant_texts(version: int) -> bool:
    """Whether a refusal of what is no command says so in our words, not in those of a library."""
    return version >= 2


def counts_money_inside(version: int) -> bool:
    """Whether the deposit limit counts what is inside, not all that ever came in."""
    return version >= 2


def never_goes_back(version: int) -> bool:
    """Whether an older version than the active one is refused."""
    return version >= 2


def attends_clock(version: int) -> bool:
    """Whether a command that comes while no leader is at work waits for one, and for its clock."""
    return version >= 2


def refuses_stale_cancels(version: int) -> bool:
    """Whether a cancel can come too late. It takes risk away, so whoever sent it wants it at any time."""
    return version < 2


def has_terms(version: int) -> bool:
    """Whether orders may have terms, and stand in lists (ADR 0037)."""
    return version >= 4


def has_filters(version: int) -> bool:
    """Whether filters may change, and a market may end (ADR 0045)."""
    return version >= 5


def has_opo(version: int) -> bool:
    """Whether a list may be an OPO or OPOCO: its pending orders sell what its working one buys (ADR 0046)."""
    return version >= 5


def judges_list_prices_first(version: int) -> bool:
    """Whether prices of an OCO that do not fit each other are refused as that, not for what they lead to."""
    return version >= 5


def ends_unpriced(version: int) -> bool:
    """Whether a pegged order that never worked ends without a price, as it was told of."""
    return version >= 5


def event_format(version: int) -> int:
    """The format of the event log in which a command record is answered that begins under these rules."""
    return 2 if version >= 3 else 1
