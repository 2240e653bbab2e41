-- The other order of a self-trade that was prevented, 0 when there was none, and in what an older release wrote.
ALTER TABLE orders ADD COLUMN counter_order_id bigint NOT NULL DEFAULT 0 CHECK (counter_order_id >= 0);

-- Keys may sign with RSA, too (binance-spot-api 1).
ALTER TABLE api_keys DROP CONSTRAINT api_keys_kind_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_kind_check CHECK (kind IN ('HMAC', 'ED25519', 'RSA'));
ALTER TABLE api_keys DROP CONSTRAINT api_keys_check1;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_public_key_check CHECK ((kind <> 'HMAC') = (public_key_pem IS NOT NULL));
