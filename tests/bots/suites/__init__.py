"""Suites of small bots, as strangers write them: a bot, and tests of it that know nothing but `exchange`."""
