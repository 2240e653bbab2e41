"""The checks in tiers: `check` before a commit, `test` for a change, `verify` for the long campaigns."""
