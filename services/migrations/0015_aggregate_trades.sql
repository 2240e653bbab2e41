-- Id of the aggregate trade that a trade is part of: without gaps from the first trade on that was written with
-- one. NULL in what an older release wrote, where the aggregate trade has the id of its first trade; the new ids
-- go on behind the last of those.
ALTER TABLE trades ADD COLUMN aggregate_id bigint CHECK (aggregate_id > 0);
