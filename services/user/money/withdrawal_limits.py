"""How much may leave within a day: the settings' text, read once."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from exchange.process.config import Settings, SettingsError

__all__ = ["WithdrawalLimits", "parse_amounts"]

WINDOW_MS: Final = 86_400_000
EVERY_OTHER: Final = "*"
_UNITS_LENGTH_MAX: Final = 18


class WithdrawalLimits(NamedTuple):
    """Per user and asset within WINDOW_MS. `units_max`: asset code, or EVERY_OTHER, -> whole units."""

    count_max: int
    units_max: Mapping[str, int]

    @classmethod
    def of(cls, settings: Settings) -> "WithdrawalLimits":
        """The limits of the settings. Raises SettingsError."""
        return cls(settings.withdrawal_daily_count_max, parse_amounts(settings.withdrawal_daily_amounts_max))

    def amount_atoms_max(self, code: str, decimals: int) -> int:
        """The most of an asset; 0 when it has no limit of its own and there is none for all others."""
        return self.units_max.get(code, self.units_max.get(EVERY_OTHER, 0)) * int(10**decimals)


def parse_amounts(text: str) -> dict[str, int]:
    """Read `BTC=10,*=500000`. Raises SettingsError."""
    found: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        code, equals, units = entry.partition("=")
        is_number = units.isascii() and units.isdigit() and len(units) <= _UNITS_LENGTH_MAX
        if not equals or not code or not is_number or code in found:
            raise SettingsError(f"withdrawal_daily_amounts_max: {entry!r} is no ASSET=UNITS, or stands twice")
        found[code] = int(units)
    return found
