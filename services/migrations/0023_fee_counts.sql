-- The newest day (UTC, counted from 1970) whose tiers of fees are counted to the end (ADR 0052): one row at most.
-- Whoever counts holds an advisory lock; this row tells the others, and whoever starts later, that it is done.
CREATE TABLE fee_counts (
    is_only boolean PRIMARY KEY CHECK (is_only),
    day int NOT NULL
);
