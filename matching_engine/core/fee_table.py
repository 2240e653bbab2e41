"""What is agreed about fees beside a market's own: tiers, the discount asset, and where accounts stand."""

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class FeeTier:
    """What accounts of a tier pay: `_share_ppm` of a market's fees, in millionths.

    `volume_atoms_min` of `asset_id` within 30 days is what the tier asks for. The engine keeps it for whoever
    counts, and does not count itself.
    """

    def __init__(
        self, tier: int, asset_id: int, volume_atoms_min: int, maker_share_ppm: int, taker_share_ppm: int
    ) -> None:
        self.tier = tier
        self.asset_id = asset_id
        self.volume_atoms_min = volume_atoms_min
        self.maker_share_ppm = maker_share_ppm
        self.taker_share_ppm = taker_share_ppm


@mypyc_attr(acyclic=True)
class Standing:
    """Where an account stands that is no plain one. `tier` 0: none. `pays_discounted`: by its own wish."""

    def __init__(self, tier: int, pays_discounted: bool) -> None:
        self.tier = tier
        self.pays_discounted = pays_discounted


class FeeTable:
    """Tiers by number, the discount, and the standings of accounts that have one, by user id.

    `discount_asset_id` 0: there is none.
    """

    def __init__(self) -> None:
        self.tiers: dict[int, FeeTier] = {}
        self.discount_asset_id = 0
        self.discount_ppm = 0
        self.standings: dict[int, Standing] = {}

    def standing_of(self, user_id: int) -> Standing:
        """Where the account stands; a new one if it is plain."""
        standing = self.standings.get(user_id)
        return Standing(0, False) if standing is None else standing
