"""The pure core: commands in, events out. No I/O, clock, randomness, async, float.

Typed so that mypyc compiles it; both builds produce the same events (ADR 0002).
"""
