-- Rows of these tables are only ever added. By default they are vacuumed when a fifth of them is new, and looked at
-- for statistics when a tenth is: after five years that is a year's work at once, and a year's wait before it. A
-- vacuum of a table without dead rows reads what is new alone (ADR 0019), so it may come as often as that is much.
ALTER TABLE trades SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 500000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500000
);
ALTER TABLE ledger_entries SET (
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 3000000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 3000000
);
