-- Fees that change (rules version 5, ADR 0047).

-- In which asset a side of a trade paid its fee, the amount of which stands in buyer_fee_atoms and
-- seller_fee_atoms. 0: in what it received, base for the buyer and quote for the seller.
ALTER TABLE trades
    ADD COLUMN buyer_fee_asset_id int NOT NULL DEFAULT 0,
    ADD COLUMN seller_fee_asset_id int NOT NULL DEFAULT 0;

-- What accounts of a tier pay of a market's fees, in millionths of them, and the volume within 30 days,
-- counted in asset_id, that the tier asks for.
CREATE TABLE fee_tiers (
    tier int PRIMARY KEY,
    asset_id int NOT NULL,
    volume_atoms_min bigint NOT NULL CHECK (volume_atoms_min > 0),
    maker_share_ppm bigint NOT NULL,
    taker_share_ppm bigint NOT NULL
);

-- One row at most. asset_id 0: there is no discount.
CREATE TABLE fee_discount (
    is_only boolean PRIMARY KEY CHECK (is_only),
    asset_id int NOT NULL,
    discount_ppm bigint NOT NULL
);

-- Of accounts that are, or were once, in a tier or pay in the discount asset.
CREATE TABLE fee_standings (
    user_id bigint PRIMARY KEY,
    tier int NOT NULL DEFAULT 0,
    pays_discounted boolean NOT NULL DEFAULT false
);

-- What accounts have traded on a day (UTC, counted from 1970), in atoms of the markets' quote asset: what tiers are
-- counted from. Added up from trades by whoever counts, as far as fee_volume_folds says, and kept for the window alone.
CREATE TABLE fee_volumes (
    user_id bigint NOT NULL,
    day int NOT NULL,
    quote_asset_id int NOT NULL,
    atoms numeric NOT NULL,
    PRIMARY KEY (day, user_id, quote_asset_id)
);
CREATE TABLE fee_volume_folds (
    market_id int PRIMARY KEY,
    trade_id bigint NOT NULL
);
