"""The decisions about a request: what is checked, sent to the engine, and answered."""
